"""sweep.json: what a sweep is. The composed config of every job is frozen in it before the first one runs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from ganvas.errors import REDACTED, OptionError, require
from ganvas.files.plain import load_json
from ganvas.files.schema import Kind, anything, is_text, listing, mapping, maybe, misfit, section
from ganvas.files.write import write_text
from ganvas.functional.instant import timestamp
from ganvas.run.folder.links import check_flat
from ganvas.run.folder.redact import redacted
from ganvas.sweep.interface import Job
from ganvas.sweep.tree import RUN_DIR, changed, changes, config_key, placed

FILE = "sweep.json"
_VERSION = 1
_TREES = ("config", "choices", "origins")
_MAX_BYTES = 1_000_000_000
_SECTIONS = ("paths", "data", "model", "trainer", "accelerator", "callback", "logger", "sweep")
_KINDS: dict[str, Kind] = {
    "config": section({}, {name: maybe(mapping(anything)) for name in _SECTIONS}),
    "choices": mapping(is_text),
    "origins": mapping(listing(is_text)),
}
_FIRST = {name: mapping(anything) for name in _TREES}
_ABOUT = {"sweep_overrides": listing(is_text), "shared": listing(is_text), "config_name": is_text}
_FIELDS = {name: get_origin(hint) or hint for name, hint in get_type_hints(Job).items()}


@dataclass(frozen=True)
class Draft:
    """A job that is not in a sweep yet.

    Attributes:
        config: its composed config, plain values, with RUN_DIR for ``paths.run_dir``.
        choices: group -> chosen option.
        origins: key -> the keys that its interpolation reads, for errors in the user's words.
        differs: the overrides that not every job has.
        slug: what its folder is called after its number.
    """

    config: dict[str, Any]
    choices: dict[str, str]
    origins: dict[str, list[str]]
    differs: list[str]
    slug: str
    variant: int
    repeat: int = 0


@dataclass
class Manifest:
    """A sweep's jobs and their frozen configs; :meth:`write` comes before a new job is run.

    Attributes:
        folder: the sweep.
        about: provenance (versions, git, command, created), ``sweep_overrides`` (the command line's, secrets
            hidden), ``config_name``, and whatever a source keeps there (plain values).
        first: ``config``, ``choices`` and ``origins`` of the first job; of the others what differs is kept.
        jobs: in the order of their index.
    """

    folder: Path
    about: dict[str, Any]
    first: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in _TREES})
    jobs: list[Job] = field(default_factory=list)
    _changes: list[dict[str, Any]] = field(default_factory=list)

    def config_of(self, job: Job) -> dict[str, Any]:
        """A job's config, with its run's folder where the sweep lies now; secrets are hidden."""
        config: dict[str, Any] = placed(self._tree("config", job), {RUN_DIR: str(self.run_dir(job))})
        return config

    def choices_of(self, job: Job) -> dict[str, str]:
        """Group -> chosen option."""
        return self._tree("choices", job)

    def origins_of(self, job: Job) -> dict[str, list[str]]:
        """Key -> the keys that its interpolation read."""
        return self._tree("origins", job)

    def _tree(self, name: str, job: Job) -> dict[str, Any]:
        """The first job's with what differs; anybody may have written either.

        Raises:
            OptionError: ``SWEEP``: it is no tree of such a kind.
        """
        try:
            tree = changed(self.first[name], self._changes[job.index].get(name) or {})
            sound = _KINDS[name](tree)
        except (TypeError, AttributeError) as error:
            raise _damaged(self.folder, f"a change in job {job.index} leads nowhere") from error
        if not sound:
            raise _damaged(self.folder, f"the {name} of job {job.index} is of another kind")
        return tree

    def hides_secrets(self) -> bool:
        """Whether any job's config lacks something that was not to be written."""
        return REDACTED in json.dumps([self.first, self._changes])

    def overrides_of(self, job: Job) -> list[str]:
        """What would have to be written to train the job alone."""
        return [*self.about.get("shared", []), *job.differs]

    def run_dir(self, job: Job) -> Path:
        return self.folder / job.name

    def add(self, drafts: Sequence[Draft]) -> list[Job]:
        """Appends jobs, yet to be written; one that is there already, in the same words, is left out.

        Returns:
            the jobs, in the order of ``drafts``: the one that is there already in place of one left out.
        """
        by_key = {job.key: job for job in self.jobs}
        answer = []
        for draft in drafts:
            key = config_key(draft.config)
            if key in by_key and by_key[key].differs != draft.differs:
                # The same experiment on another machine, or in words that mean the same: asked for, so made.
                key = config_key({"key": key, "differs": draft.differs})
            if key not in by_key:
                by_key[key] = self._append(draft, key)
            answer.append(by_key[key])
        return answer

    def _append(self, draft: Draft, key: str) -> Job:
        index = len(self.jobs)
        name = f"{index:03d}_{draft.slug}"
        trees = {"config": redacted(draft.config), "choices": draft.choices, "origins": draft.origins}
        if not self.jobs:
            self.first = trees
        job = Job(
            index=index,
            key=key,
            name=name,
            differs=redacted(draft.differs),
            variant=draft.variant,
            repeat=draft.repeat,
            devices=devices(draft.config),
        )
        self.jobs.append(job)
        found = {name: changes(self.first[name], tree) for name, tree in trees.items()}
        self._changes.append({name: change for name, change in found.items() if any(change.values())})
        return job

    def write(self) -> None:
        """Writes sweep.json, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "jobs").mkdir(exist_ok=True)
        jobs = [asdict(job) | change for job, change in zip(self.jobs, self._changes, strict=True)]
        value = {"version": _VERSION, "about": redacted(self.about), "first": self.first}
        head = json.dumps(value, indent=1)[:-2]
        lines = ",\n  ".join(json.dumps(job) for job in jobs)  # a job a line
        write_text(self.folder / FILE, f'{head},\n "jobs": [\n  {lines}\n ]\n}}\n')

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The sweep in a folder, which may come from anyone: data, never code.

        Raises:
            OptionError: ``SWEEP`` where there is none, or its sweep.json is damaged or of another version.
        """
        check_flat(folder, "SWEEP", inner=("jobs", "search"))
        value = _load(folder)
        try:
            jobs = value["jobs"]
            made = [
                Job(**{name: _of_kind(job[name], kind) for name, kind in _FIELDS.items()}) for job in jobs
            ]
            sound = [job.index for job in made] == list(range(len(made)))
            sound = sound and all(_is_file_name(job.name) for job in made)
            if not sound:
                raise ValueError("its jobs are out of order, or one has no name of a folder")
            for whole, schema in ((value["first"], _FIRST), (value["about"], {})):
                wrong = misfit(whole, schema, _ABOUT)
                if wrong is not None:
                    raise ValueError(wrong)
            if not all(_CHANGE(job[name]) for job in jobs for name in _TREES if name in job):
                raise ValueError("what differs in a job is no change of a tree")
            kept = [{name: job.get(name, {}) for name in _TREES} for job in jobs]
        except (KeyError, TypeError, ValueError) as error:
            said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise _damaged(folder, said) from error
        return cls(folder, value["about"], value["first"], made, kept)


def new_about(overrides: Sequence[str], shared: Sequence[str], provenance: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of where it came from."""
    return {
        **provenance,
        "sweep_overrides": list(overrides),
        "shared": list(shared),
        "created": timestamp(),
    }


def devices(config: dict[str, Any]) -> int:
    """How many devices of one machine a config asks for; 1 where it leaves that to the machine."""
    asked = (config.get("accelerator") or {}).get("devices", 1)
    if isinstance(asked, list):
        return max(1, len(asked))
    return int(asked) if isinstance(asked, int | str) and str(asked).isdigit() and int(asked) > 0 else 1


def _load(folder: Path) -> dict[str, Any]:
    path = folder / FILE
    require(path.is_file(), "SWEEP", folder, f"holds no {FILE}; see ganvas sweep ls")
    try:
        value = load_json(path, _MAX_BYTES)
    except (OSError, ValueError) as error:
        reason = f"its {FILE} cannot be read ({' '.join(str(error).split())[:100]}); put a copy back"
        raise OptionError("SWEEP", folder, reason) from error
    version = value.get("version") if isinstance(value, dict) else None
    reason = f"its {FILE} is of version {version}, this ganvas reads {_VERSION}; use the one that wrote it"
    require(version == _VERSION, "SWEEP", folder, reason)
    assert isinstance(value, dict)
    return value


def _damaged(folder: Path, said: str) -> OptionError:
    return OptionError("SWEEP", folder, f"its {FILE} is damaged ({said}); put a copy back")


def _is_path(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(key, str) for key in value)


def _is_set(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_path(value[0])


_CHANGE = section({}, {"set": listing(_is_set), "unset": listing(_is_path)})  # see ganvas.sweep.tree


def _of_kind(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and (isinstance(value, bool) or value < 0)):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    if kind is list and not all(isinstance(item, str) for item in value):
        raise ValueError("it lists other things than text")
    return value


def _is_file_name(name: str) -> bool:
    return name not in ("", ".", "..") and os.path.basename(name) == name and "\0" not in name
