"""``ganvas train``: compose, check, train; with -m, a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import Parser, add_own_code, add_places, modules_and_overrides, own_code
from ganvas.cli.compose.describe import groups
from ganvas.cli.compose.folders import user_modules
from ganvas.cli.report import announce, report
from ganvas.errors import OptionError, require
from ganvas.files.text import say, say_page

if TYPE_CHECKING:
    from ganvas.cli.compose.experiment import Composed
    from ganvas.run.outcome import Outcome

_HELP = """usage: ganvas train [overrides] [-m] [--config-dir DIR] [--config-name NAME]
                    [--allow-imports MODULE ...] [--cfg job] [--debug]

Overrides choose options (group=option) and set keys (path.to.key=value):
{groups}

often used: seed, name, resume=RUN, data.batch_size, data.root, data.image_size, data.num_workers,
  trainer.max_examples, trainer.val_every_examples, accelerator.devices, accelerator.precision,
  model.optimizer.lr (VQ-VAE), model.generator_optimizer.lr, model.discriminator_optimizer.lr (GAN),
  callback.checkpoint.every_examples, paths.output_dir
-m, --multirun     every combination of the values a,b,c given to any key or group, one job each
--config-dir DIR   your own groups, beside the packaged ones; Python files there can be imported
--config-name NAME the config that the groups are put into, of yours (train)
--allow-imports MODULE ...   installed modules of your own that a _target_ may name
--allow-places     with resume=RUN: it is your own, and may name folders to be written and addresses
--cfg job          print the composed config and stop (--resolve with values put in)
--info             what Hydra knows (searchpath, defaults-tree ...)
--debug            show tracebacks
--help OVERRIDES   keys, defaults and what they mean, e.g. --help model=dcgan; of a group: ganvas options
"""

_FIND_RUN = ("resume=", "paths.output_dir=", "allow_imports=")  # what says which run is resumed, and by whom


def run(argv: Sequence[str]) -> int:
    """Trains once, sweeps, or prints; returns the exit code."""
    if any(word in ("-h", "--help") for word in argv):
        return _help(argv)
    arguments, rest = train_parser().parse_known_args(list(argv))
    allow, more = modules_and_overrides(arguments.allow_imports)
    rest += more
    code: dict[str, Any] = {"config_dir": arguments.config_dir, "config_name": arguments.config_name}
    code["allow"] = allow
    require(
        not arguments.allow_places
        or (any(word.startswith("resume=") for word in rest) and not arguments.multirun),
        "--allow-places",
        "",
        "is about a RUN that is gone on with; add resume=RUN, or leave it out",
    )
    if any(word.startswith("-") for word in rest):
        from ganvas.cli.compose.hydra_command import hydra_command

        words = [] if arguments.config_dir is None else ["--config-dir", arguments.config_dir]
        words += ["--config-name", arguments.config_name] if arguments.config_name != "train" else []
        return hydra_command([*words, *(["--multirun"] if arguments.multirun else []), *rest])
    if arguments.multirun:
        from ganvas.cli.sweep.run import sweep
        from ganvas.run.distributed.rank_info import find_rank

        started = find_rank().launcher
        require(
            started is None,
            "--multirun",
            started,
            "every rank would run the whole sweep; leave the "
            "launcher out: a sweep's jobs start their own ranks",
        )
        return sweep(rest, **code)
    return train(rest, **code, allows_places=arguments.allow_places)


def train_parser() -> Parser:
    """The arguments beside overrides; what else begins with a dash is Hydra's."""
    parser = Parser(prog="ganvas train", add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--config-name", "-cn", default="train")
    add_own_code(parser)
    add_places(parser)
    return parser


def train(
    overrides: Sequence[str],
    *,
    config_dir: str | None = None,
    config_name: str = "train",
    allow: Sequence[str] = (),
    allows_places: bool = False,
) -> int:
    """Composes and trains one experiment.

    Args:
        overrides: ``key=value`` and ``group=option``.
        config_dir: the user's own groups and parts.
        config_name: the config that they are put into.
        allow: the user's own modules that the config may name, beside those of its ``allow_imports``.
        allows_places: whether a run that is resumed may name folders to be written and addresses.
    """
    from ganvas.cli.compose.experiment import compose

    # Of a resumed run the other overrides are about its own config, which may have another model's keys.
    finding = [word for word in overrides if word.startswith(_FIND_RUN)]
    is_resumed = any(word.startswith("resume=") and word != "resume=null" for word in finding)
    composed = compose(finding if is_resumed else overrides, config_dir=config_dir, config_name=config_name)
    config = composed.config
    allow = [*composed.allow_imports, *allow]
    own = own_code(config_dir, allow)
    if config.get("resume"):
        from ganvas.cli.resume import resume
        from ganvas.run.folder.usable import NEEDS, find_usable

        others = [override for override in overrides if override not in finding]
        try:
            need = NEEDS["resume with overrides" if others else "resume"]
            folder = find_usable(str(config["resume"]), Path(config["paths"]["output_dir"]), need)
        except OptionError as error:
            raise OptionError("resume", error.value, error.reason) from error
        folder = replace(folder, allows_places=allows_places)
        return resume(folder, others, [*allow, *user_modules(config_dir)], own=own)
    outcome = train_composed(composed, config_dir=config_dir, config_name=config_name, allow=allow)
    return report(outcome, own)


def train_composed(
    composed: Composed,
    *,
    config_dir: str | None = None,
    config_name: str = "train",
    allow: Sequence[str] = (),
    command: str | None = None,
    quiet: bool = False,
) -> Outcome:
    """Trains a composed experiment in a new folder.

    Args:
        composed, config_dir, config_name, allow: as of ``check_experiment`` in refuse_unread.py.
        command: what run.yaml calls the command; None: this process's command line.
        quiet: whether nothing is said of what is about to be trained.
    """
    from ganvas.cli.compose.experiment import provenance
    from ganvas.cli.compose.refuse_unread import check_experiment

    try:
        check_experiment(composed, config_dir=config_dir, config_name=config_name, allow=allow)
        if not quiet:
            announce(composed.config, composed.choices)
        from ganvas.run.start import train as live

        return live({"ganvas": provenance(composed, command), "config": composed.config}, quiet=quiet)
    except OptionError as error:
        raise composed.named_as_written(error) from error


def _help(argv: Sequence[str]) -> int:
    """The groups and their options, read off the folders without Hydra; with overrides, the keys of these."""
    parser = Parser(prog="ganvas train", add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--config-name", "-cn", default="train")
    arguments, rest = parser.parse_known_args(list(argv))
    overrides = [word for word in rest if not word.startswith("-")]
    if overrides:
        from ganvas.cli.options import print_experiment

        say("usage: ganvas train [overrides]; below each key with its value, as these overrides compose it")
        print_experiment(overrides, config_dir=arguments.config_dir, config_name=arguments.config_name)
        return 0
    there = groups(arguments.config_dir)
    shown = {group: ", ".join(options) for group, options in there.items() if not group.startswith("hydra")}
    rows = [f"  {group:28} {options}" for group, options in shown.items()]
    say_page(_HELP.format(groups="\n".join(rows)))
    return 0
