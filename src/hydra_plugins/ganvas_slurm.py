"""Where Hydra looks for plugins; the launcher itself lives in ganvas.cli.slurm_launcher."""

from ganvas.cli import slurm_launcher


class SlurmLauncher(slurm_launcher.SlurmLauncher):
    """Hydra instantiates only classes defined under hydra_plugins."""
