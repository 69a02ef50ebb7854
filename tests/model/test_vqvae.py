"""The VQ-VAE recipe against the same steps written out in plain PyTorch."""

from __future__ import annotations

import copy
import math
from functools import partial
from typing import Any, ClassVar

import pytest
import pytorch_lightning as pl
import torch

from ganvas.data.digits import Digits
from ganvas.errors import OptionError
from ganvas.functional.batch import Batch, DataFacts
from ganvas.metric.interface import Features
from ganvas.model.decoder.conv import ConvDecoder
from ganvas.model.decoder.mlp import MLPDecoder
from ganvas.model.encoder.conv import ConvEncoder
from ganvas.model.encoder.mlp import MLPEncoder
from ganvas.model.optimizer.adam import adam
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.reconstruction_loss.bce import BCE
from ganvas.model.reconstruction_loss.l1 import L1
from ganvas.model.reconstruction_loss.mse import MSE
from ganvas.model.reconstruction_loss.perceptual import Perceptual
from ganvas.model.reconstruction_loss.sum import Sum
from ganvas.model.vqvae import VQVAE


def make(**options: Any) -> VQVAE:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "encoder": MLPEncoder(sample_shape=[1, 8, 8], embedding_dim=3, num_vectors=4, hidden_dim=16),
        "quantizer": VectorQuantizer(num_embeddings=7, embedding_dim=3, commitment_cost=0.4, restart_after=0),
        "decoder": MLPDecoder(sample_shape=[1, 8, 8], embedding_dim=3, num_vectors=4, hidden_dim=16),
        "reconstruction_loss": MSE(),
        "optimizer": partial(adam, lr=1e-2),
        "grad_clip": None,
        "seed": 3,
    }
    return VQVAE(**parts | options)


class Keep(pl.Callback):
    def __init__(self) -> None:
        self.batches: list[torch.Tensor] = []
        self.reports: list[dict[str, torch.Tensor]] = []
        self.start: dict[str, torch.Tensor] = {}

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(batch.x.clone())
        self.reports.append(dict(pl_module.report))
        if not self.start:  # after the first step: the codebook has started from the data
            self.start = copy.deepcopy(pl_module.state_dict())
            self.optimizer = copy.deepcopy(trainer.optimizers[0].state_dict())


def fit(model: VQVAE, batches: int, **options: Any) -> tuple[pl.Trainer, Keep]:
    keep = Keep()
    data = Digits(batch_size=16, num_workers=0, seed=3, channels=1, image_size=8, num_classes=10)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=batches,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[keep],
        **options,
    )
    trainer.fit(model, datamodule=data)
    return trainer, keep


def test_steps_equal_a_plain_loop() -> None:
    model = make()
    plain = copy.deepcopy(model)
    trainer, keep = fit(model, 5, limit_val_batches=0)
    plain.load_state_dict(keep.start)
    (codebook,) = (p for p in plain.quantizer.parameters())
    optimizer = torch.optim.Adam(plain.parameters(), 1e-2)
    optimizer.load_state_dict(keep.optimizer)
    for number, x in enumerate(keep.batches[1:], start=1):
        z = plain.encoder(x)  # [16, 3, 4]
        rows = z.movedim(1, -1).reshape(-1, 3)
        codes = torch.cdist(rows, codebook).argmin(1)
        e = codebook[codes].reshape(16, 4, 3).movedim(-1, 1)
        reconstruction = (plain.decoder(z + (e - z).detach()) - x).square().mean()
        codebook_loss, commitment = (z.detach() - e).square().mean(), (z - e.detach()).square().mean()
        loss = reconstruction + codebook_loss + 0.4 * commitment
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report = keep.reports[number]
        for tag, value in {
            "loss/total": loss,
            "loss/reconstruction": reconstruction,
            "loss/codebook": codebook_loss,
            "loss/commitment": commitment,
        }.items():
            torch.testing.assert_close(report[tag], value.detach(), rtol=1e-3, atol=1e-5)
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    assert trainer.global_step == 5
    assert model.clock() == {"examples_seen": 80, "batches_seen": 5, "rollbacks": 0}


def test_validation_metrics_are_those_of_the_whole_split() -> None:
    model = make()
    trainer, _ = fit(model, 89)  # one epoch, then validation
    data = trainer.datamodule  # type: ignore[attr-defined]
    x = torch.cat([batch.x for batch in data.batches("val", 50)])
    made, indices = model.reconstruct(x)
    mse = ((made - x) / 2).square().mean().item()
    share = torch.bincount(indices[0].flatten(), minlength=7) / indices[0].numel()
    perplexity = math.exp(-sum(p * math.log(p) for p in share.tolist() if p))
    report = model.validation_report
    assert report["validation/psnr"] == pytest.approx(-10 * math.log10(mse), rel=1e-4)
    assert report["validation/perplexity"] == pytest.approx(perplexity, rel=1e-4)
    assert report["validation/codes_used"] == (share > 0).sum()


def test_the_validation_loss_is_training_s_own() -> None:
    """Not that of clamped reconstructions: both are drawn in one chart, and PSNR is what clamps."""

    class Loud(torch.nn.Module):
        """A decoder without tanh: what it makes is mostly outside [-1, 1]."""

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return 2.0 + 0.1 * z.mean((1, 2)).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    model = make(decoder=Loud())
    x = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(4)) * 2 - 1
    with torch.no_grad():
        made, _ = model.eval().autoencode(x)
    sums = model.validation_sums(Batch(x, None))
    loss = (made - x).double().square().mean().item()
    clamped = (made.clamp(-1, 1) - x).double().square().mean().item()
    assert loss > 1.1 * clamped
    assert sums["reconstruction_loss"].item() / 12 == pytest.approx(loss, rel=1e-6)
    assert sums["squared_error"].item() / 12 == pytest.approx(clamped / 4, rel=1e-6)


def test_grad_clip_bounds_all_parameters_together() -> None:
    model = make(grad_clip=1e-3, optimizer=partial(torch.optim.SGD, lr=1.0))
    fit(model, 1)  # the codebook starts from the first batch
    before = copy.deepcopy(model)
    fit(model, 1)
    moved = [a - b for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    assert torch.nn.utils.get_total_norm(moved).item() == pytest.approx(1e-3, rel=1e-2)


def test_refuses_networks_of_another_shape() -> None:
    model = make(decoder=MLPDecoder(sample_shape=[1, 4, 4], embedding_dim=3, num_vectors=4, hidden_dim=16))
    with pytest.raises(OptionError, match="decoder"):
        model.check_sample(torch.zeros(2, 1, 8, 8))


def test_terms_of_a_sum_are_logged_beside_it() -> None:
    loss = Sum(l1=L1(0.5), mse=MSE(2.0))
    model, alone = make(reconstruction_loss=loss), make()
    _, keep = fit(model, 2, limit_val_batches=0)
    for report in keep.reports:
        parts = report["loss/reconstruction/l1"] + report["loss/reconstruction/mse"]
        torch.testing.assert_close(report["loss/reconstruction"], parts)
    _, keep = fit(alone, 1, limit_val_batches=0)
    assert not any(tag.startswith("loss/reconstruction/") for tag in keep.reports[0])
    x = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(4)) * 2 - 1
    with torch.no_grad():
        made, _ = model.eval().autoencode(x)
    sums = model.validation_sums(Batch(x, None))
    l1, mse = 0.5 * (made - x).abs().mean().item(), 2 * (made - x).square().mean().item()
    assert sums["reconstruction_loss/l1"].item() / 6 == pytest.approx(l1, rel=1e-6)
    assert sums["reconstruction_loss/mse"].item() / 6 == pytest.approx(mse, rel=1e-6)
    assert sums["reconstruction_loss"].item() / 6 == pytest.approx(l1 + mse, rel=1e-6)
    assert "reconstruction_loss/mse" not in alone.validation_sums(Batch(x, None))


def test_a_loss_of_probabilities_asks_for_a_bounded_decoder() -> None:
    x = torch.zeros(2, 1, 8, 8)
    make(reconstruction_loss=BCE()).check_sample(x)  # the mlp ends in a tanh
    encoder = ConvEncoder(channels=1, embedding_dim=3, hidden_channels=4)
    for output, fits in (("tanh", True), ("linear", False)):
        decoder = ConvDecoder(channels=1, embedding_dim=3, hidden_channels=4, output=output)
        model = make(encoder=encoder, decoder=decoder, reconstruction_loss=Sum(bce=BCE()))
        if fits:
            model.check_sample(x)
        else:
            with pytest.raises(OptionError, match=r"^decoder\.output=linear: .*; tanh$"):
                model.check_sample(x)


def test_an_extractor_is_no_part_of_the_model() -> None:
    class Extractor(torch.nn.Linear):
        asked = 0
        protocol: ClassVar[dict[str, object]] = {"name": "mine"}

        def check(self, facts: DataFacts) -> None:
            assert facts.name == "Digits"
            self.requires_grad_(False)
            self.asked += 1

        def forward(self, x: torch.Tensor) -> Features:
            return Features(super().forward(x.flatten(1)))

    torch.manual_seed(5)
    extractor = Extractor(64, 5)
    before = copy.deepcopy(extractor.state_dict())
    model = make(reconstruction_loss=Sum(mse=MSE(), perceptual=Perceptual(extractor)))
    data = Digits(batch_size=16, num_workers=0, seed=3, channels=1, image_size=8, num_classes=10)
    model.check_data(data.facts)
    assert extractor.asked == 1
    assert model.rests_on() == {"perceptual": {"name": "mine"}}
    assert model.state_dict().keys() == make().state_dict().keys()
    _, keep = fit(model, 2, limit_val_batches=0)
    assert keep.reports[1]["loss/reconstruction/perceptual"] > 0
    assert all(torch.equal(value, before[name]) for name, value in extractor.state_dict().items())
    without = make()
    fit(without, 2, limit_val_batches=0)
    moved = zip(model.decoder.parameters(), without.decoder.parameters(), strict=True)
    assert all(not torch.equal(a, b) for a, b in moved), "its gradient reaches the decoder"


class OfTwo(VectorQuantizer):
    """A quantizer of a user's own that holds others under the name that a pyramid has for its own."""

    def __init__(self) -> None:
        super().__init__(num_embeddings=7, embedding_dim=3, start="kmeans")
        self.quantizers = torch.nn.ModuleList([VectorQuantizer(5, 3), VectorQuantizer(5, 3)])


def test_codes_that_start_at_too_few_vectors() -> None:
    model, x = make(quantizer=OfTwo()), torch.zeros(2, 1, 8, 8)
    model.check_first_batch(x, 2)  # 8 vectors
    with pytest.raises(OptionError, match=r"^quantizer.start=kmeans: needs .* codes, 7, and has 4; take"):
        model.check_first_batch(x, 1)
