"""``ganvas.compose``: what ``ganvas train`` would train, as a plain dict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ganvas.api.state import light_call
from ganvas.cli.compose.experiment import Composed
from ganvas.cli.compose.experiment import compose as compose_experiment
from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded


class Config(dict[str, Any]):
    """A composed experiment: plain nested values, all interpolations resolved.

    Attributes:
        composed: the config groups that were chosen, and what was written.
        config_dir: the folder of the user's own groups, or None.
        config_name: the primary config.
    """

    def __init__(self, composed: Composed, config_dir: str | None, config_name: str = "train") -> None:
        super().__init__(composed.config)
        self.composed, self.config_dir, self.config_name = composed, config_dir, config_name

    @property
    def choices(self) -> dict[str, str]:
        """Group -> chosen option, e.g. ``{"model": "dcgan"}``."""
        return dict(self.composed.choices)

    @property
    def overrides(self) -> list[str]:
        """What was written."""
        return list(self.composed.overrides)


@light_call
def compose(
    overrides: Sequence[str] = (),
    *,
    config_dir: str | os.PathLike[str] | None = None,
    config_name: str = "train",
) -> Config:
    """Composes one experiment, as ``ganvas train OVERRIDES`` does; nothing is trained or written.

    Args:
        overrides: ``group=option`` and ``path.to.key=value``, e.g. ``["model=dcgan", "seed=2"]``.
        config_dir: a folder of config groups of your own, with the Python files that they name.
        config_name: the primary config.

    Returns:
        the config. It is resolved: change it by overrides, since a value may have copies in other places.

    Raises:
        OptionError: an override that names no key or option (with the nearest one), or does not parse.
    """
    require(not isinstance(overrides, str), "overrides", overrides, 'must be a list, e.g. ["model=dcgan"]')
    folder = None if config_dir is None else str(expanded(config_dir, "config_dir"))
    composed = compose_experiment(list(overrides), config_dir=folder, config_name=config_name)
    return Config(composed, folder, config_name)


def as_config(config: Config | Sequence[str]) -> Config:
    """A config, composed of overrides where it is none.

    Raises:
        OptionError: it is neither.
    """
    if isinstance(config, Config):
        return config
    if isinstance(config, Sequence) and not isinstance(config, str):
        return compose(config)
    reason = 'must come from ganvas.compose([...]), or be a list of overrides, e.g. ["model=dcgan"]'
    raise OptionError("config", type(config).__name__, reason)
