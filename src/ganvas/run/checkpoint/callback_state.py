"""Whether callbacks take the states that a checkpoint has for them, asked before a run goes on from it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import pytorch_lightning as pl

from ganvas.callback.run_state import RunCallback


def check_callback_states(
    stored: Mapping[str, Any], callbacks: Iterable[pl.Callback], examples_seen: int
) -> None:
    """Raises ValueError where a callback does not take its state, or knows a moment that has not come.

    A state of no callback here stays unread: which of them a run has may change.

    Args:
        stored: by ``Callback.state_key``.
        callbacks: the run's. Ours take their state in here, as they will once more; of others a copy does.
        examples_seen: of the checkpoint; no entry of ours that ends in ``_at`` is later.
    """
    for callback in callbacks:
        state = stored.get(callback.state_key)
        if not state:
            continue
        is_ours = isinstance(callback, RunCallback)
        try:
            taker = callback if is_ours else copy.deepcopy(callback)
        except Exception:  # one that cannot be copied says by itself what it cannot take
            continue
        try:
            taker.load_state_dict(copy.deepcopy(state))
        except Exception as error:
            said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            raise ValueError(f"its callbacks.{callback.state_key[:60]} cannot be taken up: {said}") from error
        for name, value in state.items() if is_ours else ():
            if str(name).endswith("_at") and isinstance(value, int) and value > examples_seen:
                reason = f"{name} is {value}, and {examples_seen} examples were seen"
                raise ValueError(f"its callbacks.{callback.state_key[:60]} cannot be taken up: {reason}")
