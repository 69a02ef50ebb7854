"""pipeline.json: what a pipeline is and how far it has come; its configs are frozen when it begins."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganvas.errors import REDACTED, OptionError, require
from ganvas.files.plain import load_json
from ganvas.files.schema import Kind, anything, is_text, is_whole, listing, mapping, maybe, misfit, one_of
from ganvas.files.write import write_text
from ganvas.functional.instant import timestamp
from ganvas.pipeline.definition import FOLDER, STATES, Stage, check_stages, filled, place
from ganvas.run.folder.links import check_flat
from ganvas.run.folder.redact import redacted, scrubbed
from ganvas.run.folder.run_folder import RunFolder
from ganvas.sweep.tree import RUN_DIR, placed

FILE = "pipeline.json"
_OPTION = "PIPELINE"
_VERSION = 1
_MAX_BYTES = 100_000_000
_ABOUT = {"pipeline": is_text, "overrides": listing(is_text), "created": is_text, "config_name": is_text}
_SECTIONS = ("paths", "data", "model", "trainer", "accelerator")
_STAGE: dict[str, Kind] = {
    "name": is_text,
    "words": listing(is_text),
    "trains": lambda value: isinstance(value, bool),
    "config": mapping(anything),
    "choices": mapping(is_text),
    "origins": mapping(listing(is_text)),
    "state": one_of(*STATES),
    "code": maybe(is_whole),
    "began": maybe(is_text),
    "ended": maybe(is_text),
}


@dataclass
class Pipeline:
    """A pipeline's stages and where they stand; :meth:`write` comes before a stage begins and after it ended.

    Attributes:
        folder: the pipeline; it may be moved.
        about: provenance (versions, git, command, created), ``pipeline`` (its name), ``overrides`` (the
            command line's, secrets hidden), ``config_name``.
        stages: in their order.
    """

    folder: Path
    about: dict[str, Any]
    stages: list[Stage]

    def run(self, stage: Stage) -> RunFolder:
        """The run of a stage that trains; it need not be there yet."""
        return RunFolder(self.folder / stage.folder)

    def places(self) -> dict[str, str]:
        """Name in a stage's words -> folder, where the pipeline lies now."""
        found = {stage.name: str(self.folder / stage.folder) for stage in self.stages if stage.trains}
        return found | {FOLDER: str(self.folder)}

    def words_of(self, stage: Stage) -> list[str]:
        """A stage's words with folders in them."""
        places = self.places()
        return [filled(word, places) for word in stage.words]

    def config_of(self, stage: Stage) -> dict[str, Any]:
        """A stage's config with absolute folders in it; secrets are hidden."""
        folders = {place(name): os.path.abspath(folder) for name, folder in self.places().items()}
        run_dir = str(self.run(stage).path)
        config: dict[str, Any] = placed(stage.config, folders | {RUN_DIR: run_dir})
        config["paths"]["run_dir"] = run_dir  # whatever a pipeline.json of another's says
        return config

    def is_finished(self, stage: Stage) -> bool:
        """Whether nothing of the stage is left to do; of a run its own status.json knows it first."""
        done = stage.trains and self.run(stage).read_status().get("state") == STATES[2]
        return done or stage.state == STATES[2]

    def note(self, stage: Stage, state: str, code: int | None = None) -> None:
        """Writes down that a stage begins (``running``), or how an attempt at it ended."""
        stage.state, stage.code = state, code
        if state == "running":
            stage.began, stage.ended = timestamp(), None
        else:
            stage.ended = timestamp()
        self.write()

    def hides_secrets(self) -> bool:
        """Whether any stage's config lacks something that was not to be written."""
        return REDACTED in json.dumps([stage.config for stage in self.stages])

    def write(self) -> None:
        """Writes pipeline.json, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        stages = [
            {name: redacted(value) for name, value in asdict(stage).items() if name in _STAGE}
            for stage in self.stages
        ]
        value = {"version": _VERSION, "about": redacted(self.about), "stages": scrubbed(stages)}
        write_text(self.folder / FILE, json.dumps(value, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Pipeline:
        """The pipeline in a folder, which may come from anyone: data, never code.

        Raises:
            OptionError: ``PIPELINE``: there is none, or its pipeline.json is damaged or of another version.
        """
        check_flat(folder, _OPTION)
        value = _load(folder)
        wrong = misfit(value, {"about": mapping(anything), "stages": listing(_is_stage)})
        wrong = wrong or misfit(value["about"], {}, _ABOUT)
        if wrong is not None:
            raise _damaged(folder, wrong)
        stages = [
            Stage(index=index, **{name: entry[name] for name in _STAGE})
            for index, entry in enumerate(value["stages"])
        ]
        try:
            check_stages(stages, _OPTION, folder)
        except OptionError as error:
            raise _damaged(folder, error.reason) from error
        for stage in stages:
            absent = [name for name in _SECTIONS if not isinstance(stage.config.get(name), dict)]
            if stage.trains and absent:
                raise _damaged(folder, f"the config of {stage.name} has no section {absent[0]}")
        return cls(folder, value["about"], stages)


def new_about(
    name: str, overrides: Sequence[str], config_name: str, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """What pipeline.json says of where the pipeline came from."""
    own = {key: value for key, value in provenance.items() if key not in ("overrides", "choices")}
    own |= {"pipeline": name, "overrides": list(overrides), "config_name": config_name}
    return own | {"created": timestamp()}


def is_pipeline(folder: Path) -> bool:
    """Whether a pipeline, sound or damaged, lies in the folder."""
    return (folder / FILE).is_file()


def _is_stage(value: Any) -> bool:
    return misfit(value, _STAGE) is None


def _load(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    require(path.is_file(), _OPTION, folder, f"holds no {FILE}; ganvas pipeline NAME makes one")
    try:
        value = load_json(path, _MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = f"its {FILE} cannot be read ({' '.join(str(error).split())[:100]}); put a copy back"
        raise OptionError(_OPTION, folder, reason) from error
    version = value.get("version") if isinstance(value, dict) else None
    reason = f"its {FILE} is of version {version}, this ganvas reads {_VERSION}; use the one that wrote it"
    require(version == _VERSION, _OPTION, folder, reason)
    assert isinstance(value, dict)
    return value


def _damaged(folder: Path, said: str) -> OptionError:
    return OptionError(_OPTION, folder, f"its {FILE} is damaged ({said}); put a copy back")
