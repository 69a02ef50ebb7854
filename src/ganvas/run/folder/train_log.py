"""train.log: what Lightning, its warnings and ganvas say; the terminal hears ganvas' own warnings, and what
was found in the user's files."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ganvas.files.text import one_line, say
from ganvas.run.folder.redact import ScrubbingFormatter, scrub

# What Lightning recommends to those who write their own training: products, and habits that ganvas has not.
_ADVERTISEMENTS = re.compile(
    r"\bTip: |litlogger|litmodels|Lightning Experiments|LightningCLI|`srun` command is available"
    r"|is smaller than the logging interval|module\(s\) in eval mode at the start|`weights_only` was not set"
    r"|does not have many workers|treespec, LeafSpec|TPU available"
)
_LIBRARIES = ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric")


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    """Whether a record of a library's, or a warning of Python's, tells something about this run."""
    return record.name.startswith("ganvas") or _ADVERTISEMENTS.search(record.getMessage()) is None


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk takes lines of the log, not the terminal."""

    def close(self) -> None:
        with suppress(OSError):  # a full disk again, at the last lines
            super().close()


class _Line(ScrubbingFormatter):
    """For terminals: a warning is one line, and what it quotes moves no cursor."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return one_line(" ".join(text.split()), len(text))


@contextmanager
def train_log(path: Path | None) -> Iterator[None]:
    """Everything that is logged inside goes to the file, or nowhere for a rank that writes none."""
    _quiet_libraries()
    root = logging.getLogger()
    ours = logging.getLogger("ganvas")
    handler: logging.Handler | None = None
    terminal = logging.StreamHandler()
    if path is not None:
        handler = _LogFile(path, delay=True)
        handler.addFilter(_is_no_advertisement)
        handler.setFormatter(ScrubbingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.setLevel(logging.INFO)
        root.addHandler(handler)
        terminal.setLevel(logging.WARNING)
        terminal.addFilter(
            lambda record: record.levelno == logging.WARNING
        )  # errors end the command, and it says so
        terminal.setFormatter(_Line("%(message)s"))
        ours.addHandler(terminal)
    hook = threading.excepthook
    threading.excepthook = _log_thread
    try:
        yield
    finally:
        threading.excepthook = hook
        ours.removeHandler(terminal)
        if handler is not None:
            root.removeHandler(handler)
            handler.close()


class _Notes(logging.Handler):
    """Prints at once to a person, who may wait for minutes while a large folder is decoded."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.later: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = scrub(record.getMessage())
        if sys.stdout.isatty():
            say(text, flush=True)
        else:
            self.later.append(text)


@contextmanager
def data_notes() -> Iterator[None]:
    """What the data module notes inside is printed; where it raises, its error stays the only line."""
    logger, notes = logging.getLogger("ganvas.data"), _Notes()
    level, propagates = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(notes)
    try:
        yield
        for text in notes.later:
            say(text, flush=True)
    finally:
        logger.removeHandler(notes)
        logger.setLevel(level)
        logger.propagate = propagates


def _log_thread(failed: Any) -> None:
    """TensorBoard's writing thread reports a full disk to the next caller; its traceback helps nobody."""
    logging.getLogger("ganvas").warning(
        "thread %s ended: %s", getattr(failed.thread, "name", "?"), failed.exc_value
    )


def _quiet_libraries() -> None:
    logging.captureWarnings(True)
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger().addHandler(logging.NullHandler())  # else logging prints where no handler is
