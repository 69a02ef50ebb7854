"""Lightning's own words for options that do not fit, as one line that names the callback or logger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException

from ganvas.errors import OptionError
from ganvas.run.config.allowed import locate
from ganvas.run.folder.run_folder import RunFolder


def misconfigured(
    error: Exception, config: dict[str, Any], parts: Sequence[Any], *, has_trained: bool
) -> OptionError | None:
    """The error under the config's key of the part that raised it; None where it is no option's fault.

    Lightning has an exception for it, and raises others as well before training begins.

    Args:
        config: the run's.
        parts: callbacks and loggers, as they were built of it.
        has_trained: whether a batch was trained.
    """
    is_said = isinstance(error, MisconfigurationException)
    if not is_said and (has_trained or isinstance(error, OptionError)):
        return None
    reason = " ".join(str(error).split()).rstrip(".")
    for one in _selves(error.__traceback__):
        is_theirs = is_said or type(one).__module__.startswith("pytorch_lightning.")
        if is_theirs and any(one is part for part in parts):
            for key, target in _targets(config):
                if locate(target, "") is type(one):
                    return OptionError(key, target, f"{reason}; see its options, or leave it out")
    return OptionError("trainer", "", f"{reason}; change the option that it names") if is_said else None


def forget(folder: RunFolder) -> None:
    """Removes a new run's folder, which holds no batch of training."""
    shutil.rmtree(folder.path, ignore_errors=True)


def _selves(trace: TracebackType | None) -> Iterator[Any]:
    """The objects whose methods the error went through, the innermost first."""
    found = []
    while trace is not None:
        found.append(trace.tb_frame.f_locals.get("self"))
        trace = trace.tb_next
    yield from reversed(found)


def _targets(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for group in ("callback", "logger"):
        for name, node in (config.get(group) or {}).items():
            if isinstance(node, dict) and node.get("_target_"):
                yield f"{group}.{name}", node["_target_"]
