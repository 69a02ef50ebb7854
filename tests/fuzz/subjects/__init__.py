"""The classes of tries, a file each or a file for some that are alike."""

from __future__ import annotations

import importlib
import pkgutil

from subject import Subject


def find() -> dict[str, Subject]:
    """All of them, by name."""
    modules = [importlib.import_module(f"subjects.{one.name}") for one in pkgutil.iter_modules(__path__)]
    found = [subject for module in modules for subject in getattr(module, "SUBJECTS", ())]
    return {subject.name: subject for subject in found}
