"""What is not in the project comes as new files: a loss, a penalty and a quantizer of a user's."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from run_files import newest_state, only_run

_LOSS = '''
from ganvas.model.adversarial_loss.interface import AdversarialLoss


class LeastSquares(AdversarialLoss):
    """Mao 2017, arXiv:1611.04076."""

    def __init__(self, real_target: float):
        self.real_target = real_target

    def discriminator(self, *, real_logits, fake_logits):
        return ((real_logits - self.real_target).square() + fake_logits.square()).mean() / 2

    def generator(self, *, fake_logits, real_logits=None):
        return (fake_logits - self.real_target).square().mean() / 2
'''
_QUANTIZER = '''
import torch

from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput


class Signs(Quantizer):
    """One bit a dimension."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.embedding_dim, self.codebook_sizes = embedding_dim, (2**embedding_dim,)
        self.register_buffer("places", 2 ** torch.arange(embedding_dim))

    def encode(self, z):
        return ((z > 0).movedim(1, -1) * self.places).sum(-1)[:, None]

    def decode(self, indices):
        return (((indices[:, 0, ..., None] & self.places) > 0) * 2.0 - 1).movedim(-1, 1)

    def forward(self, z, mask=None):
        indices = self.encode(z)
        return QuantizerOutput(z + (self.decode(indices) - z).detach(), indices, z.new_zeros(()), {})
'''


def write(folder: Path, name: str, source: str, yaml: str) -> None:
    folder.mkdir(parents=True)
    (folder / f"{name}.py").write_text(source)
    (folder / f"{name}.yaml").write_text(textwrap.dedent(yaml))


def test_an_adversarial_loss(ganvas, tmp_path: Path) -> None:
    yaml = "_target_: least_squares.LeastSquares\nreal_target: 1.0\n"
    write(tmp_path / "conf" / "model" / "adversarial_loss", "least_squares", _LOSS, yaml)
    ganvas(
        "train",
        "--config-dir",
        "conf",
        "model/adversarial_loss=least_squares",
        "trainer=smoke",
        "model.adversarial_loss.real_target=3",
        "callback=minimal",
        "logger=none",
        "callback.evaluation.num_samples=50",
    )
    first = json.loads((only_run(tmp_path) / "metrics.jsonl").read_text().splitlines()[0])
    assert 3.5 < first["loss/generator"] < 5.5, "logits near 0 are 9 / 2 away from a target of 3"


def test_a_quantizer(ganvas, tmp_path: Path) -> None:
    yaml = "_target_: signs.Signs\nembedding_dim: 5\n"
    write(tmp_path / "conf" / "model" / "quantizer", "signs", _QUANTIZER, yaml)
    ganvas(
        "train",
        "--config-dir",
        "conf",
        "model=mlp_vqvae",
        "model/quantizer=signs",
        "trainer=smoke",
        "callback=minimal",
        "logger=none",
    )
    assert newest_state(only_run(tmp_path))["quantizer.places"].tolist() == [1, 2, 4, 8, 16]
    done = ganvas("evaluate", "latest", "--config-dir", "conf", "--json")
    assert json.loads(done.stdout)["metrics"]["bits_per_image"] == 8 * 5
