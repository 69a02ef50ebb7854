"""``ganvas sweep``: plan, run, look at and go on with many runs.

  plan WORDS...            what ganvas train -m WORDS would run, and about how long; writes nothing
  run WORDS...             the same as ganvas train -m WORDS
  status [SWEEP]           how every job stands
  resume [SWEEP] [WORDS]   what waits, was interrupted or killed; WORDS: hydra.launcher.n_jobs=2 ...
  retry [SWEEP] [JOB...]   as resume, and what failed or was refused
  best [SWEEP]             the ranking by optimized_metric; --save conf/experiment/best.yaml
  ls                       the sweeps under --output-dir
SWEEP is a folder, the unique beginning of its name, or latest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import Parser, add_own_code, add_places, modules_and_overrides, whole_number
from ganvas.errors import OptionError, require
from ganvas.files.text import say, say_json, say_page
from ganvas.sweep.find import all_sweeps, find_sweep
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.summary import counts, ranking, results, rows

VERBS = ("plan", "run", "status", "resume", "retry", "best", "ls")


def run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        say_page(f"usage: ganvas sweep COMMAND ...\n\n{__doc__}")
        return 0
    command, rest = argv[0], list(argv[1:])
    if command not in VERBS:
        raise OptionError("ganvas sweep", command, f"there is no such command; there are: {', '.join(VERBS)}")
    parser = _parser(command)
    if command in ("plan", "run"):
        arguments, others = parser.parse_known_args(rest)
        others += more_overrides(arguments)
        flags = [word for word in others if word.startswith("-")]
        require(
            not flags, "ganvas sweep", " ".join(flags), f"is not understood; ganvas sweep {command} --help"
        )
        return _run(others, arguments) if command == "run" else _plan(others, arguments)
    arguments = parser.parse_args(rest)
    if command in ("resume", "retry"):
        arguments.overrides += more_overrides(arguments)
    return int(globals()[f"_{command}"](arguments) or 0)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"ganvas sweep {command}", description=_line_of(command))
    if command not in ("plan", "run", "ls"):
        parser.add_argument("sweep", metavar="SWEEP", nargs="?", default="latest")
    if command not in ("plan", "run"):
        parser.add_argument("--output-dir", default="outputs", help="where sweeps are looked for (./outputs)")
    if command in ("plan", "run", "resume", "retry", "best"):
        add_own_code(parser)
    if command in ("resume", "retry", "best"):
        add_places(parser)
    if command == "best":
        parser.add_argument("--save", metavar="FILE", help="write the best as an experiment of your own")
    if command in ("plan", "run"):
        parser.add_argument("--config-name", "-cn", default="train")
    if command in ("resume", "retry"):
        parser.add_argument(
            "overrides", nargs="*", help="numbers of jobs, hydra.launcher.KEY=VALUE, hidden secrets"
        )
    if command in ("plan", "status", "best", "ls"):
        parser.add_argument("--json", action="store_true")
    return parser


def more_overrides(arguments: argparse.Namespace) -> list[str]:
    """The overrides that stand behind ``--allow-imports``, which keeps the modules."""
    arguments.allow_imports, overrides = modules_and_overrides(arguments.allow_imports)
    return overrides


def _line_of(command: str) -> str:
    lines = (line.strip() for line in (__doc__ or "").splitlines())
    return next(line for line in lines if line.startswith(command))


def _run(argv: Sequence[str], arguments: argparse.Namespace) -> int:
    from ganvas.cli.sweep.run import sweep

    return sweep(
        argv,
        config_dir=arguments.config_dir,
        config_name=arguments.config_name,
        allow=arguments.allow_imports,
    )


def _plan(argv: Sequence[str], arguments: argparse.Namespace) -> int:
    from ganvas.cli.sweep.print_plan import print_plan

    return print_plan(
        argv, config_dir=arguments.config_dir, config_name=arguments.config_name, as_json=arguments.json
    )


def _status(arguments: argparse.Namespace) -> None:
    from ganvas.cli.sweep.show import best_lines, broken_lines, print_jobs, say_counts

    sweep = _named(arguments)
    found = results(sweep)
    if arguments.json:
        jobs = [asdict(job) | asdict(result) for job, result in found]
        say_json({"folder": str(sweep.folder), "counts": counts(found), "jobs": jobs}, indent=1)
        return
    print_jobs(rows(sweep, found))
    for line in [*broken_lines(found), *best_lines(sweep, found)]:
        say(line)
    say(f"{say_counts(found)}; folder {sweep.folder}")


def _resume(arguments: argparse.Namespace, *, failed: bool = False) -> int:
    from ganvas.cli.sweep.run import resume

    words = [word for word in arguments.overrides if word.isdigit()]
    numbers = [whole_number(word, "JOB") for word in words]
    argv = [word for word in arguments.overrides if not word.isdigit()]
    if "=" in arguments.sweep:  # no SWEEP was given, only overrides
        argv, arguments.sweep = [arguments.sweep, *argv], "latest"
    folder = find_sweep(arguments.sweep, Path(arguments.output_dir))
    return resume(
        folder,
        argv,
        config_dir=arguments.config_dir,
        allow=arguments.allow_imports,
        allows_places=arguments.allow_places,
        failed=failed,
        only=numbers,
    )


def _retry(arguments: argparse.Namespace) -> int:
    return _resume(arguments, failed=True)


def _best(arguments: argparse.Namespace) -> None:
    sweep = _named(arguments)
    from ganvas.cli.sweep.search.search import KEY  # and Hydra

    if KEY in sweep.about:
        from ganvas.cli.sweep.search.best import best_of_search

        best_of_search(
            sweep,
            as_json=arguments.json,
            save=arguments.save,
            config_dir=arguments.config_dir,
            allows_places=arguments.allow_places,
        )
        return
    from ganvas.cli.sweep.show import broken_lines

    found = results(sweep)
    for line in broken_lines(found):
        say(line, error=True)
    ranked = ranking(found)
    reason = (
        "has no job with a value to be ranked by; begin it with optimized_metric=evaluation/fid or the like"
    )
    require(bool(ranked), "SWEEP", sweep.folder, reason)
    if arguments.json:
        say_json(ranked, indent=1)
        return
    for place, one in enumerate(ranked[:10], start=1):
        jobs, differs = ", ".join(map(str, one["jobs"])), " ".join(one["differs"]) or "no override"
        say(f"{place:3}. {one['metric']} {one['value']:.6g}  {differs}  (job {jobs})")
    if arguments.save is not None:
        from ganvas.cli.sweep.best_experiment import save_experiment

        best = ranked[0]
        values = f", the mean of {len(best['values'])} seeds" if len(best["values"]) > 1 else ""
        said = f"{best['metric']} {best['value']:.6g}{values}"
        job = sweep.jobs[best["jobs"][0]]
        command = save_experiment(
            Path(arguments.save),
            sweep,
            job,
            result=said,
            config_dir=arguments.config_dir,
            allows_places=arguments.allow_places,
        )
        say(f"{arguments.save}: {command}")


def _ls(arguments: argparse.Namespace) -> None:
    from ganvas.cli.sweep.show import say_counts

    listed: list[dict[str, Any]] = []
    for folder in all_sweeps(Path(arguments.output_dir)):
        try:
            found = results(Manifest.read(folder))
            told: dict[str, Any] = {"counts": counts(found), "says": say_counts(found)}
        except OptionError as error:
            told = {"counts": {}, "says": f"broken: {error.reason}"}
        listed.append({"sweep": folder.name, "folder": str(folder), **told})
    if arguments.json:
        say_json(listed, indent=1)
        return
    for one in listed:
        say(f"{one['sweep']}  {one['says']}")
    if not listed:
        say(f"there is no sweep under {arguments.output_dir}; ganvas train -m makes one")


def _named(arguments: argparse.Namespace) -> Manifest:
    return Manifest.read(find_sweep(arguments.sweep, Path(arguments.output_dir)))
