"""What Hydra itself answers under ``ganvas train``: --cfg, --info, --hydra-help, -sc (tab completion)."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra

from ganvas.cli.commands import COMMANDS
from ganvas.cli.compose.completion import line_for_hydra, matching_commands
from ganvas.cli.compose.experiment import compose
from ganvas.cli.compose.explain import composition_errors
from ganvas.cli.compose.folders import make_importable, packaged_conf
from ganvas.cli.compose.hydra_internals import command_line_flags, command_line_parser, compose_config
from ganvas.cli.compose.session import hydra_session, register_resolvers
from ganvas.errors import OptionError


def hydra_command(argv: Sequence[str]) -> int:
    """Prints what Hydra's flags among the argv ask for; returns the exit code.

    Raises:
        OptionError: a flag that neither ganvas nor Hydra has, or a config that does not compose.
    """
    _check_flags(argv)
    _check_composes(argv)
    register_resolvers()
    line = os.environ.get("COMP_LINE")
    if line is not None and "query=bash" in argv:
        for_hydra = line_for_hydra(line)
        if for_hydra is None:
            print(" ".join(matching_commands(line, list(COMMANDS))))
            return 0
        os.environ["COMP_LINE"] = for_hydra
    if "--config-dir" in argv:
        make_importable(Path(argv[list(argv).index("--config-dir") + 1]).resolve())
    sys.argv = ["ganvas", *argv]

    def nothing(config: Any) -> None:
        raise OptionError(" ".join(argv), "", "is not understood; ganvas train --help lists what is")

    hydra.main(version_base="1.3", config_path=str(packaged_conf()), config_name="train")(nothing)()
    return 0


def _check_composes(argv: Sequence[str]) -> None:
    """Raises OptionError where what is to be printed does not compose: Hydra would end with its own words."""
    parser = command_line_parser()

    def refuse(message: str) -> NoReturn:
        raise OptionError("ganvas train", " ".join(argv), f"{message}; ganvas train --help says more")

    parser.error = refuse  # type: ignore[method-assign]
    arguments = parser.parse_args([word for word in argv if word != "--debug"])
    if arguments.multirun:  # Hydra would run the sweep itself
        raise OptionError("--multirun", "", "has no one config to print; leave out -m, or what prints")
    if not (arguments.cfg or arguments.info):
        return
    name, overrides = arguments.config_name or "train", arguments.overrides
    with hydra_session(arguments.config_dir) as session, composition_errors(session, overrides):
        compose_config(session, name, overrides)
    if arguments.resolve:
        compose(overrides, config_dir=arguments.config_dir, config_name=name)


def _check_flags(argv: Sequence[str]) -> None:
    """Raises OptionError at a flag that neither ganvas nor Hydra has, where Hydra would print its usage."""
    known = command_line_flags() | {"--debug"}
    for word in argv:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in known:
            near = difflib.get_close_matches(flag, sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else "ganvas train --help lists what is"
            raise OptionError(flag, word.partition("=")[2], f"there is no such flag; {hint}")
