"""``ganvas init FOLDER``: a small project of one's own, each kind of part a page, that trains at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser
from ganvas.errors import OptionError, require
from ganvas.files.text import say, say_page

_LEFT_OUT = ("__pycache__",)


def run(argv: Sequence[str]) -> int:
    """Writes the project's files; nothing that is there is touched."""
    parser = Parser(prog="ganvas init", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="where the project begins: a new or an empty folder")
    folder = Path(parser.parse_args(list(argv)).folder)
    try:
        there = list(folder.iterdir()) if folder.exists() else []
        require(not there, "FOLDER", folder, "is not empty; name a new folder")
        for path in starter_files():
            target = folder / path.relative_to(starter())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            say(target)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}); name another folder"
        raise OptionError("FOLDER", folder, reason) from error
    say_page(f"\nnext:  cd {shlex.quote(str(folder))} && ganvas train --config-dir conf experiment=mine_gan")
    return 0


def starter() -> Path:
    """The folder of the project's files, inside the package."""
    return Path(__file__).parents[2] / "starter"


def starter_files() -> Iterator[Path]:
    return (
        path for path in sorted(starter().rglob("*")) if path.is_file() and path.parent.name not in _LEFT_OUT
    )
