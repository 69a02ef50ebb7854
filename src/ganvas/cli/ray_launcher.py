"""``hydra/launcher=ray``: the jobs of a sweep as tasks of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganvas.cli.launcher import JobLauncher, plain_options
from ganvas.sweep.command import JobCommand
from ganvas.sweep.engine.ray import Ray, RayOptions
from ganvas.sweep.interface import Engine, Job


class RayLauncher(JobLauncher):
    """A cluster of this machine for this sweep alone, or one that is there already.

    Args:
        timeout, retries, on_error: see JobLauncher.
        asked: see :class:`ganvas.sweep.engine.ray.RayOptions`.
    """

    def __init__(
        self, *, timeout: str | None = None, retries: int = 0, on_error: str = "continue", **asked: Any
    ) -> None:
        super().__init__(timeout=timeout, retries=retries, on_error=on_error)
        self.options = RayOptions(**plain_options(RayOptions, asked))

    def engine(self, command: JobCommand, jobs: Sequence[Job]) -> Engine:
        return Ray(command, self.options)
