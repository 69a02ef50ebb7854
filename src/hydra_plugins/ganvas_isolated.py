"""Where Hydra looks for plugins; the launcher itself lives in ganvas.cli.launcher."""

from ganvas.cli.launcher import IsolatedLauncher

__all__ = ["IsolatedLauncher"]
