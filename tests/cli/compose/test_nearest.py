"""What the names of other frameworks lead to."""

from __future__ import annotations

import pytest

from ganvas.cli.compose.experiment import compose
from ganvas.errors import OptionError


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["learning_rate=0.1"], "model.generator_optimizer.lr or model.discriminator_optimizer.lr"),
        (["model=mlp_vqvae", "learning_rate=0.1"], "model.optimizer.lr"),
        (["model.lr=0.1"], "model.generator_optimizer.lr or model.discriminator_optimizer.lr"),
        (["model.learning_rate=0.1"], "model.generator_optimizer.lr or model.discriminator_optimizer.lr"),
        (["epochs=3"], "trainer.max_epochs"),
        (["trainer.epochs=3"], "trainer.max_epochs"),
        (["loss=hinge"], "model/adversarial_loss"),
        (["model/loss=hinge"], "model/adversarial_loss"),
        (["model=mlp_vqvae", "model.loss=l1"], "model/reconstruction_loss"),
        (["dataset=mnist"], "data"),
        (["ckpt_path=last.ckpt"], "resume"),
        (["trainer.devices=2"], "accelerator.devices"),
        (["trainer.precision=16"], "accelerator.precision"),
    ],
)
def test_a_name_from_elsewhere_leads_to_ours(words: list[str], meant: str) -> None:
    with pytest.raises(OptionError) as refused:
        compose(words)
    assert str(refused.value) == f"{words[-1]}: there is no such key or group; did you mean {meant}?"
