"""What a recipe carries through a run and its checkpoints: optimizers, clock, counts, validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch, DataFacts
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.precision import home_of_float64
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.interface import Reconstructs, Samples
from ganvas.model.training.descent import Descent
from ganvas.model.training.guard import Guard
from ganvas.model.training.mistakes import Named, check_optimizer, check_trained
from ganvas.model.training.moving import all_schedules, beyond_run
from ganvas.model.training.snapshot import updates_itself


class Lifecycle(pl.LightningModule):
    """The half of every recipe that does not train: see :class:`ganvas.model.training.recipe.Recipe`.

    Attributes:
        examples_seen: real training samples consumed, all ranks together; it travels in the checkpoint.
        batches_seen: global batches consumed; equal to Lightning's ``global_step``.
        rollbacks: how often the run has gone back to a checkpoint; each time on with other draws and data.
        guard: decides about steps whose numbers are not finite; see :meth:`set_non_finite_policy`.
        report: tag -> detached scalar; filled on the steps on which a log is due, else empty.
        validation_report: tag -> number, filled at the end of a validation.
        metrics: name -> number, the newest evaluation.
        micro_batches: parts in which each batch is computed; 1: whole.
        log_period: batches after which everything that a step may do has been done once.
        log_every_batches: how often ``report`` is filled; see :meth:`log_every`.
        reports: every tag that it may report, in training or validation (``codes/`` stands for all that begin
            so); empty where the recipe does not say.
    """

    reports: ClassVar[tuple[str, ...]] = ()
    log_period = 1

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seed = seed
        self.examples_seen = self.batches_seen = self.rollbacks = 0
        self.guard = Guard()
        self.micro_batches = 1
        self.log_every_batches, self.log_due = 1, False
        self.report: dict[str, Tensor] = {}
        self.validation_report: dict[str, float] = {}
        self.metrics: dict[str, float] = {}
        self._descents: dict[str, Descent] = Named("descend", "add_optimizer has named no such optimizer")
        self._scaler_states: dict[str, Any] = {}

    def add_optimizer(
        self,
        name: str,
        build: Callable[[Any], Optimizer],
        networks: Sequence[str],
        *,
        option: str = "optimizer",
        grad_clip: float | None = None,
        average: WeightAverage | None = None,
        interval: int = 1,
        interval_option: str | None = None,
        after_step: Callable[[nn.Module], None] | None = None,
        beside: Sequence[str] = (),
    ) -> None:
        """Says what ``descend(name, ...)`` moves; for a recipe's ``__init__``, once its networks are set.

        Args:
            name: by which logs call it: ``gradient_norm/<name>``, ``learning_rate/<name>``.
            build: parameters to a torch optimizer; of a ``functools.partial`` any number may be a
                :class:`ganvas.functional.schedule.Schedule`.
            networks: names of this recipe's attributes; the optimizer gets their parameters in this order.
            option: the option that ``build`` came from, for errors.
            grad_clip: largest norm of all its gradients together, or None.
            average: a running average of its one network; set it as an attribute of the recipe too.
            interval: batches from one of its steps to the next, by which the average's time passes.
            interval_option: the option that ``interval`` came from, for errors.
            after_step: what is done to its first network after each step, e.g. clipping its weights; doing it
                once more must change nothing.
            beside: names of attributes, modules without parameters, whose buffers the step moves: they are
                put back where it is left out, and are means over ranks.

        Raises:
            OptionError: ``grad_clip`` is not positive; a name is taken, or a network not there.
        """
        check_optimizer(self, name, networks, self._descents)
        require(grad_clip is None or grad_clip > 0, "grad_clip", grad_clip, "must be positive, or null")
        self._descents[name] = Descent(
            name,
            build,
            tuple(networks),
            option=option,
            grad_clip=grad_clip,
            average=average,
            interval=interval,
            interval_option=interval_option,
            after_step=after_step,
            beside=tuple(beside),
        )
        if average is not None:
            require(len(networks) == 1, "add_optimizer", name, "can average one network alone")
            average.track(getattr(self, networks[0]))

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The trained networks by name; compiled and laid out in memory as the accelerator asks."""
        names = [name for descent in self._descents.values() for name in descent.networks]
        return {name: getattr(self, name) for name in dict.fromkeys(names)}

    @property
    def touched(self) -> dict[str, nn.Module]:
        """The networks, and what only has buffers that move with them."""
        names = [name for descent in self._descents.values() for name in descent.touched]
        return {name: getattr(self, name) for name in dict.fromkeys(names)}

    @property
    def sharded_networks(self) -> dict[str, nn.Module]:
        """What accelerator.strategy=fsdp shares out over ranks.

        Not a network that ``updates_itself``: its parameters are read and set beside its forward pass, and
        are few.
        """
        own = {name: one for name, one in self.networks.items() if not updates_itself(one)}
        averages = {
            f"{name}_average": descent.average.average
            for name, descent in self._descents.items()
            if descent.average is not None
        }
        return own | averages

    def begin_with(self, states: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Begins with other weights than those drawn at random; for a recipe that has not trained.

        Args:
            states: name of a network to what its ``state_dict`` shall be. Its average begins as a copy.
        """
        for name, state in states.items():
            self.networks[name].load_state_dict(state)
        for descent in self._descents.values():
            if descent.average is not None and descent.networks[0] in states:
                descent.average.average.load_state_dict(states[descent.networks[0]])

    def why_not_sharded(self) -> str | None:
        """Why accelerator.strategy=fsdp cannot train this recipe, and what can; None where it does."""
        return None

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """One a name, in the order of :meth:`add_optimizer`.

        Raises:
            OptionError: the optimizer refuses an option; a network is in no optimizer.
        """
        check_trained(self, {name: descent.networks for name, descent in self._descents.items()})
        optimizers = []
        for descent in self._descents.values():
            both = [p for name in descent.networks for p in getattr(self, name).parameters()]
            parameters = list(dict.fromkeys(both))  # tied weights once
            try:
                optimizers.append(descent.make([p for p in parameters if p.requires_grad]))
            except OptionError as error:
                raise error.under(f"model.{descent.option}") from None
        return optimizers, []

    def set_non_finite_policy(self, policy: str, max_skips: int) -> None:
        """Sets what happens to a step whose loss or gradient is not finite (see :class:`Guard`)."""
        self.guard = Guard(policy, max_skips)

    def log_every(self, examples: int, batch_size: int, batches: int | None = None) -> None:
        """Logs about every ``examples``, on batches on which everything is done.

        A run of fewer ``batches`` logs once: on the last such batch, or on its last one where there is none.
        """
        wanted = max(1, examples // batch_size)
        every = -(-wanted // self.log_period) * self.log_period
        if batches is not None and every > batches:
            every = batches // self.log_period * self.log_period or batches
        self.log_every_batches = every

    def step_intervals(self) -> list[tuple[str, int, str | None]]:
        """Of each optimizer its name, the batches from one of its steps to the next, and their option."""
        return [(name, one.interval, one.interval_option) for name, one in self._descents.items()]

    def remarks(self) -> list[str]:
        """What its parts do badly together, a line each; it trains all the same."""
        return []

    def unended(self) -> list[str]:
        """Schedules that never move because nobody says when the run ends, a line each."""
        return beyond_run(all_schedules(self, self._descents.values()), None)

    def out_of_reach(self, batches: int, examples: int) -> list[str]:
        """What the recipe's options ask for and a run of so many batches never does, a line each.

        A line begins with ``model.option=value: ``. That an optimizer makes a step is looked at elsewhere.
        """
        return beyond_run(all_schedules(self, self._descents.values()), examples)

    @torch.no_grad()
    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the networks fit samples like ``x`` [B, ...]; changes no state."""
        if isinstance(self, Reconstructs):
            _check_shape("decoder", self.reconstruct(x).x, x)
        elif isinstance(self, Samples):
            _check_shape("generator", self.samples_to_check(), x)

    def samples_to_check(self) -> Tensor:
        """Two samples of the shape that a training batch must have, where the recipe makes samples."""
        assert isinstance(self, Samples)
        return self.sample(2, 0, ema=False)

    def check_first_batch(self, x: Tensor, samples: int) -> None:
        """Called once before a training that begins with the recipe's own weights. Nothing, by default.

        Args:
            x: some samples [B, ...].
            samples: how many one forward pass has, of all processes together.

        Raises:
            OptionError: a part is made of the first batch's samples, and these are too few.
        """

    def check_data(self, facts: Callable[[], DataFacts]) -> None:
        """Called once before training: parts load what belongs to the data. Nothing, where none does.

        Args:
            facts: of the data; to ask costs a look at all training samples.

        Raises:
            OptionError: the data are not of a part's kind, or something is missing.
        """

    def rests_on(self) -> dict[str, object]:
        """Plain values that name what training reads and no checkpoint holds, such as the weights of a frozen
        network; after :meth:`check_data`. A resumed run whose values differ is refused."""
        return {}

    @classmethod
    def reported_with(cls, parts: Mapping[str, type | None]) -> tuple[str, ...]:  # noqa: ARG003  # hook
        """``reports`` without what never comes of parts of these classes.

        Args:
            parts: argument of the constructor -> class of what it is given; None where it is left out.
        """
        return cls.reports

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        """Sums over a held-out batch's samples [B, ...], each of any shape, or sparse; networks in eval mode.

        Nothing, where the recipe has no validation.
        """
        return {}

    def validation_metrics(self, sums: Mapping[str, Tensor], count: int) -> dict[str, float]:
        """What is reported under ``validation/``, from the sums over the split's ``count`` samples: means."""
        return {name: value.item() / count for name, value in sums.items()}

    def on_validation_epoch_start(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if len(batch.x) == 0:  # a rank's share of the last batch can be empty
            return
        home = home_of_float64(self.device)
        for name, value in self.validation_sums(batch).items():
            total = value.detach().to(home, torch.float64)
            self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._count += len(batch.x)

    def on_validation_epoch_end(self) -> None:
        sums, count = sums_of_all_ranks(self._sums, self._count, self.device)
        values = self.validation_metrics(sums, count) if sums else {}
        self.validation_report = {f"validation/{name}": value for name, value in values.items()}

    def clock(self) -> dict[str, int]:
        """The counters that a checkpoint carries."""
        return {name: getattr(self, name) for name in ("examples_seen", "batches_seen", "rollbacks")}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["ganvas_clock"] = self.clock()
        checkpoint["ganvas_guard"] = self.guard.state()
        scalers = {name: one.scaler.state_dict() for name, one in self._descents.items() if one.scaler}
        if scalers:
            checkpoint["ganvas_scalers"] = scalers

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        rollbacks = self.rollbacks  # one that was just decided is not in the checkpoint that it goes back to
        for name, value in checkpoint["ganvas_clock"].items():
            counter = name in self.clock() and type(value) is int and value >= 0
            require(counter, f"ganvas_clock.{name}", value, "is no counter of this model; resume another run")
            setattr(self, name, value)
        self.rollbacks = max(self.rollbacks, rollbacks)
        if "ganvas_guard" in checkpoint:
            self.guard.load_state(checkpoint["ganvas_guard"])
        self._scaler_states = checkpoint.get("ganvas_scalers", {})


def sums_of_all_ranks(
    sums: Mapping[str, Tensor], count: int, device: torch.device
) -> tuple[dict[str, Tensor], int]:
    """Each sum and the count over all ranks; a rank without a sample learns from the others which."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return dict(sums), count
    shapes: list[Any] = [None] * torch.distributed.get_world_size()
    said = {name: (list(value.shape), value.layout) for name, value in sums.items()}
    torch.distributed.all_gather_object(shapes, said)
    known: dict[str, Any] = next((shape for shape in shapes if shape), {})
    home = home_of_float64(device)
    zeros = {
        name: torch.zeros(shape, dtype=torch.float64, device=home, layout=layout)
        for name, (shape, layout) in known.items()
    }
    total = int(sum_over_ranks(torch.tensor(count, device=device)))
    return {name: _over_ranks(sums.get(name, zeros[name])) for name in known}, total


def _over_ranks(value: Tensor) -> Tensor:
    if not value.is_sparse:
        return sum_over_ranks(value)
    value = value.coalesce()
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, (value.indices().cpu(), value.values().cpu()))
    places, numbers = (torch.cat(side, dim=-1) for side in zip(*parts, strict=True))
    summed = torch.sparse_coo_tensor(
        places, numbers, value.shape, device=value.device, check_invariants=False
    )
    return summed.coalesce()


def _check_shape(network: str, made: Tensor, wanted: Tensor) -> None:
    """Raises OptionError where a network makes samples of another shape than the data's."""
    if made.shape[1:] != wanted.shape[1:]:
        raise OptionError(
            network,
            list(wanted.shape[1:]),
            f"the {network} makes samples of {list(made.shape[1:])}; choose a data.image_size and "
            "data.channels that it can make, or another network",
        )
