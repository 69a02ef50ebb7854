"""The VQ-VAE recipe (van den Oord 2017, arXiv:1711.00937): reconstruction + codebook + commitment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch
from ganvas.functional.distributed import sum_over_ranks
from ganvas.functional.gradients import clip_gradients, gradient_norm
from ganvas.model.interface import Reconstruction
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.recipe import Recipe, check_shape
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class VQVAE(Recipe):
    """Vector-quantized autoencoder by automatic optimization.

    Args:
        encoder: samples [B, ...] to latents [B, D, *positions].
        quantizer: latents to codes (see the part's interface).
        decoder: quantized latents back to samples.
        reconstruction_loss: distance of two samples, a scalar.
        optimizer: parameters to a torch optimizer; one for all three.
        grad_clip: largest gradient norm of all parameters together, or None.
        seed: the run's seed.
    """

    reports = (
        "loss/reconstruction", "loss/codebook", "loss/commitment", "loss/total", "codes/",
        "gradient_norm/all", "learning_rate/all", "validation/reconstruction_loss", "validation/psnr",
        "validation/perplexity", "validation/codes_used",
    )  # fmt: skip

    def __init__(
        self,
        *,
        encoder: nn.Module,
        quantizer: Quantizer,
        decoder: nn.Module,
        reconstruction_loss: ReconstructionLoss,
        optimizer: Callable[[Any], Optimizer],
        grad_clip: float | None,
        seed: int,
    ) -> None:
        super().__init__(seed=seed)
        require(grad_clip is None or grad_clip > 0, "grad_clip", grad_clip, "must be positive, or null")
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder
        self.reconstruction_loss = reconstruction_loss
        self.optimizer, self.grad_clip = optimizer, grad_clip

    @property
    def networks(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "quantizer": self.quantizer, "decoder": self.decoder}

    @property
    def sharded_networks(self) -> dict[str, nn.Module]:
        """Not the quantizer: its codes are read and set beside its forward pass, and are few."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def changed_by_forward(self, network: str) -> Iterator[tuple[nn.Module, str]]:
        """Buffers, and the quantizer's parameters: codes start from the data, and idle ones restart."""
        yield from super().changed_by_forward(network)
        if network == "quantizer":
            for module in self.quantizer.modules():
                for name, _ in module.named_parameters(recurse=False):
                    yield module, name

    @property
    def num_codes(self) -> int:
        return self.quantizer.num_codes

    def configure_optimizers(self) -> Optimizer:
        try:
            return self.optimizer([p for p in self.parameters() if p.requires_grad])
        except OptionError as error:
            raise error.under("model.optimizer") from None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.begin_step()
        latents = self.encoder(batch.x)  # [B, D, *positions]
        quantized, _, quantizer_loss, metrics = self.quantizer(latents)
        reconstruction = self.decoder(quantized)  # [B, ...]
        reconstruction_loss = self.reconstruction_loss(reconstruction=reconstruction, target=batch.x)
        loss = reconstruction_loss + quantizer_loss
        tags = {_TAGS.get(name, f"codes/{name}"): value.detach() for name, value in metrics.items()}
        self._terms = {
            "loss/reconstruction": reconstruction_loss.detach(),
            **{tag: value for tag, value in tags.items() if tag.startswith("loss/")},
            "loss/total": loss.detach(),
        }
        self.report = self._terms | tags if self.log_due else {}
        return loss

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = gradient_norm(parameters)
        terms = self._terms | {"gradient_norm/all": norm}
        # Gradients are means over ranks already, and the quantizer's statistics are sums over them.
        loss = self.mean_loss(terms["loss/total"], self.encoder, self.decoder)
        if not self.check_finite("all", loss=loss, terms=terms, x=self._x):
            self.restore(*self.networks)
            # A GradScaler has looked at them by now, unless the optimizer is fused and asks it in its step.
            late = getattr(optimizer, "_step_supports_amp_scaling", False)
            self.skip_next_step(optimizer, scaled=self.loss_is_scaled and late)
        elif self.grad_clip is not None:
            clip_gradients(parameters, self.grad_clip, norm)
        if self.report:
            self.report["gradient_norm/all"] = norm
            self.report["learning_rate/all"] = torch.tensor(optimizer.param_groups[0]["lr"])

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self.end_step(len(self._x))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self._x = batch.x

    def on_validation_epoch_start(self) -> None:
        self._sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        self._code_counts = torch.zeros(self.num_codes, dtype=torch.float64, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        if len(batch.x) == 0:  # a rank's share of the last batch can be empty
            return
        reconstruction, indices = self.reconstruct(batch.x)
        loss = self.reconstruction_loss(reconstruction=reconstruction, target=batch.x)
        squared = ((reconstruction - batch.x) / 2).square().flatten(1).mean(1)  # of values in [0, 1]
        count = len(batch.x)
        self._sums += torch.stack([loss.double() * count, squared.double().sum(), loss.new_tensor(count)])
        self._code_counts += torch.bincount(indices.flatten(), minlength=self.num_codes)

    def on_validation_epoch_end(self) -> None:
        loss, squared, count = sum_over_ranks(self._sums).tolist()
        counts = sum_over_ranks(self._code_counts)
        share = counts / counts.sum().clamp(min=1)
        self.validation_report = {
            "validation/reconstruction_loss": loss / max(count, 1),
            "validation/psnr": -10 * math.log10(max(squared / max(count, 1), 1e-12)),
            "validation/perplexity": torch.special.entr(share).sum().exp().item(),
            "validation/codes_used": float((counts > 0).sum()),
        }

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Reconstruction:
        """See :class:`ganvas.model.interface.Reconstructs`; clamped to [-1, 1]."""
        training = {network: network.training for network in self.networks.values()}
        for network in training:
            network.eval()
        try:
            output = self.quantizer(self.encoder(x))
            return Reconstruction(self.decoder(output.quantized).clamp(-1, 1), output.indices)
        finally:
            for network, mode in training.items():
                network.train(mode)

    def check_sample(self, x: Tensor) -> None:
        """Raises OptionError unless the decoder gives back samples like ``x`` [B, ...]."""
        check_shape("decoder", self.reconstruct(x).x, x, "decoder")


_TAGS = {
    "codebook_loss": "loss/codebook",
    "commitment_loss": "loss/commitment",
    "codes_used": "codes/used",
    "perplexity": "codes/perplexity",
}
