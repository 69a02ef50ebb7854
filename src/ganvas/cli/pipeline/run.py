"""Runs a pipeline that is planned, and goes on with one that was stopped, killed or failed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import own_code
from ganvas.cli.compose.secrets import hidden_keys, values_at
from ganvas.cli.pipeline.commands import check_commands
from ganvas.cli.pipeline.plan import Planned, change_pipeline, command_words
from ganvas.cli.terminal import command_line
from ganvas.errors import REDACTED, OptionError, require
from ganvas.files.text import one_line, say
from ganvas.pipeline.definition import Stage, filled, place
from ganvas.pipeline.drive import STOPPED, Drive, says
from ganvas.pipeline.manifest import Pipeline
from ganvas.run.config.places import ALLOW
from ganvas.run.distributed.rank_info import find_rank
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.redact import redacted_override
from ganvas.run.process.child import python_module
from ganvas.run.process.session import clean_environment
from ganvas.sweep.command import JobCommand


def begin(planned: Planned, arguments: argparse.Namespace) -> int:
    """Writes the pipeline and runs all of its stages; returns the exit code."""
    pipeline = planned.pipeline
    check_alone()
    pipeline.folder.mkdir(parents=True, exist_ok=True)
    with _locked(pipeline):
        pipeline.write()
        say(f"folder: {pipeline.folder}", flush=True)
        return _drive(planned, arguments, allows_places=True)


def go_on(folder: Path, overrides: Sequence[str], arguments: argparse.Namespace) -> int:
    """Goes on with a pipeline at the first stage that is not finished; returns the exit code.

    Args:
        folder: the pipeline; what lies in it may come from anyone.
        overrides: of the command line, for stages that have not begun.
        arguments: ``config_dir``, ``allow_imports`` and ``allow_places`` of the command line.

    Raises:
        OptionError: ``PIPELINE``: it is damaged, or another process writes it.
    """
    check_alone()
    pipeline = Pipeline.read(folder)
    check_commands(pipeline.stages)
    if all(pipeline.is_finished(stage) for stage in pipeline.stages):
        say(f"nothing is left to do: {one_line(str(folder))}")
        return 0
    with _locked(pipeline):
        pipeline = Pipeline.read(folder)  # as whoever held the lock has left it
        planned = Planned(pipeline, secrets_again(pipeline, arguments), list(arguments.allow_imports))
        if overrides:
            change_pipeline(
                planned,
                overrides,
                config_dir=arguments.config_dir,
                allow=arguments.allow_imports,
                allows_places=arguments.allow_places,
            )
        return _drive(planned, arguments, allows_places=arguments.allow_places)


def print_plan(planned: Planned) -> None:
    """Says each stage's command, and what cannot be checked yet; writes nothing."""
    pipeline = planned.pipeline
    for stage in pipeline.stages:
        say(f"{stage.folder}: {_command(stage, pipeline)}")
    for line in planned.later:
        say(line)


def check_alone() -> None:
    """Raises OptionError under torchrun or srun: the pipeline's stages start their own ranks."""
    launcher = find_rank().launcher
    reason = (
        "every rank would run the whole pipeline; leave the launcher out: its stages start their own ranks"
    )
    require(launcher is None, "ganvas pipeline", launcher, reason)


def _drive(planned: Planned, arguments: argparse.Namespace, *, allows_places: bool) -> int:
    pipeline = planned.pipeline
    allow = tuple(dict.fromkeys([*planned.allow, *arguments.allow_imports]))
    job = JobCommand(pipeline.folder, arguments.config_dir, planned.secrets, allow, allows_places)
    own = own_code(arguments.config_dir, allow)
    whole = len(pipeline.stages)

    def argv_of(stage: Stage) -> list[str]:
        if stage.trains:
            return job.argv(stage.index)
        return python_module("ganvas", *pipeline.words_of(stage), *own)

    def environment_of(stage: Stage) -> dict[str, str]:
        return job.environment(stage.index) if stage.trains else clean_environment()

    def tell(stage: Stage) -> None:
        say(f"stage {stage.index + 1} of {whole}, {stage.name}: {_command(stage, pipeline)}", flush=True)

    code, stage = Drive(pipeline, argv_of, environment_of, tell).run()
    if stage is None:
        say(f"finished: {pipeline.folder}")
        return 0
    say(f"{stage.name}: {says(code)}", error=code not in STOPPED, flush=True)
    places = [ALLOW] if arguments.allow_places else []
    say(f"go on with: {command_line('resume', pipeline.folder, *places, *own)}")
    return code


def _command(stage: Stage, pipeline: Pipeline) -> str:
    return one_line(command_line(*map(redacted_override, command_words(stage, pipeline))), 2000)


@contextmanager
def _locked(pipeline: Pipeline) -> Iterator[None]:
    """Nobody else runs the pipeline meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(RunLock(pipeline.folder))
        except OptionError as error:
            raise OptionError("PIPELINE", error.value, error.reason) from error
        yield


def secrets_again(pipeline: Pipeline, arguments: argparse.Namespace) -> dict[int, dict[str, Any]]:
    """What pipeline.json hides, from the environment, as the stages' words and the groups name it now.

    An interpolation in a word of pipeline.json itself is its own word on this environment: left out.
    """
    if not pipeline.hides_secrets():
        return {}
    from ganvas.cli.compose.composer import Composer
    from ganvas.cli.compose.session import hydra_session

    found: dict[int, dict[str, Any]] = {}
    places = {name: place(name) for name in pipeline.places()}
    with hydra_session(arguments.config_dir) as hydra:
        composer = Composer(hydra, str(pipeline.about.get("config_name", "train")))
        for stage in pipeline.stages:
            hidden = hidden_keys(stage.config)
            if not hidden or pipeline.is_finished(stage):
                continue
            shown = [filled(word, places) for word in stage.words if REDACTED not in word]
            shown = [word for word in shown if arguments.allow_places or "${" not in word]
            config = composer.compose(shown, awaited=tuple(places.values())).config
            found[stage.index] = values_at(config, hidden)
    return found
