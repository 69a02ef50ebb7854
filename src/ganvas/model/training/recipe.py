"""The base of every recipe: a recipe's ``step`` is its algorithm, and all else of a training step is here."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import operator
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.distributed import mean_over_ranks_
from ganvas.functional.gradients import clip_gradients, norm_over_ranks
from ganvas.functional.random import Draws, hash64, seed_torch
from ganvas.functional.sharding import is_sharded
from ganvas.model.training.descent import Descent
from ganvas.model.training.harness import Harness
from ganvas.model.training.mistakes import wrong_step, wrong_terms, wrong_value
from ganvas.model.training.snapshot import running_statistics


class Recipe(Harness):
    """A recipe sets its networks and losses as attributes, says what is optimized, and writes its ``step``.

        class Autoencoder(Recipe):
            def __init__(self, *, encoder, decoder, optimizer, seed):
                super().__init__(seed=seed)
                self.encoder, self.decoder = encoder, decoder
                self.add_optimizer("autoencoder", optimizer, ["encoder", "decoder"])

            def step(self, batch, draws):
                loss = mse_loss(self.decoder(self.encoder(batch.x)), batch.x)
                self.descend("autoencoder", {"loss/reconstruction": loss})

    A step is a function of the weights, the batch and the draws. What it reads beside them (torch's own
    random stream as in dropout, BatchNorm's statistics) is put in order around it, so that a run resumes to
    the bit, trains alike on one process and many, and leaves nothing of a step that was skipped.
    """

    def step(self, batch: Batch, draws: Draws) -> None:
        """One batch: forward passes, and one :meth:`descend` for each network that moves.

        A network moves after those that read what it made: a discriminator before its generator. What needs a
        forward pass of a network is noted before the network moves: afterwards its statistics would no longer
        be made means over ranks, nor what is noted a mean over micro-batches.

        Args:
            batch: this rank's share of the global batch.
            draws: this step's random numbers; nothing else random may be asked but torch's global stream.
        """
        raise wrong_step(type(self).__name__, "has no step of its own; write def step(self, batch, draws)")

    @property
    def global_batch_size(self) -> int:
        """Samples of the batch at hand, of all ranks and micro-batches."""
        return self._global_batch_size

    def every(self, batches: int) -> bool:
        """Whether this batch is the last of so many; logs fall on such batches too (``log_period``)."""
        return self.batches_seen % batches == batches - 1

    def note(self, values: Mapping[str, Tensor]) -> None:
        """Scalars for the logs, by tag; those under ``loss/`` are also looked at where numbers break."""
        for tag, value in values.items():
            try:
                self._noted[tag] = value.detach()
            except AttributeError:
                raise wrong_value(tag, value) from None

    @contextmanager
    def frozen(self, *networks: str) -> Iterator[None]:
        """No gradients for these networks' parameters inside; samples' gradients still pass through."""
        trainable = itertools.chain(*[self._trainable[name] for name in networks])
        parameters = [parameter for parameter in trainable if parameter.requires_grad]
        for parameter in parameters:
            parameter.requires_grad = False
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad = True

    def whole_batch(self, values: Tensor) -> Tensor:
        """Values [B, ...] of this share of the batch to those of the global batch, detached.

        For what compares samples of one batch. With micro-batches it takes one more pass over them. The same
        on all ranks.
        """
        parts = self._parts
        slots = self._world_size * (1 if parts is None else parts.count)

        def placed() -> list[Tensor]:
            slot = self._rank if parts is None else self._rank * parts.count + parts.number
            placed = values.new_zeros(slots, *values.shape)
            placed[slot] = values.detach() * slots  # a mean of all is taken of it
            return [placed]

        if parts is not None:
            (found,) = parts.mean(placed, mean_over_ranks_)
        else:
            (found,) = all_values = placed()
            mean_over_ranks_(all_values)
        return found.flatten(0, 1)

    def gradients_at(self, parameter: Tensor, *terms: Tensor) -> list[Tensor]:
        """Each term's gradient at one parameter, e.g. to weigh terms by its norm; to be asked before descend.

        The same on all ranks and with any number of micro-batches (which cost one more pass for it): of the
        global batch's mean of a term, which must be a scalar that depends on the parameter; detached.
        """
        if is_sharded(parameter):
            reason = "cannot take gradients at one parameter; accelerator.strategy=ddp"
            raise OptionError("accelerator.strategy", "fsdp", reason)

        def own() -> list[Tensor]:
            return [torch.autograd.grad(term, parameter, retain_graph=True)[0] for term in terms]

        if self._parts is not None:
            return self._parts.mean(own, mean_over_ranks_)
        gradients = own()
        mean_over_ranks_(gradients)
        return gradients

    # In one piece: a step of a small network is short enough for calls to show.
    def descend(self, name: str, terms: Mapping[str, Tensor]) -> bool | Tensor:  # noqa: C901, PLR0912, PLR0915
        """One optimizer step against the sum of ``terms``, unless its numbers are not finite.

        Backward, the mean over ranks, the norm, the guard, clipping, the step and the weights' average. What
        forward passes changed of networks that a skipped step was to move is undone.

        Args:
            name: of the optimizer (see ``add_optimizer``).
            terms: scalars by their tags in the logs; added in this order.

        Returns:
            Whether the step was made; on an accelerator a scalar there.

        Raises:
            NonFiniteError: where the guard stops or rolls back; all networks are as at the step's begin. On
                an accelerator one batch later (see ``device_guard.py``).
        """
        descent, parts, noted = self._descents[name], self._parts, self._noted
        if parts is not None and not parts.is_due():
            noted.clear()
            return True
        if self._descended and len(self._descents) == 1:
            reason = "moves twice in one batch; add up its terms, or add an optimizer for the second step"
            raise wrong_step(f"descend({name!r})", reason)
        for tag, value in terms.items():
            try:
                noted[tag] = value.detach()
            except AttributeError:
                raise wrong_value(tag, value) from None
        loss = functools.reduce(operator.add, terms.values())
        if loss.ndim or not loss.requires_grad:
            raise wrong_terms(name, terms)
        if parts is None or parts.is_first:
            if self._listeners:
                self._tell("on_before_zero_grad", descent.optimizer)
            descent.optimizer.zero_grad()
        if self._listeners:
            self._tell("on_before_backward", loss)
        share = loss if parts is None else loss / parts.count
        (share if descent.scaler is None else descent.scaler.scale(share)).backward()
        if self._listeners:
            self._tell("on_after_backward")
        loss = loss.detach()
        if parts is not None:
            loss, noted = parts.add(loss, noted)
            self._noted = noted
        if self._is_distributed:
            self._mean_over_ranks(descent, loss := loss.clone())
        if descent.schedules:
            descent.move_options(self.examples_seen)
        if descent.scaler is not None:
            if self._device_guard is not None:
                self._device_guard.show_to_scaler(descent, loss)
            descent.scaler.unscale_(descent.optimizer)
        if self._listeners:
            self._tell("on_before_optimizer_step", descent.optimizer)
        gradients = [p.grad for p in descent.parameters if p.grad is not None]
        if self._is_sharded or not gradients:
            norm = norm_over_ranks(gradients)
        else:
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        noted[f"gradient_norm/{name}"] = norm
        if self._device_guard is not None:
            undone = dict.fromkeys(descent.touched + self._descended)
            made: bool | Tensor = self._device_guard.step(
                descent,
                self._describe(name),
                loss=loss,
                norm=norm,
                examples=self._global_batch_size,
                seen=self.examples_seen + self._global_batch_size,
                snapshots=[self._snapshots[one] for one in undone if one in self._snapshots],
            )
        elif made := self._is_finite(descent, loss, norm):
            if descent.grad_clip is not None:
                clip_gradients(descent.parameters, descent.grad_clip, norm)
            if descent.scaler is None:
                descent.optimizer.step()
            else:  # passes over gradients that overflowed
                descent.scaler.step(descent.optimizer)
            if descent.average is not None:
                batch = self._global_batch_size
                descent.average.update(descent.network, batch * descent.interval, self.examples_seen + batch)
        else:
            self._restore(descent.touched + self._descended)
        if descent.after_step is not None and made is not False:
            descent.after_step(descent.network)
        if made is not False and self._snapshots and len(self._descents) > 1:
            self._snapshot(descent.touched)  # a later descent may run these networks once more
        if descent.scaler is not None:
            descent.scaler.update()
        any_made = made if self._any_made is False else self._any_made | made
        if self.log_due:
            noted[f"learning_rate/{name}"] = torch.tensor(descent.optimizer.param_groups[0]["lr"])
            self.report |= noted
        vars(self).update(_noted={}, _any_made=any_made, _descended=self._descended + descent.touched)
        if parts is not None:
            parts.made()
        return made

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Lightning's: :meth:`step` with its surroundings."""
        if self._device_guard is not None:
            self._device_guard.settle()
        draws = self.begin_step(batch)
        if self._parts is None:
            self.step(batch, draws)
        else:
            self._parts.run(self.step, batch, draws)
        self.end_step()

    # Lightning asks at every batch which arguments it takes; this spares it to find out.
    training_step.__signature__ = inspect.signature(training_step)  # type: ignore[attr-defined]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Lightning's, after those of the callbacks that it calls itself."""
        agenda = self.agenda
        if agenda is not None and (
            self.report
            or self._is_distributed
            or self.examples_seen >= agenda.examples
            or time.monotonic() >= agenda.time
            or agenda.now
            or self.trainer.should_stop
        ):
            agenda(self.trainer, self, outputs, batch, batch_idx)

    def begin_step(self, batch: Batch) -> Draws:
        """Opens a training step: its draws, and torch's own stream (dropout) as functions of the step."""
        seed = hash64(self.seed, "rollback", self.rollbacks) if self.rollbacks else self.seed
        seed_torch(hash64(seed, self._rank, self.batches_seen, "step"), self.device)
        if self._snapshots:
            self._snapshot(self._snapshots)
        for begin in self._begin:
            begin()
        for part in self._scheduled:
            part.move_numbers(self.examples_seen)
        vars(self).update(  # torch looks through parameters and submodules at every assignment to a module
            log_due=(self.batches_seen + 1) % self.log_every_batches == 0,
            report={},
            _noted={},
            _x=batch.x,
            _global_batch_size=len(batch.x) * self._world_size,
            _descended=(),
            _any_made=False,
        )
        return Draws(seed, self.batches_seen, self._rank, self._world_size, self.device)

    def end_step(self) -> None:
        """Closes a training step: the clock moves by the global batch, also where a step was skipped."""
        if isinstance(self._any_made, Tensor):
            for snapshot in self._snapshots.values():
                snapshot.restore_unless(self._any_made)
        if self._descended and self._any_made is False:
            self._restore(self._touched)
        elif self._is_distributed:
            # In one order on all ranks; nothing has made means of their statistics yet.
            left = [one for name, one in self._touched.items() if name not in self._descended]
            mean_over_ranks_([value for network in left for value in running_statistics(network)])
        if self.log_due:
            self._finish_report()
        if self._device_guard is not None:
            self._device_guard.end_batch()
        for count in self._count_batch:
            count()
        vars(self).update(
            batches_seen=self.batches_seen + 1, examples_seen=self.examples_seen + self._global_batch_size
        )

    def _is_finite(self, descent: Descent, loss: Tensor, norm: Tensor) -> bool:
        """Whether the step may be made; nothing has moved yet, and all ranks say the same.

        Under float16 a scaler looks at the gradients, where overflow is usual, and skips by itself.
        """
        checked = loss if descent.scaler is not None else loss + norm
        if math.isfinite(checked.item()):
            self.guard.last_terms[descent.name] = self._noted
            self.guard.consecutive_skips[descent.name] = 0
            return True
        self._judge(self._describe(descent.name), made=False)
        return False
