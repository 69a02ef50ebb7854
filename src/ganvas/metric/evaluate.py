"""What every evaluation shares: its surroundings, its share of the work, the form of its result.

The callback and the command ``evaluate`` both call :mod:`ganvas.metric.sample_evaluation` and
:mod:`ganvas.metric.reconstruction_evaluation`. Ranks share the work by batch number and sum before anything
is computed, so every rank gets the metrics of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import nn

from ganvas.errors import require
from ganvas.functional.batch import Batch, DataFacts
from ganvas.functional.distributed import rank, world_size
from ganvas.functional.modes import eval_mode
from ganvas.modality.interface import Modality


class EvaluationResult(NamedTuple):
    """The result of an evaluation.

    Attributes:
        metrics: name -> number; NaN where the samples are not finite.
        protocol: nested plain values that say what the metrics rest on. Keys under ``metrics`` belong to the
            metrics that stand there; all others to every metric. Metrics are comparable only where equal.
        better: metric -> ``min`` or ``max``, where one of them is better.
    """

    metrics: dict[str, float]
    protocol: dict[str, object]
    better: dict[str, str]


def joined(*results: EvaluationResult | None) -> EvaluationResult | None:
    """One result of several of the same data and weights, of metrics by different names; None of none."""
    there = [one for one in results if one is not None]
    if not there:
        return None
    metrics: dict[str, float] = {}
    better: dict[str, str] = {}
    protocol: dict[str, object] = {}
    parts: dict[str, object] = {}
    for one in there:
        own = one.protocol.get("metrics")
        metrics, better = metrics | one.metrics, better | one.better
        protocol, parts = protocol | one.protocol, parts | (own if isinstance(own, dict) else {})
    return EvaluationResult(metrics, protocol | {"metrics": parts}, better)


class EvaluatedData(Protocol):
    """What is asked of a data module (``ganvas.data.datamodule.TensorDataModule`` in full)."""

    @property
    def is_cut_up(self) -> bool: ...

    @property
    def modality(self) -> Modality: ...

    def facts(self) -> DataFacts: ...

    def num_samples(self, name: str) -> int: ...

    def batches(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]: ...

    def wholes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]: ...

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]: ...


def require_samples(data: EvaluatedData, split: str, held: int, needed: int) -> None:
    """Raises OptionError where a split holds fewer samples than metrics need; names only what would help."""
    elsewhere = split != "train" and data.num_samples("train") >= needed
    how = "take split=train, or hold out more" if elsewhere else "train on more, or turn evaluation off"
    samples = "1 sample" if held == 1 else f"{held} samples"
    require(held >= needed, "split", split, f"holds {samples}, and metrics need {needed}; {how}")


@contextmanager
def evaluating(module: nn.Module) -> Iterator[torch.device]:
    """Eval mode, no gradients, and torch's global random state as before; yields the module's device.

    Afterwards every submodule is in the very mode in which it was. ``no_grad`` and not ``inference_mode``:
    a tensor that a part caches inside must stay usable in training.
    """
    device = next((value.device for value in module.parameters()), torch.device("cpu"))
    cuda = [device] if device.type == "cuda" else []
    with eval_mode(module), torch.no_grad(), torch.random.fork_rng(devices=cuda):
        yield device


def is_mine(number: int) -> bool:
    """Whether this rank takes batch ``number``."""
    return number % world_size() == rank()
