"""From a pipeline's name and overrides to what would run: every stage composed, checked; nothing written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.describe import PIPELINES, file_of, pipelines
from ganvas.cli.compose.experiment import NEEDED, Composed, provenance
from ganvas.cli.compose.explain import key_of
from ganvas.cli.compose.folders import check_config_dir
from ganvas.cli.compose.nearest import near
from ganvas.cli.compose.refuse_unread import check_experiment
from ganvas.cli.compose.secrets import hidden_values
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.pipeline.commands import check_commands
from ganvas.cli.pipeline.rehearse import rehearse
from ganvas.cli.pipeline.routes import Routes
from ganvas.errors import REDACTED, OptionError, require
from ganvas.files.folders import expanded
from ganvas.functional.instant import folder_stamp
from ganvas.pipeline.definition import Stage, filled, place, read_definition
from ganvas.pipeline.manifest import Pipeline, is_pipeline, new_about
from ganvas.run.folder.lock import LOCK
from ganvas.run.folder.run_folder import check_name, check_writable
from ganvas.run.folder.usable import abilities_by_parts


@dataclass
class Planned:
    """A pipeline before anything of it is written.

    Attributes:
        pipeline: its stages' configs are frozen.
        secrets: index of a stage -> key -> value, for what pipeline.json hides.
        allow: the user's own modules that the configs may name, as their ``allow_imports`` say now.
        later: of stages, what can be looked at only once an earlier run is there.
    """

    pipeline: Pipeline
    secrets: dict[int, dict[str, Any]] = field(default_factory=dict)
    allow: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)


def plan_pipeline(
    name: str,
    overrides: Sequence[str],
    *,
    config_dir: str | None = None,
    config_name: str = "train",
    allow: Sequence[str] = (),
    begins: bool = False,
) -> Planned:
    """Composes every stage, checks it and builds its parts as far as can be; writes nothing.

    Args:
        name: of a YAML in the folder ``pipeline`` of the packaged groups, or of the user's own.
        overrides: a word of one stage begins with its name and a dot; others are for all with such a key.
        config_dir, config_name, allow: as of ``ganvas.cli.train.train``.
        begins: whether it is about to be run: then data are read, too.

    Raises:
        OptionError: ``NAME``, a key of a stage (under the stage's name), or a key that no stage has.
    """
    stages = read_definition(_file(name, config_dir))
    planned = Planned(Pipeline(Path(), {}, stages))
    routes, made = _frozen(
        planned, stages, overrides, config_dir=config_dir, config_name=config_name, allow=allow
    )
    first = next(made[stage.index] for stage in stages if stage.trains)
    planned.pipeline.folder = _folder(name, routes, first, overrides)
    planned.pipeline.about = new_about(name, overrides, config_name, provenance(first))

    @contextmanager
    def naming(stage: Stage) -> Iterator[None]:
        with routes.named(stage):
            try:
                yield
            except OptionError as error:
                raise made[stage.index].named_as_written(error) from error

    rehearse(stages, naming, begins=begins)
    return planned


def change_pipeline(
    planned: Planned,
    overrides: Sequence[str],
    *,
    config_dir: str | None,
    allow: Sequence[str],
    allows_places: bool,
) -> None:
    """Composes anew the stages that have not begun, with more overrides; writes nothing.

    What their words in pipeline.json say of code and of this machine counts for nothing.

    Args:
        planned: a pipeline that is gone on with; changed.
        overrides, config_dir, allow: as of :func:`plan_pipeline`.
        allows_places: whether the words in pipeline.json are the user's own.

    Raises:
        OptionError: a word of a stage that has begun, or what :func:`plan_pipeline` raises.
    """
    pipeline = planned.pipeline
    left = [stage for stage in pipeline.stages if not (pipeline.run(stage).path / "run.yaml").exists()]
    for word in overrides:
        key, _, value = word.partition("=")
        for stage in pipeline.stages:
            if key.lstrip("+~").startswith(f"{stage.name}.") and stage not in left:
                own = f"ganvas resume {pipeline.run(stage).path} {key.partition('.')[2]}={value}"
                raise OptionError(key, value, f"{stage.name} has begun; {own} goes on with its run alone")
    for stage in left:
        stage.words = [word for word in stage.words if key_of(word) != "allow_imports"]
        for word in stage.words if stage.trains else ():
            key, _, value = word.partition("=")
            foreign = REDACTED in word or key_of(word).startswith("hydra") or "${" in word
            reason = f"is a word of {stage.name} that no file may say again; begin another pipeline"
            require(allows_places or not foreign, key, value, reason)
    name = str(pipeline.about.get("config_name", "train"))
    routes, _ = _frozen(planned, left, overrides, config_dir=config_dir, config_name=name, allow=allow)
    for key, value in routes.own.items():
        raise OptionError(key, value, "is about a new pipeline; move the folder of this one")


def _frozen(
    planned: Planned,
    stages: Sequence[Stage],
    overrides: Sequence[str],
    *,
    config_dir: str | None,
    config_name: str,
    allow: Sequence[str],
) -> tuple[Routes, dict[int, Composed]]:
    """Gives some stages of a pipeline their configs, checks all, and notes what else the plan says."""
    with hydra_session(config_dir) as hydra:
        routes = Routes(Composer(hydra, config_name), planned.pipeline.stages, stages, overrides)
        made = routes.compose()
    for stage in stages:
        if not stage.trains:
            continue
        composed = made[stage.index]
        with routes.named(stage):
            try:
                check_experiment(composed, config_dir=config_dir, config_name=config_name, allow=allow)
                resumed = composed.config.get("resume")
                require(resumed is None, "resume", resumed, "is no part of a pipeline: its stages train anew")
            except OptionError as error:
                raise composed.named_as_written(error) from error
        stage.words = [*stage.words, *routes.words_of(stage)]
        stage.config, stage.choices, stage.origins = composed.config, composed.choices, composed.origins
        planned.allow += [one for one in composed.config["allow_imports"] if one not in planned.allow]
        if secrets := hidden_values(composed.config):
            planned.secrets[stage.index] = secrets
    check_commands(planned.pipeline.stages)
    planned.later = list(_check_runs(planned.pipeline.stages))
    return routes, made


def _file(name: str, config_dir: str | None) -> Path:
    if config_dir is not None:
        check_config_dir(config_dir)
    there = pipelines(config_dir)
    reason = f"there is no such pipeline{near(name, there)}"
    require(name in there, "NAME", name, reason)
    path = file_of(PIPELINES, name, config_dir)
    assert path is not None
    return path


def _check_runs(stages: Sequence[Stage]) -> list[str]:
    """Holds what a stage needs of an earlier run against that one's recipe; what is left to be looked at.

    Raises:
        OptionError: the recipe cannot do what is needed.
    """
    by_place = {place(stage.name): stage for stage in stages if stage.trains}
    later = []
    for stage in stages:
        for option, need in NEEDED.items() if stage.trains else ():
            section, _, key = option.partition(".")
            earlier = by_place.get(str(stage.config[section].get(key)))
            if earlier is None:
                continue
            able = abilities_by_parts(earlier.config["model"])
            fits = able is None or not need.abilities or not able.isdisjoint(need.abilities)
            require(fits, f"{stage.name}.{option}", f"{{{earlier.name}}}", need.reason)
        if stage.trains and stage.rests_on():
            runs = " and ".join(stage.rests_on())
            later.append(f"{stage.name}: what rests on the trained run of {runs} is told once that is there")
    return later


def _folder(name: str, routes: Routes, first: Composed, overrides: Sequence[str]) -> Path:
    """outputs/<name>/<date in UTC>_pipeline-<hash>, or ``paths.run_dir`` where the user gives it."""
    given = routes.own.get("paths.run_dir")
    if given is not None:
        folder = expanded(given, "paths.run_dir")
        check_writable(folder, "paths.run_dir")
        how = "go on with ganvas resume, or name another" if is_pipeline(folder) else "name a new folder"
        there = [path for path in folder.iterdir() if path.name != LOCK] if folder.is_dir() else []
        free = not there and (folder.is_dir() or not folder.exists())
        require(free, "paths.run_dir", given, f"is there already; {how}")
        return folder
    called = routes.own.get("name", name)
    check_name(called)
    digest = hashlib.sha256(f"{list(overrides)}{time.time_ns()}".encode()).hexdigest()[:6]
    folder = Path(first.config["paths"]["output_dir"], called, f"{folder_stamp()}_pipeline-{digest}")
    check_writable(folder, "paths.output_dir")
    return folder


def command_words(stage: Stage, pipeline: Pipeline) -> list[str]:
    """What a user would write behind ``ganvas`` to run the stage alone."""
    if not stage.trains:
        return pipeline.words_of(stage)
    places = pipeline.places()
    own = f"paths.run_dir={places[stage.name]}"
    return ["train", *(filled(word, places) for word in stage.words), own]
