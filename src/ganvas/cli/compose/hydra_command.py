"""What Hydra itself answers under ``ganvas train``: --cfg, --info, --hydra-help."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException

from ganvas.cli.arguments import named
from ganvas.cli.compose.experiment import compose, of_other_parts
from ganvas.cli.compose.explain import composition_errors, known_keys
from ganvas.cli.compose.folders import make_importable
from ganvas.cli.compose.hydra_internals import command_line_flags, command_line_parser, compose_config
from ganvas.cli.compose.nearest import nearest_keys
from ganvas.cli.compose.session import hydra_session, register_resolvers
from ganvas.errors import OptionError
from ganvas.files.folders import packaged_conf


def hydra_command(argv: Sequence[str]) -> int:
    """Prints what Hydra's flags among the argv ask for; returns the exit code.

    Raises:
        OptionError: a flag that neither ganvas nor Hydra has, or a config that does not compose.
    """
    _check_flags(argv)
    overrides, left_out = _check_composes(argv)
    register_resolvers()
    if "--config-dir" in argv:
        make_importable(Path(argv[list(argv).index("--config-dir") + 1]).resolve())
    # Behind the last override: argparse takes those that stand together.
    behind = max((place for place, word in enumerate(argv, 1) if word in overrides), default=0)
    sys.argv = ["ganvas", *argv[:behind], *(f"~{key}" for key in left_out), *argv[behind:]]

    def nothing(_config: Any) -> None:
        raise OptionError(" ".join(argv), "", "is not understood; ganvas train --help lists what is")

    hydra.main(version_base="1.3", config_path=str(packaged_conf()), config_name="train")(nothing)()
    return 0


def _check_composes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides, and keys of a config to be printed that no run would have (:func:`of_other_parts`).

    Raises:
        OptionError: it does not compose; Hydra would end with its own words.
    """
    parser = command_line_parser()

    def refuse(message: str) -> NoReturn:
        key, value, reason = named(message)
        shown = ("ganvas train", " ".join(argv)) if not key else (key, value)
        raise OptionError(*shown, f"{reason}; ganvas train --help says more")

    parser.error = refuse  # type: ignore[method-assign]  # argparse would exit
    arguments = parser.parse_args([word for word in argv if word != "--debug"])
    if arguments.multirun:  # Hydra would run the sweep itself
        raise OptionError("--multirun", "", "has no one config to print; leave out -m, or what prints")
    if not (arguments.cfg or arguments.info):
        return [], []
    name, overrides = arguments.config_name or "train", arguments.overrides
    with hydra_session(arguments.config_dir) as session, composition_errors(session, overrides):
        left_out = of_other_parts(compose_config(session, name, overrides), overrides)
    if arguments.resolve:
        compose(overrides, config_dir=arguments.config_dir, config_name=name)
    return overrides, left_out if arguments.cfg == "job" else []


def _check_flags(argv: Sequence[str]) -> None:
    """Raises OptionError at a flag that neither ganvas nor Hydra has, where Hydra would print its usage."""
    known = command_line_flags() | {"--debug"}
    for word in argv:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in known:
            long = sorted(one for one in known if one.startswith("--"))
            near = difflib.get_close_matches(flag, long, n=1, cutoff=0.75)
            value = word.partition("=")[2] or _value_behind(argv, word)
            hint = f"did you mean {near[0]}?" if near else _as_override(argv, flag, value)
            raise OptionError(flag, value, f"there is no such flag; {hint}")


def _value_behind(argv: Sequence[str], flag: str) -> str:
    """``3`` of ``--lr 3``."""
    behind = list(argv)[list(argv).index(flag) + 1 :][:1]
    return behind[0] if behind and not behind[0].startswith("-") and "=" not in behind[0] else ""


def _as_override(argv: Sequence[str], flag: str, value: str) -> str:
    """How the flag's key is written here: options are no flags."""
    name = flag.lstrip("-").replace("-", "_")
    groups = [word for word in argv if word.startswith(("model=", "data=", "experiment="))]
    with hydra_session(None) as session:
        try:
            keys = nearest_keys(name, known_keys(session, groups))
        except (HydraException, OptionError):
            keys = []
    written = " or ".join(f"{key}={value or 'VALUE'}" for key in keys)
    return f"options are written key=value: {written or 'ganvas train --help lists them'}"
