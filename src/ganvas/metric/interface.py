"""What metrics ask of features, and what an evaluation asks of metrics."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torchmetrics import Metric

from ganvas.errors import OptionError, require
from ganvas.functional.batch import DataFacts


class Features(NamedTuple):
    """What an extractor makes of samples: features float32 [B, F], logits float32 [B, K] or None."""

    features: Tensor
    logits: Tensor | None = None


@runtime_checkable
class FeatureExtractor(Protocol):
    """A fixed map from samples to feature vectors, and to logits where it is a classifier.

    Attributes:
        protocol: plain values that name it completely (name, resizer, sha256 of the weights ...): two
            metrics are comparable only where these are equal. Read after :meth:`check`.

    An extractor whose features of real samples are not worth keeping on disk has ``cacheable = False``.
    """

    protocol: dict[str, object]

    def check(self, facts: DataFacts) -> None:
        """Called once, before anything else is asked of it; it may load what belongs to these data.

        Raises:
            OptionError: ``features``: the data are not of its kind, or weights are missing; how to mend.
        """
        ...

    def __call__(self, x: Tensor) -> Features:
        """Samples [B, ...] in [-1, 1], on any device, to what it sees in them, on the same.

        Features pass a gradient on to samples that want one, so that a loss can be made of them.
        """
        ...


class Observation(NamedTuple):
    """One batch of one side.

    Attributes:
        number: int64 [B], the number of each sample within its side: no two are equal. Ranks take whole
            batches in turn, so what depends on order must sort by it.
        features: float32 [B, F].
        logits: float32 [B, K] of the extractor's classes, or None.
        label: int64 [B], the class that the data give or that the generator was asked for, or None.
    """

    number: Tensor
    features: Tensor
    logits: Tensor | None = None
    label: Tensor | None = None


class SampleMetric(Metric):
    """Metrics of a generator's samples, from observations of several sides; exact under any split over ranks.

    A subclass lists ``directions`` and computes them from its states, each named ``<side>_<what>``. Unless it
    overrides :meth:`begin` and :meth:`update`, these are the features of every side, kept as the rows
    ``<side>_features``; otherwise it keeps rows (:meth:`keep_rows`) or sums (:meth:`keep_sum`) of its own.

    Attributes:
        directions: name -> whether higher is better (None: neither); :meth:`begin` may leave out of it what
            there is not for such features.
        sides: what it is shown: ``real`` (the evaluated split), ``generated``, ``train``.
        needs_logits: whether the extractor must be a classifier.
        needs_labels: whether the data and the generator must have labels.
    """

    is_differentiable = False
    full_state_update = False

    directions: ClassVar[dict[str, bool | None]] = {}
    sides: ClassVar[tuple[str, ...]] = ("real", "generated")
    needs_logits: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._widths: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}

    @property
    def protocol(self) -> dict[str, object]:
        """What the metrics rest on beside features and samples, as plain values."""
        return {}

    def begin(self, num_features: int, num_logits: int | None) -> None:
        """Adds the states; called once on every rank, before the first update."""
        del num_logits
        for side in self.sides:
            self.keep_rows(f"{side}_features", num_features)

    def check_counts(self, counts: dict[str, int], num_features: int) -> None:
        """Raises OptionError (``num_samples``) where a side has too few samples; says how many it needs."""
        del num_features
        option = type(self).__module__.rpartition(".")[2]  # file and option share their name
        for side in self.sides:
            reason = f"is too few {side} samples for {option}; it needs at least 2"
            require(counts[side] >= 2, "num_samples", counts[side], reason)

    def update(self, seen: Observation, *, side: str) -> None:
        """Adds a batch of one side."""
        self.add_rows(f"{side}_features", seen.number, seen.features)

    def compute(self) -> dict[str, Tensor]:
        """Scalars float64 under the names in ``directions``."""
        raise NotImplementedError

    def forget(self, side: str) -> None:
        """Empties one side; the others stay (the real side is the same throughout a run)."""
        for name, default in self._defaults.items():
            if name.startswith(f"{side}_"):
                fresh: Tensor | list[Tensor] = (
                    [] if isinstance(default, list) else default.detach().clone().to(self.device)
                )
                setattr(self, name, fresh)
        self._open_rows(side)
        self._computed = None

    def reset(self) -> None:
        super().reset()
        self._open_rows("")

    def keep_sum(self, name: str, *shape: int, dtype: torch.dtype = torch.float64) -> None:
        """Adds a state of this shape, 0 at first, that is summed over batches and ranks."""
        self.add_state(name, torch.zeros(shape, dtype=dtype), dist_reduce_fx="sum")

    def add_sum(self, name: str, value: Tensor | int) -> None:
        """Adds to such a state.

        Raises:
            ValueError: a tensor of another shape, which would be broadcast.
        """
        state: Tensor = getattr(self, name)
        if isinstance(value, Tensor) and value.shape != state.shape:
            raise ValueError(
                f"{name}: a sum of shape {list(value.shape)} to add to one of {list(state.shape)}"
            )
        setattr(self, name, state + value)

    def keep_rows(self, name: str, *shape: int, dtype: torch.dtype = torch.float32) -> None:
        """Adds a state of rows [N, *shape], and beside it one of their numbers ``<name>_number``."""
        for state, width, kind in ((name, shape, dtype), (f"{name}_number", (), torch.int64)):
            self.add_state(state, [], dist_reduce_fx="cat")
            self._widths[state] = (width, kind)
        self._open_rows(name)

    def row_bytes(self, side: str) -> int:
        """Bytes that are kept of each sample of a side, after :meth:`begin`."""
        kept = (width for name, width in self._widths.items() if name.startswith(f"{side}_"))
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in kept)

    def add_rows(self, name: str, number: Tensor, rows: Tensor) -> None:
        """Adds rows [B, *shape] with their numbers int64 [B].

        Raises:
            ValueError: another shape, or another number of numbers.
        """
        for state, value in ((name, rows), (f"{name}_number", number)):
            wanted = (len(rows), *self._widths[state][0])
            if tuple(value.shape) != wanted:
                raise ValueError(f"{state}: rows of shape {list(value.shape)}, must be {list(wanted)}")
            held: list[Tensor] = getattr(self, state)
            held.append(value.detach().to(self.device, self._widths[state][1]))

    def rows(self, name: str) -> Tensor:
        """All rows [N, *shape] of a state, ordered by their numbers."""
        rows, number = (_joined(getattr(self, state)) for state in (name, f"{name}_number"))
        return rows[number.argsort()]

    def _open_rows(self, beginning: str) -> None:
        """torchmetrics gathers lists by their first tensor: a rank without a batch holds an empty one."""
        for name, (shape, dtype) in self._widths.items():
            if name.startswith(beginning) and not getattr(self, name):
                getattr(self, name).append(torch.empty(0, *shape, dtype=dtype, device=self.device))


def _joined(rows: Tensor | list[Tensor]) -> Tensor:
    """torchmetrics leaves a list on one rank, and one tensor after it has gathered them."""
    return rows if isinstance(rows, Tensor) else torch.cat(rows)


def refuse_unless_images(facts: DataFacts, extractor: str, channels: tuple[int, ...]) -> None:
    """Raises OptionError unless the samples are images with one of these numbers of channels."""
    shape = facts.sample_shape
    if len(shape) != 3 or shape[0] not in channels:
        wanted = " or ".join(map(str, channels))
        raise OptionError(
            "features",
            extractor,
            f"takes images of {wanted} channels, and {facts.name} has samples of {shape}; "
            "metric/features=pixels takes anything",
        )
