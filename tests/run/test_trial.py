"""A few batches of an experiment: what they count is right, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.cli.compose.experiment import compose
from ganvas.errors import OptionError
from ganvas.run.trial import Trial, try_out

GENERATOR = (100 * 128 + 128) + (128 * 64 + 64)  # at 8x8 pixels
DISCRIMINATOR = (64 * 128 + 128) + (128 + 1)


def trial(*words: str) -> Trial:
    return try_out(compose([*words, "accelerator=cpu"]).config)


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sizes_of_a_gan(empty: Path) -> None:
    seen = trial()
    assert seen.parameters == {"generator": GENERATOR, "discriminator": DISCRIMINATOR}
    both = GENERATOR + DISCRIMINATOR
    assert seen.gradients == 4 * both
    assert 2 * 4 * both <= seen.optimizer_state <= 2 * 4 * both + 64, "Adam's two means, and step counts"
    assert 4 * (both + GENERATOR) <= seen.weights <= 4 * (both + GENERATOR) + 256, "with the average"
    assert seen.samples == {"train": 1437, "val": 180, "test": 180}
    assert (seen.sample_shape, seen.batch_size) == ((1, 8, 8), 64)
    assert {"loss/generator", "loss/discriminator"} <= seen.report.keys()
    assert 0 < seen.seconds_per_batch < 10
    assert not list(empty.iterdir()), "nothing is written"


def test_activations_are_those_of_a_batch() -> None:
    small, large = (trial("model=mlp_vqvae", f"data.batch_size={size}") for size in (64, 256))
    # Per sample at least the encoder's hidden units, the latents and the decoder's hidden units, float32.
    assert small.activations >= 64 * 4 * (128 + 64 + 128)
    assert small.activations <= 64 * 4 * 3000
    assert large.activations / small.activations == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(
    ("words", "batches"),
    [
        (["trainer.max_examples=6400"], 100),
        (["trainer.max_examples=null", "trainer.max_steps=7"], 7),
        (["trainer.max_examples=null", "trainer.max_epochs=2"], 2 * (1437 // 64)),
        (["trainer.max_examples=null", "trainer.max_time=00:00:10:00"], None),
    ],
)
def test_the_budget_in_batches(words: list[str], batches: int | None) -> None:
    assert trial(*words).batches == batches


def test_epochs_of_one_batch_are_timed() -> None:
    assert 0 < trial("data.batch_size=1000").seconds_per_batch < 10


def test_one_process_share_of_two() -> None:
    seen = try_out(compose(["accelerator=ddp_cpu", "data.batch_size=48"]).config)
    assert (seen.batch_size, seen.batches) == (24, -(-200_000 // 48))


def test_lazy_parts_are_reached() -> None:
    words = ["model/gradient_penalty=r1", "model.gradient_penalty.interval=16", "model.d_steps_per_g_step=2"]
    assert "loss/gradient_penalty" in trial(*words).report


def test_what_train_refuses_is_refused(empty: Path) -> None:
    with pytest.raises(OptionError, match="batch_size"):
        trial("data.batch_size=5000")
    assert not list(empty.iterdir())
