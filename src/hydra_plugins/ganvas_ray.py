"""Where Hydra looks for plugins; the launcher itself lives in ganvas.cli.ray_launcher."""

from ganvas.cli import ray_launcher


class RayLauncher(ray_launcher.RayLauncher):
    """Hydra instantiates only classes defined under hydra_plugins."""
