"""The base of every recipe: a recipe's ``step`` is its algorithm, and all else of a training step is here."""

from __future__ import annotations

import copy
import functools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.distributed import (
    is_distributed,
    mean_over_ranks_,
    rank,
    sum_over_ranks,
    world_size,
)
from ganvas.functional.finite import non_finite_name
from ganvas.functional.random import Draws, hash64, seed_torch
from ganvas.functional.sharding import is_sharded
from ganvas.model.training.descent import Descent
from ganvas.model.training.guard import looked_at
from ganvas.model.training.lifecycle import Lifecycle
from ganvas.model.training.lightning_internals import count_batch, listeners
from ganvas.model.training.micro_batches import MicroBatches
from ganvas.model.training.mistakes import Named, wrong_step, wrong_terms, wrong_value
from ganvas.model.training.snapshot import BufferSnapshot, running_statistics, tensors_changed_by_forward


class Recipe(Lifecycle):
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

    _is_distributed, _rank, _world_size = False, 0, 1

    def __init__(self, *, seed: int) -> None:
        super().__init__(seed=seed)
        self._snapshots: dict[str, BufferSnapshot] = {}
        self._listeners: dict[str, list[Any]] = {}
        self._parts: MicroBatches | None = None
        self._noted: dict[str, Tensor] = {}
        self._descended: tuple[str, ...] = ()
        self._any_made = False

    def step(self, batch: Batch, draws: Draws) -> None:
        """One batch: forward passes, and one :meth:`descend` for each network that moves.

        A network moves after those that read what it made: a discriminator before its generator.

        Args:
            batch: this rank's share of the global batch.
            draws: this step's random numbers; nothing else random may be asked but torch's global stream.
        """
        raise wrong_step(type(self).__name__, "has no step of its own; write def step(self, batch, draws)")

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
        parameters = [p for name in networks for p in self._trainable[name]]
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)

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

    def descend(self, name: str, terms: Mapping[str, Tensor]) -> bool:
        """One optimizer step against the sum of ``terms``, unless its numbers are not finite.

        Backward, the mean over ranks, the norm, the guard, clipping, the step and the weights' average. What
        forward passes changed of networks that a skipped step was to move is undone.

        Args:
            name: of the optimizer (see ``add_optimizer``).
            terms: scalars by their tags in the logs; added in this order.

        Returns:
            Whether the step was made.

        Raises:
            NonFiniteError: where the guard stops or rolls back; all networks are as at the step's begin.
        """
        descent, parts = self._descents[name], self._parts
        if parts is not None and not parts.is_due():
            self._noted.clear()
            return True
        self.note(terms)
        loss = functools.reduce(operator.add, terms.values())
        if loss.ndim or not loss.requires_grad:
            raise wrong_terms(name, terms)
        if parts is None or parts.is_first:
            descent.optimizer.zero_grad()
            self._tell("on_before_zero_grad", descent.optimizer)
        self._tell("on_before_backward", loss)
        share = loss if parts is None else loss / parts.count
        (share if descent.scaler is None else descent.scaler.scale(share)).backward()
        self._tell("on_after_backward")
        loss = loss.detach()
        if parts is not None:
            loss, self._noted = parts.add(loss, self._noted)
        if self._is_distributed:
            self._mean_over_ranks(descent, loss := loss.clone())
        self._tell("on_before_optimizer_step", descent.optimizer)
        norm = self._noted[f"gradient_norm/{name}"] = descent.prepare(self.examples_seen)
        made = self._is_finite(descent, loss, norm)
        if made:
            descent.step(norm, self._global_batch_size)
            if len(self._descents) > 1:  # a later descent may run these networks once more
                self._snapshot(descent.networks)
        else:
            self._restore(descent.networks + self._descended)
            descent.skip()
        self._descended += descent.networks
        self._any_made = self._any_made or made
        if self.log_due:
            self._noted[f"learning_rate/{name}"] = descent.learning_rate
            self.report |= self._noted
        self._noted = {}
        if parts is not None:
            parts.made()
        return made

    def on_train_start(self) -> None:
        """Looks up what would otherwise be looked for at every step; buffers and parameters are final now."""
        self._is_distributed, self._rank, self._world_size = is_distributed(), rank(), world_size()
        trainable = {
            name: [p for p in network.parameters() if p.requires_grad]
            for name, network in self.networks.items()
        }
        self._trainable = Named("frozen", "no optimizer moves a network of this name", trainable)
        changed = {name: list(tensors_changed_by_forward(one)) for name, one in self.networks.items()}
        self._snapshots = {name: BufferSnapshot(places) for name, places in changed.items() if places}
        if self.micro_batches > 1:
            snapshots = [BufferSnapshot(places) for places in changed.values()]
            self._parts = MicroBatches(self.micro_batches, snapshots)
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        optimizers = self.trainer.strategy.optimizers
        for descent, optimizer in zip(self._descents.values(), optimizers, strict=True):
            own = None if scaler is None else copy.deepcopy(scaler)
            if own is not None and descent.name in self._scaler_states:
                own.load_state_dict(self._scaler_states[descent.name])
            descent.start(optimizer, [getattr(self, name) for name in descent.networks], own)
        self._listeners = listeners(self.trainer)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Lightning's: :meth:`step` with its surroundings."""
        draws = self.begin_step(batch)
        if self._parts is None:
            self.step(batch, draws)
        else:
            self._parts.run(self.step, batch, draws)
        self.end_step()

    def begin_step(self, batch: Batch) -> Draws:
        """Opens a training step: its draws, and torch's own stream (dropout) as functions of the step."""
        seed = hash64(self.seed, "rollback", self.rollbacks) if self.rollbacks else self.seed
        seed_torch(hash64(seed, self._rank, self.batches_seen, "step"), self.device)
        if self._snapshots:
            self._snapshot(self._snapshots)
        self.log_due = (self.batches_seen + 1) % self.log_every_batches == 0
        self._x, self._global_batch_size = batch.x, len(batch.x) * self._world_size
        self.report, self._noted = {}, {}
        self._descended, self._any_made = (), False
        return Draws(seed, self.batches_seen, self._rank, self._world_size, self.device)

    def end_step(self) -> None:
        """Closes a training step: the clock moves by the global batch, also where a step was skipped."""
        if self._descended and not self._any_made:
            self._restore(self.networks)
        elif self._is_distributed:
            left = self.networks.keys() - self._descended  # nothing has made their statistics means yet
            mean_over_ranks_([value for name in left for value in running_statistics(getattr(self, name))])
        if self.log_due:
            self._finish_report()
        count_batch(self.trainer)
        self.batches_seen += 1
        self.examples_seen += self._global_batch_size

    def _finish_report(self) -> None:
        if not self._descended:
            reason = (
                "moved nothing on a batch on which it does everything; call self.descend, or set log_period"
            )
            raise wrong_step(type(self).__name__, reason)
        self.report |= self._noted
        for tag, value in self.report.items():
            if value.ndim:
                raise wrong_value(tag, value)
        if self.guard.total:
            self.report["non_finite/skipped"] = torch.tensor(float(self.guard.total))
        if self._is_distributed and self.report:
            # Each is the mean over its rank's share of the batch, or the same on all.
            values = torch.stack([value.to(self.device, torch.float64) for value in self.report.values()])
            mean_over_ranks_([values])
            self.report = dict(zip(self.report, values, strict=True))

    def _mean_over_ranks(self, descent: Descent, loss: Tensor) -> None:
        """Gradients of the global batch's mean loss: one flat all-reduce, after any double backward.

        With it go the loss, so that all ranks decide alike about the step, and the running statistics of the
        networks that nothing will be differentiated through any more: each rank's are of its share of the
        batch (under accelerator.sync_batchnorm of all, and their mean changes nothing). Backward has made the
        gradients of sharded parameters means already.
        """
        gradients = [p.grad for p in descent.parameters if p.grad is not None and not is_sharded(p.grad)]
        names = dict.fromkeys(descent.networks + self._descended)
        statistics = [value for name in names for value in running_statistics(getattr(self, name))]
        mean_over_ranks_([*gradients, *statistics, loss])

    def _is_finite(self, descent: Descent, loss: Tensor, norm: Tensor) -> bool:
        """Whether the step may be made; nothing has moved yet, and all ranks say the same.

        Under float16 a scaler looks at the gradients, where overflow is usual, and skips by itself.
        """
        checked = loss if descent.scaler is not None else loss + norm
        if math.isfinite(checked.item()):  # an accelerator's host waits for it this once
            self.guard.note_made(descent.name, self._noted)
            return True
        broken = self._first_broken() or f"loss/{descent.name}"
        where = f"batch {self.batches_seen + 1}, after {self.examples_seen:,} examples"
        if self.guard.skips(descent.name, broken, where):
            return False
        self._restore(self.networks)
        parameters = {name: dict(network.named_parameters()) for name, network in self.networks.items()}
        raise self.guard.error(broken, where, non_finite_name(parameters))

    def _first_broken(self) -> str | None:
        """``data`` or the first noted term that is not finite on any rank; the same answer on all of them."""
        numbers = {"data": (self._x * 0).sum(), **looked_at(self._noted)}  # 0 * inf is NaN
        stacked = torch.stack([number.detach().to(self.device, torch.float32) for number in numbers.values()])
        finite = sum_over_ranks(stacked).isfinite().tolist()
        return next((name for name, good in zip(numbers, finite, strict=True) if not good), None)

    def _snapshot(self, networks: Iterable[str]) -> None:
        for name in networks:
            if name in self._snapshots:
                self._snapshots[name].take()

    def _restore(self, networks: Iterable[str]) -> None:
        """Undoes what forward passes have changed in these networks since their last snapshot."""
        for name in dict.fromkeys(networks):
            if name in self._snapshots:
                self._snapshots[name].restore()

    def _tell(self, hook: str, *arguments: Any) -> None:
        """Lightning's hooks between backward and step, for a user's callbacks; ours have none of them."""
        for callback in self._listeners.get(hook, ()):
            getattr(callback, hook)(self.trainer, self, *arguments)
