"""``ganvas job PIPELINE INDEX``: one attempt at a stage that trains, in a process of its own."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from ganvas.cli.sweep.attempt import Frozen, attempt, lock_of
from ganvas.errors import require
from ganvas.functional.instant import timestamp
from ganvas.pipeline.manifest import Pipeline
from ganvas.run.distributed.rank_info import find_rank


def attempt_stage(arguments: argparse.Namespace) -> int:
    """Trains the stage's frozen config, or goes on with its run; as one job of a sweep does.

    Args:
        arguments: of ``ganvas job``.

    Raises:
        OptionError: ``INDEX``: there is no such stage, or it trains nothing.
    """
    pipeline = Pipeline.read(Path(arguments.sweep))
    trains = [stage.index for stage in pipeline.stages if stage.trains]
    reason = f"the pipeline trains in its stages {', '.join(map(str, trains))} (from 0)"
    require(arguments.index in trains, "INDEX", arguments.index, reason)
    stage = pipeline.stages[arguments.index]
    about = {key: value for key, value in pipeline.about.items() if key not in ("overrides", "pipeline")}
    where = {"pipeline": str(pipeline.folder), "name": pipeline.about.get("pipeline"), "stage": stage.name}
    frozen = Frozen(
        config=pipeline.config_of(stage),
        run_dir=pipeline.run(stage).path,
        provenance={
            **about,
            "overrides": stage.words,
            "choices": stage.choices,
            "pipeline": where,
            "created": timestamp(),
        },
        overrides=stage.words,
        origins=stage.origins,
    )
    with lock_of(pipeline.folder, f".{stage.folder}.lock") if find_rank().is_first else nullcontext():
        return attempt(frozen, arguments, says_how=False)
