"""The GAN recipe: alternating steps of a discriminator and a generator by manual optimization.

One batch: the generator's fakes are made once and serve both networks (Radford 2015's loop); the
discriminator steps on every batch, the generator on every ``d_steps_per_g_step``-th. Lightning counts
the discriminator's steps alone, so ``global_step`` is the number of batches. A step whose loss or gradients
are not finite may be skipped, each network's for itself; it counts all the same.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch
from ganvas.functional.distributed import is_distributed, mean_over_ranks_, sum_over_ranks
from ganvas.functional.gradients import clip_gradients, gradient_norm
from ganvas.functional.latents import latent
from ganvas.functional.random import hash64
from ganvas.functional.sharding import is_sharded
from ganvas.model.adversarial_loss.interface import AdversarialLoss
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.gradient_penalty.interface import GradientPenalty
from ganvas.model.recipe import Recipe, check_shape, running_statistics


class GAN(Recipe):
    """Generative adversarial network (Goodfellow 2014, arXiv:1406.2661) with exchangeable parts.

    Args:
        latent_dim: length of the latent vector, drawn from N(0, 1).
        generator: latents [B, latent_dim] to samples in [-1, 1] (see the part's interface).
        discriminator: samples to logits [B].
        adversarial_loss: both sides' losses.
        gradient_penalty: added to the discriminator's loss, or None.
        ema: average of the generator's weights that images and metrics use, or None.
        generator_optimizer: parameters to a torch optimizer.
        discriminator_optimizer: likewise.
        d_steps_per_g_step: batches (discriminator steps) per generator step; 5 is usual for critics.
        grad_clip: largest gradient norm of each network, or None.
        seed: the run's seed.

    Attributes:
        generator_steps: steps of the generator that came due; skipped ones count, as in ``global_step``.

    Raises:
        OptionError: sizes that are not positive.
    """

    averages_gradients = True
    reports = (
        "loss/discriminator", "loss/generator", "loss/gradient_penalty", "gradient_norm/discriminator",
        "gradient_norm/generator", "logits/real", "logits/fake", "accuracy/real", "accuracy/fake",
        "accuracy/pairs", "learning_rate/discriminator", "learning_rate/generator",
        "validation/real_logits", "validation/real_accuracy",
    )  # fmt: skip

    def __init__(
        self,
        *,
        latent_dim: int,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial_loss: AdversarialLoss,
        gradient_penalty: GradientPenalty | None,
        ema: WeightAverage | None,
        generator_optimizer: Callable[[Any], Optimizer],
        discriminator_optimizer: Callable[[Any], Optimizer],
        d_steps_per_g_step: int,
        grad_clip: float | None,
        seed: int,
    ) -> None:
        super().__init__(seed=seed)
        require(latent_dim > 0, "latent_dim", latent_dim, "must be at least 1; 100 is usual")
        require(d_steps_per_g_step > 0, "d_steps_per_g_step", d_steps_per_g_step, "must be at least 1")
        require(grad_clip is None or grad_clip > 0, "grad_clip", grad_clip, "must be positive, or null")
        self.automatic_optimization = False
        self.latent_dim = latent_dim
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_loss, self.gradient_penalty = adversarial_loss, gradient_penalty
        self.ema = ema
        if ema is not None:
            ema.track(generator)
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        self.d_steps_per_g_step, self.grad_clip = d_steps_per_g_step, grad_clip
        if gradient_penalty is not None and any(_is_batch_norm(m) for m in discriminator.modules()):
            warnings.warn(
                "a gradient penalty is per sample, and BatchNorm in the discriminator couples the samples of "
                "a batch (Gulrajani 2017, section 4); model.discriminator.norm=none or spectral",
                stacklevel=2,
            )
        self.generator_steps = 0
        self._find_parameters()

    def _find_parameters(self) -> None:
        """Not a walk through the networks at every step."""
        self._discriminator_parameters = list(self.discriminator.parameters())
        self._generator_parameters = list(self.generator.parameters())

    def on_train_start(self) -> None:
        super().on_train_start()
        self._find_parameters()  # sharding has replaced them

    @property
    def log_period(self) -> int:
        penalty_interval = self.gradient_penalty.interval if self.gradient_penalty is not None else 1
        return math.lcm(self.d_steps_per_g_step, penalty_interval)

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def sharded_networks(self) -> dict[str, nn.Module]:
        average = {} if self.ema is None else {"average": self.ema.average}
        return self.networks | average

    def why_not_sharded(self) -> str | None:
        if self.gradient_penalty is not None:
            return "cannot differentiate twice; model/gradient_penalty=none, or accelerator.strategy=ddp"
        return None

    def clock(self) -> dict[str, int]:
        return super().clock() | {"generator_steps": self.generator_steps}

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        generator = _build_optimizer(self.generator_optimizer, self.generator, "generator_optimizer")
        discriminator = _build_optimizer(
            self.discriminator_optimizer, self.discriminator, "discriminator_optimizer"
        )
        return [generator, discriminator], []

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        real, label = batch.x, batch.label
        draws = self.begin_step()
        self.report = {}
        steps_generator = self._steps_generator
        z = draws.normal("latent", real.shape[0], self.latent_dim)  # [B, latent_dim]
        with torch.set_grad_enabled(steps_generator):
            fake = self.generator(z, label)  # [B, ...] in [-1, 1]
        made = self._discriminator_step(real, fake.detach(), label, draws)
        if steps_generator:
            self.snapshot("discriminator")  # this step runs it once more
            self._generator_step(real, fake, label)
        elif not made:
            self.restore("generator")
        self.end_step(real.shape[0])

    @property
    def _steps_generator(self) -> bool:
        return _last_of(self.d_steps_per_g_step, self.batches_seen)

    def _discriminator_step(self, real: Tensor, fake: Tensor, label: Tensor | None, draws: Any) -> bool:
        """Returns whether the step was made and not skipped."""
        optimizer = self.optimizers()[1]  # type: ignore[index]
        real_logits = self.discriminator(real, label)  # [B]
        fake_logits = self.discriminator(fake, label)  # [B]
        loss = self.adversarial_loss.discriminator(real_logits=real_logits, fake_logits=fake_logits)
        penalty = None
        if self.gradient_penalty is not None and _last_of(self.gradient_penalty.interval, self.batches_seen):
            penalty = self.gradient_penalty(
                lambda x: self.discriminator(x, label), real=real, fake=fake, draws=draws
            )
        terms = {"loss/discriminator": loss.detach()}
        if penalty is not None:
            loss, terms["loss/gradient_penalty"] = loss + penalty, penalty.detach()
        optimizer.zero_grad()
        loss = self._backward(loss, self.discriminator)
        terms["gradient_norm/discriminator"] = norm = gradient_norm(self._discriminator_parameters)
        made = self.check_finite("discriminator", loss=loss, terms=terms, x=real)
        if made:
            self._clip(self._discriminator_parameters, norm)
        else:
            self.restore("discriminator")
            self.skip_next_step(optimizer, scaled=self.loss_is_scaled)
        optimizer.step()  # the one step that Lightning counts
        if self.log_due:
            self.report |= terms
            self.report |= {
                "logits/real": real_logits.detach().mean(),
                "logits/fake": fake_logits.detach().mean(),
                "accuracy/real": (real_logits.detach() > 0).float().mean(),
                "accuracy/fake": (fake_logits.detach() <= 0).float().mean(),
                "accuracy/pairs": _share_of_pairs(real_logits.detach(), fake_logits.detach()),
                "learning_rate/discriminator": torch.tensor(optimizer.param_groups[0]["lr"]),
            }
        return made

    def _generator_step(self, real: Tensor, fake: Tensor, label: Tensor | None) -> None:
        optimizer = self.optimizers()[0]  # type: ignore[index]
        with self._discriminator_frozen():
            real_logits = None
            if self.adversarial_loss.needs_real_logits:
                with torch.no_grad():  # they move no generator parameter
                    real_logits = self.discriminator(real, label)
            loss = self.adversarial_loss.generator(
                fake_logits=self.discriminator(fake, label), real_logits=real_logits
            )
            terms = {"loss/generator": loss.detach()}
            optimizer.zero_grad()
            loss = self._backward(loss, self.generator)
        terms["gradient_norm/generator"] = norm = gradient_norm(self._generator_parameters)
        if self.check_finite("generator", loss=loss, terms=terms, x=real):
            self._clip(self._generator_parameters, norm)
            # past LightningOptimizer.step, which would count it
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)
            if self.ema is not None:
                examples = real.shape[0] * self.trainer.world_size * self.d_steps_per_g_step
                self.ema.update(self.generator, examples)
        else:
            self.restore("generator", "discriminator")
        self.generator_steps += 1
        if self.log_due:
            self.report |= terms
            self.report["learning_rate/generator"] = torch.tensor(optimizer.param_groups[0]["lr"])

    def _backward(self, loss: Tensor, network: nn.Module) -> Tensor:
        """Gradients of the global batch's mean loss: one flat all-reduce, after any double backward.

        Returns:
            The loss, detached: its mean over ranks.
        """
        self.manual_backward(loss)
        if not is_distributed():
            return loss.detach()
        # Backward has made those of sharded parameters means already.
        gradients = [p.grad for p in network.parameters() if p.grad is not None and not is_sharded(p.grad)]
        # BatchNorm's running statistics ride along, so that they are the same on every rank after each batch
        # (the generator's when nothing is left to differentiate through), and the loss, so that all ranks
        # decide alike about the step.
        graph_waits = network is self.discriminator and self._steps_generator
        ran = [network] if graph_waits else self.networks.values()
        mean = loss.detach().clone()
        mean_over_ranks_([*gradients, *running_statistics(*ran), mean])
        return mean

    def _clip(self, parameters: list[Parameter], norm: Tensor) -> None:
        if self.grad_clip is not None:
            clip_gradients(parameters, self.grad_clip, norm)

    @contextmanager
    def _discriminator_frozen(self) -> Iterator[None]:
        """No gradients for the discriminator's parameters inside; samples' gradients still pass through."""
        for parameter in self._discriminator_parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self._discriminator_parameters:
                parameter.requires_grad_(True)

    def on_validation_epoch_start(self) -> None:
        self._validation_sums = torch.zeros(3, dtype=torch.float64, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The discriminator on held-out samples: where it falls behind training, it has memorized."""
        logits = self.discriminator(batch.x, batch.label).double()
        self._validation_sums += torch.stack(
            [logits.sum(), (logits > 0).double().sum(), logits.new_tensor(len(logits))]
        )

    def on_validation_epoch_end(self) -> None:
        logits, hits, count = sum_over_ranks(self._validation_sums).tolist()
        self.validation_report = {
            "validation/real_logits": logits / max(count, 1),
            "validation/real_accuracy": hits / max(count, 1),
        }

    @torch.no_grad()
    def sample(
        self, num: int, seed: int, *, ema: bool = True, start: int = 0, truncation: float | None = None
    ) -> Tensor:
        """See :class:`ganvas.model.interface.Samples`."""
        z = self.latents(num, seed, start=start, truncation=truncation)
        return self.generate(z, self.sample_labels(num, seed, start=start), ema=ema)

    def latents(self, num: int, seed: int, *, start: int = 0, truncation: float | None = None) -> Tensor:
        """See :class:`ganvas.model.interface.FromLatents`."""
        rows = (latent(self.latent_dim, hash64(seed, "z", i), truncation) for i in range(start, start + num))
        return torch.stack(list(rows)).to(self.device)

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """See :class:`ganvas.model.interface.FromLatents`; conditional generators have ``num_classes``."""
        num_classes = getattr(self.generator, "num_classes", None)
        if num_classes is None:
            return None
        numbers = (hash64(seed, "label", i) % num_classes for i in range(start, start + num))
        return torch.tensor(list(numbers), dtype=torch.int64, device=self.device)

    @torch.no_grad()
    def generate(self, z: Tensor, label: Tensor | None = None, *, ema: bool = True) -> Tensor:
        """See :class:`ganvas.model.interface.FromLatents`."""
        network = self.ema.average if ema and self.ema is not None else self.generator
        training = network.training
        network.eval()
        try:
            return network(z, label)
        finally:
            network.train(training)

    @torch.no_grad()
    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the generator makes samples like ``x`` [B, ...]."""
        made = self.sample(2, 0, ema=False)
        check_shape("generator", made, x, "generator")
        training = self.discriminator.training
        self.discriminator.eval()
        logits = self.discriminator(x, None)
        self.discriminator.train(training)
        if logits.shape != x.shape[:1]:
            raise OptionError(
                "discriminator", list(logits.shape), "must return one logit a sample, shape [B]"
            )


def _share_of_pairs(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Of the batch's pairs (real, fake), those with the larger logit on the real one; ties count half."""
    return ((real_logits - fake_logits).sign().mean() + 1) / 2


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def _last_of(count: int, batch: int) -> bool:
    """Whether batch number ``batch`` is the last one of its ``count``; logs fall on such batches too."""
    return batch % count == count - 1


def _build_optimizer(build: Callable[[Any], Optimizer], network: nn.Module, option: str) -> Optimizer:
    try:
        return build(network.parameters())
    except OptionError as error:
        raise error.under(f"model.{option}") from None
