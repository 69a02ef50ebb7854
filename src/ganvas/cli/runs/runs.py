"""``ganvas runs``: ls lists them, show tells one, diff compares two, rm deletes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from ganvas.errors import OptionError
from ganvas.files.text import say_page

VERBS = {
    "ls": "the runs under a folder, oldest first",
    "show": "one run: its options, state, metrics and files",
    "diff": "options and metrics in which two runs differ",
    "rm": "deletes runs, after a question",
}
_MODULES = {"ls": "listing", "show": "show", "diff": "diff", "rm": "remove"}


def run(argv: Sequence[str]) -> int:
    """Hands the words on to the verb's own file."""
    verb, *rest = argv or ("--help",)
    if verb in ("-h", "--help"):
        say_page("usage: ganvas runs VERB ...\n")
        say_page("\n".join(f"  {name:6} {text}" for name, text in VERBS.items()))
        say_page("\nganvas runs VERB --help says more.")
        return 0
    if verb not in VERBS:
        raise OptionError("ganvas runs", verb, "there is no such verb; there are: " + ", ".join(VERBS))
    module = importlib.import_module(f"ganvas.cli.runs.{_MODULES[verb]}")
    return int(module.run(rest))
