"""``python -m ganvas``: the same as the console script."""

from ganvas.cli.main import entry

entry()
