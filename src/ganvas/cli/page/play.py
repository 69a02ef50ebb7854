"""``ganvas play [RUN ...]``: a local page to look at runs and to play with what they have learned."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser, add_own_code, add_places
from ganvas.cli.compose.folders import check_config_dir, make_importable, user_modules
from ganvas.errors import require

_LOCAL = "127.0.0.1"
_LEAST = 8  # letters of a token of one's own


def run(argv: Sequence[str]) -> int:
    """Serves pages until Ctrl-C: runs, GANs, codes, priors, comparisons, health."""
    arguments = _parser().parse_args(list(argv))
    host, token = arguments.host, arguments.token
    require(0 <= arguments.port < 65536, "--port", arguments.port, "must be from 0 (any free one) to 65535")
    fits = token is None or (len(token) >= _LEAST and token.isascii() and token.isprintable())
    rule = f"must have {_LEAST} plain letters or more; leave it out for one by chance"
    require(fits, "--token", "" if token is None else "...", rule)
    if host not in (_LOCAL, "localhost", "::1") and token is None:
        token = secrets.token_urlsafe(16)

    from ganvas.play.server import listen, require_nicegui

    require_nicegui()

    from ganvas.play.catalogue import Catalogue

    allow = list(arguments.allow_imports or [])
    if arguments.config_dir is not None:
        make_importable(check_config_dir(arguments.config_dir))
        allow += user_modules(arguments.config_dir)
    catalogue = Catalogue(
        arguments.run, Path(arguments.output_dir), allow=allow, allows_places=arguments.allow_places
    )
    catalogue.folders()  # a word that fits no run is told before the server starts
    with listen(host, arguments.port) as listening:
        from ganvas.play.server import serve

        serve(catalogue, listening, token=token)
    return 0


def _parser() -> Parser:
    parser = Parser(prog="ganvas play", description=__doc__)
    parser.add_argument(
        "run", metavar="RUN", nargs="*", help="these alone: runs, globs over them, folders of runs (all)"
    )
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for (./outputs)")
    parser.add_argument("--port", type=int, default=8780, help="of the address (8780); 0: any that is free")
    parser.add_argument(
        "--host", default=_LOCAL, help=f"address that answers ({_LOCAL}: this machine's browsers alone)"
    )
    parser.add_argument(
        "--token",
        help="what a browser must show; by chance where --host is not this machine's own, none where it is",
    )
    add_own_code(parser)
    add_places(parser)
    return parser
