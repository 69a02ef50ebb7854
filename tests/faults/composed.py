"""Configs composed once, before a process is forked for each run: Hydra takes as long as 20 batches do.

What a fault breaks comes later: composing writes nothing, and knows neither the time nor the current folder.
"""

from __future__ import annotations

import copy
from typing import Any

_Key = tuple[tuple[str, ...], str | None, str]
_known: dict[_Key, Any] = {}


def compose_once(words: list[str]) -> None:
    """Composes what ``ganvas WORDS`` (``train ...``) would; a fork of this process finds it done."""
    from ganvas.cli.compose import experiment
    from ganvas.cli.train import train_parser

    if not _known:
        compose = experiment.compose

        def remembering(
            overrides: Any, *, config_dir: str | None = None, config_name: str = "train"
        ) -> experiment.Composed:
            found = _known.get((tuple(overrides), config_dir, config_name))
            if found is None:
                return compose(overrides, config_dir=config_dir, config_name=config_name)
            return copy.deepcopy(found)

        experiment.compose = remembering
    arguments, overrides = train_parser().parse_known_args(words[1:])
    key = tuple(overrides), arguments.config_dir, arguments.config_name
    if key not in _known:
        _known[key] = experiment.compose(
            overrides, config_dir=arguments.config_dir, config_name=arguments.config_name
        )
