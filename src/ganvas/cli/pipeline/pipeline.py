"""``ganvas pipeline NAME [overrides]``: several stages by one command, e.g. a tokenizer, a prior, samples.

An override that begins with a stage's name goes to that stage (prior.trainer.max_examples=1000), any other
one to every stage that has its key (seed=2). A pipeline that was stopped goes on by ganvas resume FOLDER.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser, add_own_code, add_places, modules_and_overrides
from ganvas.cli.compose.describe import PIPELINES, file_of, headline, pipelines
from ganvas.errors import require


def run(argv: Sequence[str]) -> int:
    """Runs a pipeline, or goes on with one; returns the exit code of the stage that it ends with."""
    parser = Parser(
        prog="ganvas pipeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="pipelines:\n" + "\n".join(_listed()),
    )
    parser.add_argument("pipeline", metavar="NAME", nargs="?", help="of a pipeline, see below")
    parser.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="as in ganvas train, or STAGE.OVERRIDE"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the stages' commands; write nothing")
    parser.add_argument("--resume", metavar="FOLDER", help="go on with this one, or with the latest")
    parser.add_argument("--output-dir", default="outputs", help="where --resume looks for it (./outputs)")
    parser.add_argument("--config-name", "-cn", default="train", help="of the primary config")
    add_own_code(parser)
    add_places(parser)
    arguments = parser.parse_args(list(argv))
    arguments.allow_imports, more = modules_and_overrides(arguments.allow_imports)
    words = [*arguments.overrides, *more]
    if arguments.resume is not None:
        return _resume(words, arguments)
    there = ", ".join(pipelines(arguments.config_dir))
    require(arguments.pipeline is not None, "NAME", "", f"name a pipeline; there are: {there}")
    reason = "is about a pipeline that is gone on with; add --resume FOLDER, or leave it out"
    require(not arguments.allow_places, "--allow-places", "", reason)
    from ganvas.cli.pipeline.plan import plan_pipeline
    from ganvas.cli.pipeline.run import begin, check_alone, print_plan

    check_alone()
    planned = plan_pipeline(
        arguments.pipeline,
        words,
        config_dir=arguments.config_dir,
        config_name=arguments.config_name,
        allow=arguments.allow_imports,
        begins=not arguments.dry_run,
    )
    if arguments.dry_run:
        print_plan(planned)
        return 0
    return begin(planned, arguments)


def _resume(words: Sequence[str], arguments: argparse.Namespace) -> int:
    from ganvas.cli.pipeline.run import go_on
    from ganvas.pipeline.find import find_pipeline

    require(not arguments.dry_run, "--dry-run", "", "is about a pipeline that is begun; leave it out")
    named = [*([arguments.pipeline] if arguments.pipeline is not None else []), *words]
    return go_on(find_pipeline(arguments.resume, Path(arguments.output_dir)), named, arguments)


def _listed() -> list[str]:
    """Name and purpose of each packaged pipeline, a line each."""
    found = [(name, file_of(PIPELINES, name)) for name in pipelines()]
    about = {name: headline(path).partition(" Source: ")[0] for name, path in found if path is not None}
    return [f"  {name:28} {text}".rstrip() for name, text in about.items()]
