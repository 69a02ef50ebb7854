"""``ganvas train``: compose, check, train; with -m, a sweep."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ganvas.cli.arguments import Parser
from ganvas.errors import OptionError, require

_HELP = """usage: ganvas train [overrides] [-m] [--config-dir DIR] [--cfg job] [--debug]

Overrides choose options (group=option) and set keys (path.to.key=value):
{groups}

often used: seed, name, resume=RUN, data.batch_size, data.root, data.image_size, data.num_workers,
  trainer.max_examples, trainer.val_every_examples, accelerator.devices, accelerator.precision,
  model.optimizer.lr (VQ-VAE), model.generator_optimizer.lr, model.discriminator_optimizer.lr (GAN),
  callback.checkpoint.every_examples, paths.output_dir
-m, --multirun     every combination of the values a,b,c given to any key or group, one job each
--config-dir DIR   your own groups, beside the packaged ones; Python files there can be imported
--cfg job          print the composed config and stop (--resolve with values put in)
--info             what Hydra knows (searchpath, defaults-tree ...)
--debug            show tracebacks
"""


def run(argv: Sequence[str]) -> int:
    """Trains once, sweeps, or prints; returns the exit code."""
    if any(word in ("-h", "--help") for word in argv):
        print(_HELP.format(groups=_groups()), end="")
        return 0
    parser = Parser(prog="ganvas train", add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--config-name", "-cn", default="train")
    arguments, rest = parser.parse_known_args(list(argv))
    if any(word.startswith("-") for word in rest):
        return _hydra(argv)
    if arguments.multirun:
        from ganvas.cli.sweep_run import sweep
        from ganvas.run.distributed.rank_info import find_rank

        started = find_rank().launcher
        require(
            started is None, "--multirun", started, "every rank would run the whole sweep; leave the "
            "launcher out: a sweep's jobs start their own ranks",
        )  # fmt: skip
        return sweep(rest, config_dir=arguments.config_dir, config_name=arguments.config_name)
    return train(rest, config_dir=arguments.config_dir, config_name=arguments.config_name)


def train(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "train") -> int:
    """Composes and trains one experiment."""
    from ganvas.cli.compose import compose, provenance

    composed = compose(overrides, config_dir=config_dir, config_name=config_name)
    config = composed.config
    repeats = (config.get("sweep") or {}).get("repeats", 1)
    require(repeats == 1, "sweep.repeats", repeats, "repeats the jobs of a sweep; add -m")
    if config.get("resume"):
        from ganvas.cli.resume import resume
        from ganvas.run.folder.run_folder import find_run

        others = [override for override in overrides if not override.startswith("resume=")]
        try:
            folder = find_run(str(config["resume"]), Path(config["paths"]["output_dir"]))
        except OptionError as error:
            raise OptionError("resume", error.value, error.reason) from error
        return resume(folder, others, [*(config.get("allow_imports") or []), *user_modules(config_dir)])
    from ganvas.run.config.build import (
        check_targets,  # before torch: a hostile or misspelt target costs nothing
    )

    config["allow_imports"] = [*(config.get("allow_imports") or []), *user_modules(config_dir)]
    try:
        check_targets(config, config["allow_imports"])
        from ganvas.run.start import train as live

        return report(live({"ganvas": provenance(composed), "config": config}))
    except OptionError as error:
        raise composed.named_as_written(error) from error


def report(outcome: Any) -> int:
    """Says where everything lies, and how to go on."""
    from ganvas.run.distributed.rank_info import find_rank

    folder = outcome.folder.path
    if outcome.is_quiet or not find_rank().is_first:
        return int(outcome.exit_code)
    for note in outcome.notes:
        print(note, file=sys.stderr if outcome.exit_code else sys.stdout)
    print(f"{outcome.state}: {folder}")
    for name, value in sorted(outcome.metrics.items()):
        print(f"  {name:24} {value:.4f}")
    if outcome.state == "interrupted":
        print(f"go on with: ganvas resume {folder}")
    else:
        print(f"images: {folder / 'samples'}   metrics: {folder / 'metrics.jsonl'}")
        print(f"watch:    tensorboard --logdir {folder.parent}")
    return int(outcome.exit_code)


def user_modules(config_dir: str | None) -> list[str]:
    """Names that ``--config-dir`` makes importable; users' own conf/ needs no leave.

    A file that is called as a module of Python's or of ours is not what an import of that name finds.
    """
    if config_dir is None:
        return []
    folder = Path(config_dir)
    beside = [path.stem for path in folder.resolve().parent.glob("*.py")]
    packages = [path.parent.name for path in folder.resolve().parent.glob("*/__init__.py")]
    inside = [path.stem for path in folder.rglob("*.py")]
    dotted = [".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")]
    taken = {*sys.stdlib_module_names, "ganvas", "torch", "pytorch_lightning"}
    return sorted(name for name in {*beside, *packages, *inside, *dotted} if name not in taken)


def _hydra(argv: Sequence[str]) -> int:
    """What Hydra itself answers: --cfg, --info, --hydra-help, -sc (tab completion)."""
    import hydra

    from ganvas.cli.compose import make_importable, packaged_conf, register_resolvers

    _check_flags(argv)
    _check_composes(argv)
    register_resolvers()
    line = os.environ.get("COMP_LINE")
    if line is not None and "query=bash" in argv:
        from ganvas.cli.completion import line_for_hydra, matching_commands
        from ganvas.cli.main import COMMANDS

        for_hydra = line_for_hydra(line)
        if for_hydra is None:
            print(" ".join(matching_commands(line, list(COMMANDS))))
            return 0
        os.environ["COMP_LINE"] = for_hydra
    if "--config-dir" in argv:
        make_importable(Path(argv[list(argv).index("--config-dir") + 1]).resolve())
    sys.argv = ["ganvas", *argv]

    def nothing(_config: Any) -> None:
        raise OptionError(" ".join(argv), "", "is not understood; ganvas train --help lists what is")

    hydra.main(version_base="1.3", config_path=str(packaged_conf()), config_name="train")(nothing)()
    return 0


def _check_composes(argv: Sequence[str]) -> None:
    """Raises OptionError where what is to be printed does not compose: Hydra would end with its own words."""
    from hydra._internal.utils import get_args_parser
    from hydra.types import RunMode

    from ganvas.cli.compose import compose, hydra_session
    from ganvas.cli.explain import composition_errors

    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise OptionError("ganvas train", " ".join(argv), f"{message}; ganvas train --help says more")

    parser.error = refuse  # type: ignore[method-assign]  # an option of ours, one line
    arguments = parser.parse_args([word for word in argv if word != "--debug"])
    if not (arguments.cfg or arguments.info):
        return
    if arguments.multirun:
        raise OptionError("--multirun", "", "has no one config to print; leave out -m, or what prints")
    name, overrides = arguments.config_name or "train", arguments.overrides
    with hydra_session(arguments.config_dir) as hydra, composition_errors(hydra, overrides):
        hydra.compose_config(name, overrides, run_mode=RunMode.RUN, with_log_configuration=False)
    if arguments.resolve:
        compose(overrides, config_dir=arguments.config_dir, config_name=name)


def _check_flags(argv: Sequence[str]) -> None:
    """Raises OptionError at a flag that neither ganvas nor Hydra has, where Hydra would print its usage."""
    from hydra._internal.utils import get_args_parser

    known = {flag for action in get_args_parser()._actions for flag in action.option_strings} | {"--debug"}
    for word in argv:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in known:
            near = difflib.get_close_matches(flag, sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else "ganvas train --help lists what is"
            raise OptionError(flag, word.partition("=")[2], f"there is no such flag; {hint}")


def _groups() -> str:
    """The groups and their options, read off the folders: no import of Hydra."""
    from ganvas.cli.compose import packaged_conf

    conf = packaged_conf()
    lines = []
    for folder in sorted(path for path in conf.rglob("*") if path.is_dir()):
        name = folder.relative_to(conf).as_posix()
        options = sorted(path.stem for path in folder.glob("*.yaml"))
        if options and not name.startswith("hydra"):
            lines.append(f"  {name:28} {', '.join(options)}")
    return "\n".join(lines)
