"""What a terminal sees, and that nothing else sees anything."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganvas.callback import progress as module
from ganvas.callback.progress import Progress
from ganvas.errors import OptionError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_examples_speed_and_losses(
    fit: Callable[..., Any], autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    fit(autoencoder(), [Progress(refresh_per_second=1000.0)], batches=5, max_examples=20)
    shown = terminal.getvalue()
    assert "20 of 20 examples" in shown
    assert "100%" in shown
    assert "examples/s" in shown
    assert "total 0.5" in shown


@pytest.mark.parametrize(("columns", "has_bar"), [("80", False), ("130", True)])
def test_a_narrow_terminal_cuts_no_number_off(
    fit: Callable[..., Any],
    autoencoder: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    has_bar: bool,
) -> None:
    """One loss a line, and the bar gives way."""
    terminal, recipe = Terminal(), autoencoder()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    terms = {"loss/reconstruction": torch.tensor(0.0784211), "loss/commitment": torch.tensor(0.0640233)}
    recipe.guard = SimpleNamespace(last_terms={"all": terms})
    fit(recipe, [Progress(refresh_per_second=1e9)], batches=3, max_examples=2_000_000)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "12 of 2,000,000 " in shown
    assert "reconstruction 0.07842" in shown
    assert "commitment 0.06402" in shown
    assert "examples/s" in shown
    assert "\u2026" not in shown
    assert ("\u2501" in shown) == has_bar


def test_losses_are_there_from_the_first_batch_on_and_are_those_of_now(
    fit: Callable[..., Any], autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No report comes in this run; what the guard has let pass is shown, and a lazy term stays."""
    terminal, recipe = Terminal(), autoencoder()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    recipe.guard = SimpleNamespace(last_terms={})

    def training_step(x: torch.Tensor, batch_idx: int) -> torch.Tensor:
        recipe.examples_seen += len(x)
        terms = {"loss/g": torch.tensor(recipe.examples_seen / 7), "gradient_norm/g": torch.tensor(8.5)}
        lazy = {"loss/penalty": torch.tensor(0.375)} if recipe.examples_seen == 4 else {}
        recipe.guard.last_terms = {"generator": terms, "discriminator": lazy}
        return recipe.weight

    monkeypatch.setattr(recipe, "training_step", training_step)
    fit(recipe, [Progress(refresh_per_second=1e9)], batches=3, max_examples=12)
    frames = re.findall(r"(\d+) of 12 examples.*?g (\S+)  penalty (\S+)", terminal.getvalue())
    shown = {(int(examples), loss.partition("\x1b")[0], penalty[:5]) for examples, loss, penalty in frames}
    assert shown == {(4, "0.5714", "0.375"), (8, "1.143", "0.375"), (12, "1.714", "0.375")}
    assert "8.5" not in terminal.getvalue()


def test_no_terminal_sees_nothing(
    fit: Callable[..., Any], autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = Progress(refresh_per_second=1000.0)
    monkeypatch.setattr(Progress, "_refresh", lambda *args: pytest.fail("a bar without a terminal"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    fit(autoencoder(), [callback], batches=2)
    assert callback._bar is None


def test_refreshes_keep_to_the_clock(autoencoder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten steps a second for three seconds at two refreshes a second."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    callback, recipe, refreshed = Progress(refresh_per_second=2.0), autoencoder(), []
    callback._bar, callback._total, callback._started, callback._task = (
        StandIn(refreshed),
        None,
        (100.0, 0),
        0,
    )
    for _ in range(31):
        callback.on_train_batch_end(None, recipe, None, None, 0)  # type: ignore[arg-type]
        now[0] = round(now[0] + 0.1, 6)
    assert len(refreshed) == 7


class StandIn:
    def __init__(self, refreshed: list[int]) -> None:
        self.refreshed = refreshed

    def update(self, *args: Any, **fields: Any) -> None:
        pass

    def refresh(self) -> None:
        self.refreshed.append(1)


def test_a_rate_that_is_not_positive_is_refused() -> None:
    with pytest.raises(OptionError, match="refresh_per_second=0"):
        Progress(refresh_per_second=0)
