"""Where Hydra looks for plugins; the search itself lives in ganvas.cli.search."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper

from ganvas.errors import OptionError


class OptunaSweeper(Sweeper):
    """The name by which ``hydra/sweeper=optuna`` is told from others; its options are those of the YAML."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        raise OptionError("hydra/sweeper", "optuna", "searches under ganvas train -m alone")

    def sweep(self, arguments: list[str]) -> Any:
        raise OptionError("hydra/sweeper", "optuna", "searches under ganvas train -m alone")
