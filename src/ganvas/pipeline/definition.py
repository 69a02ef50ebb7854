"""What a pipeline is before it has a folder: named stages, and which earlier runs each one rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.files.plain import load_yaml
from ganvas.files.schema import is_text, listing, misfit

FOLDER = "folder"  # {folder} in a stage's words: the pipeline's own
STATES = ("waiting", "running", "finished", "interrupted", "failed")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_PLACE = re.compile(r"(?<!\$)\{([A-Za-z][A-Za-z0-9_]*)\}")  # ${...} is Hydra's
_MOST = 50  # stages


@dataclass
class Stage:
    """One step of a pipeline: a run that is trained, or a command that reads earlier runs.

    Attributes:
        index: from 0.
        name: by which later stages call its run, ``{name}``.
        words: overrides of ``ganvas train``, or a command and its words; ``{name}`` and ``{folder}`` in them.
        trains: which of the two.
        config: of one that trains, frozen: plain values, with :func:`place` for folders that come later.
        choices: group -> chosen option.
        origins: key -> the keys that its interpolation reads.
        state: one of :data:`STATES`.
        code: exit code of the last attempt; None before it has ended.
        began, ended: of the last attempt, dates.
    """

    index: int
    name: str
    words: list[str]
    trains: bool
    config: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    origins: dict[str, list[str]] = field(default_factory=dict)
    state: str = STATES[0]
    code: int | None = None
    began: str | None = None
    ended: str | None = None

    @property
    def folder(self) -> str:
        """Name of its run's folder in the pipeline's."""
        return f"{self.index + 1}_{self.name}"

    def rests_on(self) -> list[str]:
        """Names of the earlier stages that its words call."""
        found = [name for word in self.words for name in _PLACE.findall(word)]
        return [name for name in dict.fromkeys(found) if name != FOLDER]


def place(name: str) -> str:
    """What stands in a frozen config for the folder of a stage's run (or the pipeline's)."""
    return f"__ganvas_{name}__"


def filled(word: str, places: Mapping[str, str]) -> str:
    """A word with folders for ``{name}``."""
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), word)


def read_definition(path: Path) -> list[Stage]:
    """The stages in a YAML of the group ``pipeline``.

    Raises:
        OptionError: ``pipeline``: the file is none, or a stage of it calls one that does not come before it.
    """
    tree = load_yaml(path, "pipeline")
    listed = tree.get("stages") if isinstance(tree, dict) else None
    reason = "has no list of stages, each with a name and train: [overrides] or run: [command, words]"
    require(isinstance(listed, list) and bool(listed), "pipeline", path, f"{reason}; write one")
    assert isinstance(listed, list)
    extra = [key for key in tree if key != "stages"]
    require(not extra, "pipeline", path, f"has the key {', '.join(map(str, extra))}; there is: stages")
    require(len(listed) <= _MOST, "pipeline", path, f"has {len(listed)} stages; at most {_MOST} are taken")
    stages = [_stage(index, entry, path) for index, entry in enumerate(listed)]
    check_stages(stages, "pipeline", path)
    return stages


def _stage(index: int, entry: Any, path: Path) -> Stage:
    where = f"stage {index + 1} of the file"
    kinds = [key for key in ("train", "run") if isinstance(entry, dict) and key in entry]
    wrong = misfit(entry, {"name": is_text}, {"train": listing(is_text), "run": listing(is_text)})
    wrong = wrong or (None if len(kinds) == 1 else "it has to have one of train and run")
    more = [str(key) for key in entry if key not in ("name", *kinds)] if wrong is None else []
    wrong = f"it has the key {more[0]}" if more else wrong
    if wrong is not None:
        reason = f"{where}: {wrong}; write name: NAME and train: [overrides] or run: [command, words]"
        raise OptionError("pipeline", path, reason)
    return Stage(index, entry["name"], list(entry[kinds[0]]), kinds[0] == "train")


def check_stages(stages: Sequence[Stage], option: str, where: object) -> None:
    """Raises OptionError (``option``) where stages cannot follow each other; whoever wrote them."""
    known: dict[str, bool] = {}
    names = [stage.name for stage in stages]
    for stage in stages:
        named = _NAME.fullmatch(stage.name) is not None and stage.name != FOLDER
        rule = f"{stage.name!r} is no name of a stage: at most 40 letters, digits and _, and not {FOLDER}"
        require(named, option, where, rule)
        require(names.count(stage.name) == 1, option, where, f"two stages are called {stage.name}")
        for name in stage.rests_on():
            require(name in names, option, where, f"{stage.name} calls {{{name}}}, and {_there(names)}")
            later = f"{stage.name} rests on {{{name}}}, which comes no earlier; put that before it"
            require(name in known, option, where, later)
            rule = f"{stage.name} calls {{{name}}}, which is a command and has no run; name one that trains"
            require(known[name], option, where, rule)
        require(stage.trains or bool(stage.words), option, where, f"{stage.name} runs no command; name one")
        known[stage.name] = stage.trains
    require(any(known.values()), option, where, "no stage trains anything; give one train: [overrides]")


def _there(names: Iterable[str]) -> str:
    return f"there is no such stage; there are: {', '.join(names)}, and {{{FOLDER}}}"
