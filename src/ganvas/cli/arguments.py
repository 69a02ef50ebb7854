"""What the commands that read a RUN share: their options, and the run that they name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.run.folder.run_folder import RunFolder, find_run


class Parser(argparse.ArgumentParser):
    """argparse with the project's contract: one line, exit code 2."""

    def error(self, message: str) -> Any:
        raise OptionError(self.prog, "", f"{message}; {self.prog} --help says more")


def run_parser(command: str, description: str | None) -> Parser:
    """A parser with RUN and the options that every such command takes."""
    parser = Parser(prog=f"ganvas {command}", description=description)
    parser.add_argument(
        "run", metavar="RUN", help="a run's folder, the unique beginning of its name, or latest"
    )
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--config-dir", "-cd", help="where your own parts lie")
    parser.add_argument(
        "--allow-imports", nargs="*", default=[], help="your own modules that the run may name"
    )
    return parser


def named_run(arguments: argparse.Namespace) -> tuple[RunFolder, list[str]]:
    """The run, and the modules that the user allows on this command line."""
    from ganvas.cli.train import user_modules

    folder = find_run(arguments.run, Path(arguments.output_dir))
    if arguments.config_dir is not None:
        from ganvas.cli.compose import make_importable

        there, reason = (
            Path(arguments.config_dir).is_dir(),
            "there is no such folder; name that of your parts",
        )
        require(there, "--config-dir", arguments.config_dir, reason)
        make_importable(Path(arguments.config_dir).resolve())
    return folder, [*arguments.allow_imports, *user_modules(arguments.config_dir)]


def check_split(data: Any, split: str, num: int, needed: int = 1) -> int:
    """Reads the data; how many samples the split holds.

    Raises:
        OptionError: ``data.`` and a key of the run's where the data are not there (any more); ``--split``
            where it holds less than ``needed``, ``--num`` where less are asked for.
    """
    try:
        there = int(data.num_samples(split))
    except OptionError as error:
        raise error.under("data") from error
    held = "nothing" if there == 0 else f"{there} of the {needed} samples that metrics need"
    require(there >= needed, "--split", split, f"holds {held}; choose another split")
    require(
        num >= needed, "--num", num, f"must be at least {needed}; leave the option out for the usual number"
    )
    return there


def check_num(num: int, option: str = "--num") -> None:
    require(num >= 1, option, num, "must be at least 1; leave the option out for the usual number")


def check_out(out: Path, suffixes: tuple[str, ...] = (".png", ".npz"), option: str = "--out") -> None:
    """Raises OptionError unless the file can be written and its ending is known."""
    from ganvas.run.folder.run_folder import check_writable

    require(out.suffix in suffixes, option, out, f"must end in {' or '.join(suffixes)}")
    require(not out.is_dir(), option, out, "is a folder; name a file")
    check_writable(out.parent if str(out.parent) else Path(), option)


def as_array(x: Any) -> Any:
    """Samples [N, C, H, W] in [-1, 1] as uint8 [N, H, W, C]; points stay float32 [N, 2]."""
    from ganvas.functional.images import to_uint8

    return to_uint8(x).permute(0, 2, 3, 1).cpu().numpy() if x.dim() == 4 else x.cpu().numpy()
