"""``ganvas init FOLDER``: a small project of one's own, each kind of part a page, that trains at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser, check_new_folder, writing
from ganvas.files.text import say, say_page
from ganvas.files.write import new_folder

_LEFT_OUT = ("__pycache__",)


def run(argv: Sequence[str]) -> int:
    """Writes the project's files, all or none; nothing that is there is touched."""
    parser = Parser(prog="ganvas init", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="where the project begins: a new or an empty folder")
    folder = Path(parser.parse_args(list(argv)).folder)
    check_new_folder(folder, "FOLDER")
    names = [path.relative_to(starter()) for path in starter_files()]
    with writing(folder, "FOLDER"), new_folder(folder) as place:
        for name in names:
            place.write(str(name), (starter() / name).read_bytes())
    for name in names:
        say(folder / name)
    say_page(f"\nnext:  cd {shlex.quote(str(folder))} && ganvas train --config-dir conf experiment=mine_gan")
    return 0


def starter() -> Path:
    """The folder of the project's files, inside the package."""
    return Path(__file__).parents[2] / "starter"


def starter_files() -> Iterator[Path]:
    return (
        path for path in sorted(starter().rglob("*")) if path.is_file() and path.parent.name not in _LEFT_OUT
    )
