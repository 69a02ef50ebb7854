"""``ganvas play [RUN ...]``: runs as pages to play with, in a browser on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganvas.cli.arguments import Parser, add_own_code, add_places
from ganvas.cli.compose.folders import check_config_dir, make_importable, user_modules
from ganvas.compare.find import find_runs
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.run.folder.run_folder import RunFolder, all_runs

_PORT = 8780


def run(argv: Sequence[str]) -> int:
    """Serves the pages until Ctrl+C."""
    arguments = _parser().parse_args(list(argv))
    place = Path(arguments.output_dir)
    require(
        0 <= arguments.port <= 65_535, "--port", arguments.port, f"must be from 0 to 65535; {_PORT} is usual"
    )
    require(
        importlib.util.find_spec("nicegui") is not None,
        "play",
        "nicegui",
        "needs an extra; pip install 'ganvas[play]'",
    )
    if arguments.config_dir is not None:
        make_importable(check_config_dir(arguments.config_dir))
    allow = [*arguments.allow_imports, *user_modules(arguments.config_dir)]

    def find() -> list[RunFolder]:
        found = find_runs(arguments.run, place) if arguments.run else all_runs(place)
        return [replace(one, allows_places=arguments.allow_places) for one in found]

    require(bool(find()), "--output-dir", place, "holds no run; ganvas train makes one")
    listening = _listen(arguments)
    token = None if _is_local(arguments.host) else secrets.token_urlsafe(24)
    from ganvas.play.server import serve
    from ganvas.play.shelf import Shelf

    name = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{name}:{listening.getsockname()[1]}/"
    say(address if token is None else f"{address}?token={token}", flush=True)
    serve(Shelf(find, allow), arguments.run, place, listening=listening, token=token)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="ganvas play", description=__doc__)
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="*",
        help="runs, globs over them, or folders of runs; all there are without",
    )
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (127.0.0.1: this machine alone); any other asks for a token",
    )
    parser.add_argument("--port", type=int, default=_PORT, help=f"({_PORT}); 0 takes a free one")
    add_own_code(parser)
    add_places(parser)
    return parser


def _is_local(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def _listen(arguments: argparse.Namespace) -> socket.socket:
    """A socket that listens; raises OptionError where the address cannot be had."""
    host, port = arguments.host, arguments.port
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
    except ValueError as error:
        reason = "is no address; 127.0.0.1 is this machine alone, 0.0.0.0 all of its networks"
        raise OptionError("--host", host, reason) from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        reason = f"cannot be listened at ({error.strerror or error}); --port 0 takes a free one"
        raise OptionError("--port", port, reason) from error
    return listening
