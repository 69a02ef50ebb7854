"""Where Hydra looks for plugins; the launcher itself lives in ganvas.cli.launcher."""

from ganvas.cli import launcher


class IsolatedLauncher(launcher.IsolatedLauncher):
    """Hydra instantiates only classes defined under hydra_plugins."""
