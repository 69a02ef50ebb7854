"""Many experiments of one session: Hydra walks the defaults list once for each choice of options."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ganvas.cli.compose.experiment import Composed, composed
from ganvas.cli.compose.explain import composition_errors
from ganvas.cli.compose.hydra_internals import compose_config, is_group
from ganvas.cli.compose.session import kept_base, on_base
from ganvas.sweep.tree import RUN_DIR


class Composer:
    """Composes many experiments.

    Args:
        hydra: from :func:`ganvas.cli.compose.session.hydra_session`, while it lasts.
        config_name: the primary config.
    """

    def __init__(self, hydra: Any, config_name: str = "train") -> None:
        self.hydra, self.config_name = hydra, config_name
        self._bases: dict[tuple[str, ...], Any] = {}

    def compose(self, overrides: Sequence[str], *, awaited: Collection[str] | None = None) -> Composed:
        """What ``ganvas train`` would compose of the overrides, without ``-m``; its folder is RUN_DIR.

        Args:
            awaited: of a stage of a pipeline, texts that stand for runs which are not there yet; None: it
                is a job of a sweep.

        Raises:
            OptionError: an override that names no key or option, or does not parse.
        """
        overrides = [*overrides, f"paths.run_dir='{RUN_DIR}'"]
        with composition_errors(self.hydra, overrides):
            config = on_base(self.hydra, self.config_name, overrides, self.base)
            return composed(config, overrides[:-1], is_job=awaited is None, awaited=awaited or ())

    def hydra_section(self, overrides: Sequence[str]) -> Any:
        """Hydra's own part of the config: launcher, sweeper, sweep.dir."""
        with composition_errors(self.hydra, overrides):
            return compose_config(self.hydra, self.config_name, overrides, multirun=True).hydra

    def is_group(self, key: str) -> bool:
        """Whether an override of this key chooses an option of a group."""
        return is_group(self.hydra, key)

    def base(self, overrides: Sequence[str]) -> Any:
        """Hydra's config of choices of groups alone; it is kept, so copy it before a change."""
        groups = tuple(overrides)
        if groups not in self._bases:
            with composition_errors(self.hydra, groups):
                self._bases[groups] = kept_base(self.hydra, self.config_name, groups)
        return self._bases[groups]
