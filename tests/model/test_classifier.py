"""The classifier against the same steps written out in plain PyTorch."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from ganvas.data.digits import Digits
from ganvas.errors import OptionError
from ganvas.model.classifier import Classifier
from ganvas.model.network.cnn import CNN
from ganvas.model.optimizer.adam import adam
from ganvas.model.schedule.linear import Linear


def make(**options: Any) -> Classifier:
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "network": CNN(channels=1, num_classes=10, base_channels=4, feature_dim=16),
        "optimizer": partial(adam, lr=1e-2),
        "seed": 3,
    }
    return Classifier(**parts | options)


class Keep(pl.Callback):
    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.reports: list[dict[str, Tensor]] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(batch)
        self.reports.append(dict(pl_module.report))


def fit(model: Classifier, batches: int, **options: Any) -> tuple[pl.Trainer, Keep]:
    keep = Keep()
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
    trainer.fit(model, datamodule=Digits(batch_size=16, seed=3))
    return trainer, keep


@pytest.mark.parametrize("decays", [True, False])
def test_steps_equal_a_plain_loop(decays: bool) -> None:
    model = make(optimizer=partial(adam, lr=Linear(1e-2, 0.0, 128))) if decays else make()
    network = copy.deepcopy(model.network)
    _, keep = fit(model, 5, limit_val_batches=0)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for number, batch in enumerate(keep.batches):
        rate = 1e-2 * (1 - number * 16 / 128) if decays else 1e-2
        optimizer.param_groups[0]["lr"] = rate
        logits = network(batch.x).logits
        chosen = logits[torch.arange(16), batch.label]
        loss = (torch.logsumexp(logits, 1) - chosen).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report = keep.reports[number]
        torch.testing.assert_close(report["loss/cross_entropy"], loss.detach(), rtol=1e-4, atol=1e-5)
        assert report["accuracy/training"] == (logits.argmax(1) == batch.label).float().mean()
        assert report["learning_rate/network"] == pytest.approx(rate)
    for a, b in zip(model.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert model.clock() == {"examples_seen": 80, "batches_seen": 5, "rollbacks": 0}


def test_the_rate_stays_at_zero_beyond_the_decay() -> None:
    model = make(optimizer=partial(adam, lr=Linear(1e-2, 0.0, 32)))
    _, keep = fit(model, 4, limit_val_batches=0)
    rates = [report["learning_rate/network"].item() for report in keep.reports]
    assert rates == pytest.approx([1e-2, 5e-3, 0, 0])


def test_validation_metrics_are_those_of_the_whole_split() -> None:
    model = make(optimizer=partial(adam, lr=Linear(1e-2, 0.0, 2000)))
    trainer, _ = fit(model, 89)  # one epoch, then validation
    (whole,) = trainer.datamodule.batches("val", 180)  # type: ignore[attr-defined]
    logits = model.classify(whole.x).logits
    right = sum(int(row.argmax()) == int(label) for row, label in zip(logits, whole.label))
    assert 0.5 < right / 180 < 1
    report = model.validation_report
    assert report["validation/accuracy"] == pytest.approx(right / 180)
    log_probability = logits.log_softmax(1)[torch.arange(180), whole.label]
    assert report["validation/cross_entropy"] == pytest.approx(-log_probability.mean().item(), rel=1e-4)


def test_classify_leaves_the_mode_and_the_statistics_alone() -> None:
    model = make()
    before = copy.deepcopy(model.state_dict())
    x = torch.rand(4, 1, 8, 8)
    alone = model.classify(x[:2]).logits
    torch.testing.assert_close(model.classify(x).logits[:2], alone, rtol=1e-4, atol=1e-5)
    network = copy.deepcopy(model.network)
    assert (network(x).logits[:2] - alone).abs().max() > 1e-2  # by the batch's statistics
    assert model.network.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_options_out_of_range() -> None:
    with pytest.raises(OptionError, match=r"data\.image_size=4"):
        make().check_sample(torch.zeros(2, 1, 4, 4))
