"""What the commands that read a RUN share: their options, and the run that they name."""

from __future__ import annotations

import argparse
import difflib
import importlib
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganvas.cli.compose.folders import check_config_dir, make_importable, user_modules
from ganvas.errors import OptionError, OutputError, require
from ganvas.files.folders import expanded
from ganvas.files.text import one_line, say
from ganvas.files.write import is_free, parents
from ganvas.modality.drawing.files import IMAGES, check_format, check_size
from ganvas.run.config.places import ALLOW
from ganvas.run.folder.redact import scrub
from ganvas.run.folder.run_folder import RunFolder, check_name_fits, check_writable
from ganvas.run.folder.usable import ANY, NEEDS, find_usable


class ParserBuilt(Exception):
    """Raised in the place of parsing, inside of :func:`building_parsers`."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser
        super().__init__(parser.prog)


_WHOLE = re.compile(r"[-+]?[0-9]{1,19}")
_WHOLE_RULE = "must be a whole number below 2^63"
_building = False
_REMEDY = "name another, or make room"


@contextmanager
def building_parsers() -> Iterator[None]:
    """Inside, a command ends where it is about to parse its arguments: tab completion asks what they are."""
    global _building  # noqa: PLW0603 -- commands make their parsers themselves
    _building = True
    try:
        yield
    finally:
        _building = False


def parser_of(module: str, head: Sequence[str] = ()) -> Parser | None:
    """The parser that a command makes of its arguments, which it is asked for before it does anything.

    Args:
        module: of the command, from :func:`ganvas.cli.commands.module_of`.
        head: the command's verb, where it has some.
    """
    with building_parsers():
        try:
            importlib.import_module(module).run(list(head))
        except ParserBuilt as built:
            return built.parser
        except OptionError:
            return None
    return None


class Parser(argparse.ArgumentParser):
    """argparse with the project's contract: one line, exit code 2.

    Attributes:
        arguments: every flag and place, in their order.
    """

    def __init__(self, **options: Any) -> None:
        self.arguments: list[argparse.Action] = []
        super().__init__(**options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """As argparse's; a number is a whole one below 2^63, or a finite one."""
        if options.get("type") in (int, float):
            options["type"] = _NUMBERS[options["type"]]
        self.arguments.append(super().add_argument(*names, **options))
        return self.arguments[-1]

    def add_either(self, **flags: str) -> None:
        """Switches of which at most one may be given: name -> help."""
        group = self.add_mutually_exclusive_group()
        for name, text in flags.items():
            self.arguments.append(group.add_argument(f"--{name}", action="store_true", help=text))

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but that options may stand among the arguments: ``RUN --num 3 FILE``."""
        words = sys.argv[1:] if args is None else list(args)
        if "--" in words:  # what argparse parses intermixed loses it where all arguments stand behind it
            with suppress(OptionError):
                return super().parse_args(words, namespace)
        return self.parse_intermixed_args(words, namespace)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if _building:
            raise ParserBuilt(self)
        found, rest = super().parse_known_args(args, namespace)
        for action in self.arguments:  # a shell leaves the ~ of --out=~/x alone
            value = getattr(found, action.dest, None)
            if action.option_strings and isinstance(value, str | Path) and str(value).startswith("~"):
                setattr(found, action.dest, type(value)(expanded(value, action.option_strings[0])))
        return found, rest

    def error(self, message: str) -> Any:
        """Raises OptionError in the project's form."""
        found = re.match(r"unrecognized arguments: ([\w-]+)=(\S*)", message)
        flags = [flag for action in self.arguments for flag in action.option_strings]
        if found and f"--{found[1].replace('_', '-')}" in flags:
            key, value = found.groups()
            hint = f"is written as a flag here: --{key.replace('_', '-')} {value}"
            raise OptionError(key, value, f"{hint}; {self.prog} --help says more")
        key, value, reason = named(message, flags)
        reason = re.sub(r"(\S{40})\S{200,}", r"\1...", reason)
        raise OptionError(key or self.prog, value, f"{reason}; {self.prog} --help says more")


def named(message: str, flags: Sequence[str] = ()) -> tuple[str, str, str]:
    """What argparse says as the option, the value and the rule that it breaks; no option: of several."""
    if found := re.fullmatch(r"the following arguments are required: ([^,]+)(?:, (.*))?", message):
        return found[1], "", "is missing" + (f", and so are {found[2]}" if found[2] else "")
    if found := re.fullmatch(r"ambiguous option: ([^=\s]+)\S* could match (.*)", message):
        return found[1], "", f"may be any of {found[2]}"
    if found := re.match(r"unrecognized arguments: (-[^\s=]+|\S+)(?:[=\s]([^-\s]\S*))?", message):
        near = difflib.get_close_matches(found[1], flags, n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else ""
        if not found[1].startswith("-"):
            return found[1], "", "is one argument too many"
        return found[1], found[2] or "", f"there is no such flag{hint}"
    if found := re.match(r"argument ([^:]+): (.*)", message, re.DOTALL):
        key, reason = max(found[1].split("/"), key=len), found[2]
        if given := re.fullmatch(r"invalid choice: '(.*)' \(choose from (.*)\)", reason, re.DOTALL):
            return key, given[1], f"must be one of {given[2].replace(chr(39), '')}"
        if given := re.fullmatch(r"(.*), not '(.*)'", reason, re.DOTALL):
            return key, given[2], given[1]
        return key, "", reason
    return "", "", message


def whole_number(text: str, option: str) -> int:
    """The number that a word of the command line is.

    Raises:
        OptionError: ``option``: it is none, or not below 2^63.
    """
    require(_is_whole(text), option, text, _WHOLE_RULE)
    return int(text)


def _is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and abs(int(text)) < 2**63


def _whole(text: str) -> int:
    if not _is_whole(text):
        raise argparse.ArgumentTypeError(f"{_WHOLE_RULE}, not {text!r}")
    return int(text)


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, not {text!r}")
    return value


_NUMBERS: dict[Any, Any] = {int: _whole, float: _finite}


def run_parser(command: str, description: str | None) -> Parser:
    """A parser with RUN and the options that every such command takes."""
    parser = Parser(prog=f"ganvas {command}", description=description)
    add_run(parser, command)
    return parser


def add_run(parser: Parser, command: str, **more: Any) -> None:
    """RUN, and the options that every command takes which reads one.

    Args:
        more: of the argument RUN, as argparse takes it.
    """
    parser.add_argument(
        "run",
        metavar="RUN",
        help="a run's folder, the unique beginning of its name, latest (the newest that can be used) or "
        "latest:KIND (the newest of a model or data set)",
        **more,
    )
    parser.set_defaults(command=command)
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    add_own_code(parser)
    add_places(parser)


def add_own_code(parser: argparse.ArgumentParser) -> None:
    """The options by which a command line brings code of the user's own."""
    parser.add_argument("--config-dir", "-cd", help="your own groups and parts")
    parser.add_argument(
        "--allow-imports", nargs="*", default=[], metavar="MODULE", help="your own modules that may be named"
    )


def add_places(parser: argparse.ArgumentParser) -> None:
    """The option by which a command line takes a RUN or a SWEEP for its user's own."""
    parser.add_argument(
        ALLOW,
        action="store_true",
        help="it is your own: folders to be written and addresses that it names may lie anywhere",
    )


def modules_and_overrides(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands behind ``--allow-imports``: modules, and overrides that follow them."""
    return [word for word in words if "=" not in word], [word for word in words if "=" in word]


def own_code(config_dir: str | None, allow: Sequence[str]) -> list[str]:
    """The words that bring the same code of the user's own to another command."""
    words = [] if config_dir is None else ["--config-dir", config_dir]
    return [*words, "--allow-imports", *dict.fromkeys(allow)] if allow else words


def named_run(arguments: argparse.Namespace) -> tuple[RunFolder, list[str]]:
    """The run, and the modules that the user allows on this command line."""
    need = NEEDS.get(arguments.command, ANY)
    folder = find_usable(arguments.run, Path(arguments.output_dir), need)
    if arguments.config_dir is not None:
        make_importable(check_config_dir(arguments.config_dir))
    folder = replace(folder, allows_places=arguments.allow_places)
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


def check_num(num: int | None, option: str = "--num") -> None:
    """Raises OptionError unless the count is at least 1, or not given."""
    reason = "must be at least 1; leave the option out for the usual number"
    require(num is None or num >= 1, option, num, reason)


def check_out(out: Path, suffixes: Sequence[str] = (*IMAGES, ".npz"), option: str = "--out") -> None:
    """Raises OptionError unless the file's ending is known and nothing that can be seen is in its way."""
    check_name_fits(out, option)
    rule = f"must end in {', '.join(suffixes[:-1])}{' or ' if suffixes[1:] else ''}{suffixes[-1]}"
    require(out.suffix in suffixes, option, out, rule)
    check_format(out.suffix, option, out)
    require(not out.is_dir(), option, out, "is a folder; name a file")
    require(not out.exists() or out.is_file(), option, out, "is a pipe or a device; name a file")
    may = not out.exists() or os.access(out, os.W_OK)
    require(may, option, out, "is write-protected; name another file, or lift that")
    check_writable(out.parent if str(out.parent) else Path(), option)


def check_new_folder(out: Path, option: str = "--out") -> None:
    """Raises OptionError unless a new folder can be made there, or an empty one is there to be filled."""
    check_writable(out, option)
    there = "is not empty" if out.is_dir() else "is there already"
    require(is_free(out), option, out, f"{there}; name a new folder")


@contextmanager
def writing(out: Path, option: str = "--out", remedy: str = _REMEDY) -> Iterator[None]:
    """Makes the file's folder; what the system says against writing there becomes one line.

    Raises:
        OutputError: ``option``: the file cannot be written; no folder that was made for it stays empty.
    """
    try:
        with parents(out):
            yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(option, out, error, remedy) from error


class Failures:
    """What could not be written of several files: a line each, and the command goes on.

    Attributes:
        code: its exit code in the end: 1 where something could not be written.
    """

    def __init__(self) -> None:
        self.code = 0

    @contextmanager
    def told(self, out: Path, option: str, remedy: str = _REMEDY) -> Iterator[None]:
        """As :func:`writing`, but that an OutputError ends here."""
        try:
            with writing(out, option, remedy):
                yield
        except OutputError as error:
            say(one_line(scrub(str(error)), 4000), error=True)
            self.code = 1


def check_sheet(out: Path, image: Any, option: str = "--out") -> None:
    """Raises OptionError (``option``) where an image, uint8 [C, H, W], is too large for the format of out."""
    check_size(out.suffix, image.shape[2], image.shape[1], option=option, value=out)
