"""The stages that are commands: which ones there may be, and that what they write stays in the pipeline."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import parser_of
from ganvas.cli.commands import ROOMS, module_of
from ganvas.errors import OptionError, require
from ganvas.pipeline.definition import FOLDER, Stage
from ganvas.run.folder.usable import NEEDS, abilities_by_parts

_CALLED = re.compile(r"\{(\w+)\}")
_INSIDE = re.compile(r"\{(\w+)\}/.+")


def check_command(stage: Stage, models: Mapping[str, Any]) -> None:
    """Holds a command's words against its parser, and its RUN against the stage that makes it.

    A pipeline.json may come from anyone: its commands read runs of the pipeline, and write nowhere else.

    Args:
        stage: one that trains nothing.
        models: name of a stage -> the section ``model`` of its config.

    Raises:
        OptionError: the stage's name: there is no such command, or its words do not fit it.
    """
    command, *words = stage.words
    told = " ".join(stage.words)
    known = (*ROOMS["trained"], *ROOMS["pictures"])
    reason = f"a pipeline has no command {command}; there are: {', '.join(known)}"
    require(command in known, stage.name, told, reason)
    parser = parser_of(module_of(command))
    assert parser is not None
    try:
        arguments = parser.parse_args(words)
    except OptionError as error:
        raise OptionError(stage.name, told, f"{error.option}: {error.reason}") from error
    except SystemExit:  # --help
        raise OptionError(stage.name, told, "asks for help; give words that do something") from None
    _check_run(stage, arguments, models)
    _check_out(stage, arguments)
    own = ("config_dir", "allow_imports", "allow_places")
    given = [name for name in own if getattr(arguments, name, None)]
    reason = "has words that bring code or lift limits; give them to ganvas pipeline"
    require(not given, stage.name, told, reason)


def _check_run(stage: Stage, arguments: argparse.Namespace, models: Mapping[str, Any]) -> None:
    told, run = " ".join(stage.words), getattr(arguments, "run", None)
    found = _CALLED.fullmatch(str(run))
    reason = f"reads {run}; name the run of a stage, e.g. {{{next(iter(models))}}}"
    require(found is not None and found[1] in models, stage.name, told, reason)
    assert found is not None
    need, able = NEEDS.get(stage.words[0]), abilities_by_parts(models[found[1]])
    fits = need is None or able is None or not need.abilities or not able.isdisjoint(need.abilities)
    require(fits, stage.name, told, f"{run} {need.reason if need else ''}")


def _check_out(stage: Stage, arguments: argparse.Namespace) -> None:
    out = getattr(arguments, "out", None)
    if out is None:
        return
    inside = _INSIDE.fullmatch(str(out)) is not None and ".." not in Path(str(out)).parts
    reason = f"writes {out}; a pipeline's files lie in its folder: --out {{{FOLDER}}}/NAME"
    require(inside, stage.name, " ".join(stage.words), reason)


def check_commands(stages: Sequence[Stage]) -> None:
    """:func:`check_command` of every stage that is one."""
    models = {stage.name: stage.config["model"] for stage in stages if stage.trains}
    for stage in stages:
        if not stage.trains:
            check_command(stage, models)
