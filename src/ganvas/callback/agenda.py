"""When a run's callbacks have something to do after a batch: most batches bring none of them anything."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import pytorch_lightning as pl

_HOOK = "on_train_batch_end"


class Due(NamedTuple):
    """When a callback wants to be called next: after so many examples, or at a time of ``time.monotonic``."""

    examples: float = math.inf
    time: float = math.inf


def next_multiple(done: int, every: int) -> float:
    """The first multiple of ``every`` examples beyond ``done``; never, where ``every`` is 0."""
    return (done // every + 1) * every if every else math.inf


def next_early(done: int, first: int) -> float:
    """The first of 1, 2, 5, 10, 20, 50 ... times ``first`` examples beyond ``done``; never, where it is 0."""
    if not first:
        return math.inf
    step = first
    while 5 * step <= done:
        step *= 10
    return next(step * factor for factor in (1, 2, 5) if step * factor > done)


@runtime_checkable
class Scheduled(Protocol):
    """A callback that says when its ``on_train_batch_end`` has something to do, whatever a report brings."""

    def next_due(self) -> Due:
        """Asked after each time that it was called."""
        ...


class Agenda:
    """Calls scheduled callbacks, all of them and in their order, where one of them may have something to do.

    Those are the batches with a report, on which training is asked to stop, or on which a callback is due by
    its examples or its time; between ranks all batches, since they ask each other after each. Lightning would
    call every callback after every batch. So it is kept from their hook, and the recipe asks the agenda after
    Lightning has called all other callbacks.

    Args:
        callbacks: of a Trainer. Those that are not :class:`Scheduled` are left to Lightning; where a hook is
            of another class than what says when it is due, all are called after every batch.

    Attributes:
        examples: examples seen from which on the callbacks are called.
        time: likewise on the clock of ``time.monotonic``.
        now: whether they are called after this batch whatever else; a signal's handler sets it.
    """

    def __init__(self, callbacks: Iterable[pl.Callback]) -> None:
        self._callbacks: list[Any] = [one for one in callbacks if isinstance(one, Scheduled)]
        self._is_always_due = not all(map(_knows_when, self._callbacks))
        for callback in self._callbacks:
            setattr(callback, _HOOK, None)  # which Lightning takes for a hook that is not there
        self.examples, self.time = Due(0, 0)
        self.now = False

    def __call__(self, *arguments: Any) -> None:
        """The callbacks' ``on_train_batch_end`` with these arguments."""
        self.now = False
        for callback in self._callbacks:
            getattr(type(callback), _HOOK)(callback, *arguments)
        due = [callback.next_due() for callback in self._callbacks]
        self.examples = 0 if self._is_always_due else min((one.examples for one in due), default=math.inf)
        self.time = min((one.time for one in due), default=math.inf)


def _knows_when(callback: Any) -> bool:
    """Whether the class that says when it is due knows what the hook does."""

    def owner(name: str) -> type:
        return next(kind for kind in type(callback).__mro__ if name in kind.__dict__)

    return issubclass(owner("next_due"), owner(_HOOK))
