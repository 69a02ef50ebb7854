"""A batch in several parts, so that a step needs the memory of one: gradients are summed over the parts.

A GAN's generator must see the discriminator as its step on the whole batch has left it. So a step that moves
several networks runs over the parts once for each of them: what comes before the descent that is due is
computed again, and leaves no trace. It is computed with the weights of then: a step must not read, after a
descent, what it computed before with the networks which that has moved (a discriminator moves before the
generator whose samples it reads), or its parts are not what the whole batch is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from torch import Tensor

from ganvas.functional.batch import Batch
from ganvas.functional.random import Draws, hash64, seed_torch
from ganvas.model.training.snapshot import BufferSnapshot


class _EndOfPart(Exception):
    """The part has done what it is there for now."""


class MicroBatches:
    """Runs a recipe's ``step`` over equal parts of each batch.

    Samples and draws are those of the undivided batch, so the sum of the parts is its step to float noise,
    but for what couples samples: BatchNorm, quantizers that update themselves, and heads that compare samples
    with each other (contrastive, d2d_ce) see one part at a time. Of a VQ-VAE that is: H(E p) of an entropy
    loss (``entropy_diversity``), the start of the codes, by k-means too, running means, restarts, noise, and
    usage. Reconstruction, codebook and commitment losses, E H(p), gumbel's divergence and the orthogonal loss
    are means over vectors, or of the codes alone, and those of the whole batch.

    Args:
        count: parts of a rank's share of the batch, which it must divide.
        snapshots: of all networks.
    """

    def __init__(self, count: int, snapshots: Iterable[BufferSnapshot]) -> None:
        self.count, self._snapshots = count, list(snapshots)

    def run(self, step: Callable[[Batch, Draws], None], batch: Batch, draws: Draws) -> None:
        """The whole of a training step."""
        labels = [None] * self.count if batch.label is None else batch.label.chunk(self.count)
        parts = [Batch(x, label) for x, label in zip(batch.x.chunk(self.count), labels, strict=True)]
        self._due, self._again = 0, True
        self._means: dict[int, list[Tensor]] = {}
        while self._again:
            self._again = False
            self._notes: dict[str, Tensor] = {}
            self._loss: Tensor | None = None
            for self._number, part in enumerate(parts):
                self._reached = 0
                self._keep()
                seed_torch(hash64(draws.seed, draws.rank, draws.step, self._number, "part"), draws.device)
                with contextlib.suppress(_EndOfPart):
                    step(part, draws.part(self._number, self.count))
            self._due += 1

    def is_due(self) -> bool:
        """Asked by each descent: whether it is the one that the parts run for; ends the part after it.

        Where it is not, it was made already, and what was computed for it again is undone.
        """
        number, self._reached = self._reached, self._reached + 1
        if number > self._due:  # there is one more to run for
            self._again = True
            self._undo()
            raise _EndOfPart
        if number < self._due:
            self._undo()
        return number == self._due

    def mean(
        self, compute: Callable[[], list[Tensor]], over_ranks_: Callable[[list[Tensor]], None]
    ) -> list[Tensor]:
        """The mean over all parts of what each computes, for what comes after it in the step.

        It takes a pass of its own over the parts, like a descent; later ones are given what it found.
        """
        number, self._reached = self._reached, self._reached + 1
        if number < self._due:
            return self._means[number]
        if number == self._due:
            values = [value / self.count for value in compute()]
            earlier = self._means.get(number)
            self._means[number] = (
                values if earlier is None else [a + b for a, b in zip(earlier, values, strict=True)]
            )
            if self._number == self.count - 1:
                over_ranks_(self._means[number])
        self._again = True
        self._undo()
        raise _EndOfPart

    @property
    def number(self) -> int:
        """Of the part that is computed now, from 0."""
        return self._number

    @property
    def is_first(self) -> bool:
        return self._number == 0

    def add(self, loss: Tensor, notes: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Takes up one part's loss and notes; gives those of the whole batch after the last part."""
        self._loss = loss / self.count + (0.0 if self._loss is None else self._loss)
        for tag, value in notes.items():
            self._notes[tag] = value / self.count + self._notes.get(tag, 0.0)
        notes.clear()
        if self._number < self.count - 1:
            raise _EndOfPart
        return self._loss, self._notes

    def _keep(self) -> None:
        for snapshot in self._snapshots:
            snapshot.take()

    made = _keep

    def _undo(self) -> None:
        for snapshot in self._snapshots:
            snapshot.restore()
