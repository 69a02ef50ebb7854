"""Numbers that are not finite, in whole runs: a user's own loss or data breaks one batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import newest_checkpoint, only_run

from ganvas.functional.finite import non_finite_name

_FAULTY = '''
import torch

from ganvas.data.digits import Digits
from ganvas.model.adversarial_loss.non_saturating import NonSaturating
from ganvas.model.reconstruction_loss.mse import MSE


class BadGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * torch.nan


class Faults:
    """Breaks ``where`` on every batch from ``first`` to ``last``, counted from 1."""

    def __init__(self, where: str, first: int, last: int):
        self.where, self.first, self.last, self.calls = where, first, last, {}

    def loss(self, name, value):
        self.calls[name] = self.calls.get(name, 0) + 1
        bad = self.first <= self.calls[name] <= self.last
        if bad and self.where == f"{name} gradient":
            return BadGradient.apply(value)
        return value * torch.nan if bad and self.where == name else value


class Loss(NonSaturating):
    def __init__(self, where: str, first: int, last: int):
        self.faults = Faults(where, first, last)

    def discriminator(self, **logits):
        return self.faults.loss("discriminator", super().discriminator(**logits))

    def generator(self, **logits):
        return self.faults.loss("generator", super().generator(**logits))


class Distance(MSE):
    def __init__(self, where: str, first: int, last: int):
        self.faults = Faults(where, first, last)

    def __call__(self, **samples):
        return self.faults.loss("reconstruction", super().__call__(**samples))


class Data(Digits):
    """One training sample of every epoch is NaN."""

    def __init__(self, bad_row: int, batch_size: int, seed: int, channels: int, image_size: int,
                 num_classes: int):
        super().__init__(batch_size=batch_size, seed=seed, channels=channels, image_size=image_size,
                         num_classes=num_classes)
        self.bad_row = bad_row

    def on_after_batch_transfer(self, batch, dataloader_idx):
        row = getattr(batch, "row", torch.tensor([-1]))
        batch = super().on_after_batch_transfer(batch, dataloader_idx)
        if self.trainer is not None and self.trainer.training:
            batch.x[row == self.bad_row] = torch.nan
        return batch
'''
_OPTIONS = "where: discriminator\nfirst: 4\nlast: 4\n"
_YAML = {
    "model/adversarial_loss/faulty": f"_target_: faulty.Loss\n{_OPTIONS}",
    "model/reconstruction_loss/faulty": f"_target_: faulty.Distance\n{_OPTIONS}",
    "data/faulty": "defaults: [digits]\n_target_: faulty.Data\nbad_row: 7\n"
    "_shared_: [native_size, sample_shape, num_workers, resize_mode, horizontal_flip, random_shift, "
    "train_fraction]\n",
}
_COMMON = [
    "train",
    "--config-dir",
    "conf",
    "callback=minimal",
    "logger=none",
    "data.batch_size=32",
    "trainer.log_every_examples=32",
    "callback.evaluation.every_examples=0",
]
_RECIPES = {
    "mlp_gan": ["model=mlp_gan"],
    "dcgan": ["model=dcgan", "model.generator.base_channels=8", "model.discriminator.base_channels=8"],
    "vqvae": [
        "model=vqvae",
        "model/quantizer=vq_ema",
        "model.encoder.hidden_channels=8",
        "model.decoder.hidden_channels=8",
        "model.num_embeddings=16",
    ],
}
CASES = [
    ("mlp_gan", "discriminator gradient", "gradient_norm/discriminator"),
    ("dcgan", "discriminator", "loss/discriminator"),
    ("dcgan", "generator", "loss/generator"),
    ("mlp_gan", "generator gradient", "gradient_norm/generator"),
    ("vqvae", "reconstruction", "loss/reconstruction"),
    ("vqvae", "reconstruction gradient", "gradient_norm/all"),
]


@pytest.fixture
def faulty(ganvas: Any, tmp_path: Path) -> Any:
    """Trains a recipe with the parts above; ``faulty(recipe, where, words...)``."""
    for name, text in _YAML.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "faulty.py").write_text(_FAULTY)

    def train(recipe: str, where: str, *words: str, code: int = 0) -> Any:
        if where == "data":
            return ganvas(*_COMMON, *_RECIPES[recipe], "data=faulty", *words, code=code)
        part = "reconstruction_loss" if recipe == "vqvae" else "adversarial_loss"
        fault = f"model.{part}.where={where}"
        return ganvas(*_COMMON, *_RECIPES[recipe], f"model/{part}=faulty", fault, *words, code=code)

    return train


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


def logged(run: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if "speed/examples_per_second" in row]


@pytest.mark.parametrize(("recipe", "where", "term"), CASES)
def test_stop_names_the_term_and_saves_nothing_broken(
    recipe: str, where: str, term: str, faulty: Any, tmp_path: Path
) -> None:
    words = ["trainer.max_steps=8", "callback.checkpoint.every_examples=96"]
    done = faulty(recipe, where, *words, code=1)
    said = [line for line in done.stderr.splitlines() if line]
    (line,) = [one for one in said if not one.startswith("model.quantizer.decay=0.99: codes remember")]
    assert line.startswith(f"{term} is not finite: batch 4, after 96 examples; last finite values: loss/")
    assert "a smaller learning rate" in line
    run = only_run(tmp_path)
    assert status(run)["state"] == "failed"
    assert term in status(run)["error"]
    for path in run.glob("checkpoints/*.ckpt"):
        assert non_finite_name(torch.load(path, weights_only=True)) is None
    assert newest_checkpoint(run)["ganvas_clock"]["examples_seen"] == 96


@pytest.mark.parametrize(("recipe", "where", "term"), CASES)
def test_a_skipped_last_step_leaves_the_state_of_before_it(
    recipe: str, where: str, term: str, faulty: Any, tmp_path: Path
) -> None:
    states = {}
    for name, words in {
        "skipped": ["trainer.max_steps=4", "trainer.non_finite=skip"],
        "before": ["trainer.max_steps=3"],
        "whole": ["trainer.max_steps=4", *_part(recipe, "first=9"), *_part(recipe, "last=9")],
    }.items():
        faulty(recipe, where, *words, f"paths.output_dir={name}")
        (run,) = tmp_path.glob(f"{name}/*/*/")
        states[name] = _flat(newest_checkpoint(run))
    skipped, before, whole = states["skipped"], states["before"], states["whole"]
    assert skipped["global_step"] == skipped["ganvas_clock"]["batches_seen"] == 4
    assert skipped["ganvas_clock"] == whole["ganvas_clock"]
    network = where.partition(" ")[0] if recipe != "vqvae" else ""
    untouched = {name for name in before if name.startswith(_moved_by(network))}
    if network == "discriminator":  # the generator's own step runs it again, which its BatchNorm counts
        untouched -= {name for name in before if "running_" in name or "num_batches" in name}
    assert len(untouched) > 10
    assert [name for name in sorted(untouched) if not torch.equal(skipped[name], before[name])] == []
    assert any(not torch.equal(whole[name], before[name]) for name in untouched)
    if network == "generator":
        own = {name for name in before if name.startswith(_moved_by("discriminator")) and "layers" in name}
        own -= {name for name in own if "running_" in name or "num_batches" in name}
        assert [name for name in own if not torch.equal(skipped[name], whole[name])] == [], "D made its step"


_BACK = ["trainer.max_steps=8", "callback.checkpoint.every_examples=96", "trainer.non_finite=rollback"]


@pytest.mark.parametrize("recipe", ["mlp_gan", "vqvae"])
def test_a_rollback_goes_on_from_the_checkpoint_with_other_data(
    recipe: str, faulty: Any, tmp_path: Path
) -> None:
    """The fourth batch of every start breaks: the fourth of all, then the seventh, then none is left."""
    where = "reconstruction" if recipe == "vqvae" else "discriminator"
    done = faulty(recipe, where, *_BACK)
    assert "rollback 1: " in done.stderr
    assert "rollback 2: " in done.stderr
    run = only_run(tmp_path)
    assert (status(run)["state"], status(run)["rollbacks"]) == ("finished", 2)
    ended = newest_checkpoint(run)
    assert (ended["ganvas_clock"]["batches_seen"], ended["ganvas_clock"]["rollbacks"]) == (8, 2)
    assert [row["batch"] for row in logged(run)] == list(range(1, 9))
    # Until the first rollback it is the run that does not break; from there it sees other data.
    faulty(
        recipe,
        where,
        "trainer.max_steps=8",
        *_part(recipe, "first=99"),
        *_part(recipe, "last=99"),
        "paths.output_dir=whole",
    )
    (whole,) = tmp_path.glob("whole/*/*/")
    tag = "loss/total" if recipe == "vqvae" else "loss/discriminator"
    ours, theirs = ([row[tag] for row in logged(folder)] for folder in (run, whole))
    assert ours[:3] == theirs[:3]
    assert all(a != b for a, b in zip(ours[3:], theirs[3:], strict=True))


def test_rollbacks_have_an_end(faulty: Any, tmp_path: Path) -> None:
    done = faulty("mlp_gan", "generator", *_BACK, "trainer.max_rollbacks=1", code=1)
    assert "the run went back 1 times (trainer.max_rollbacks)" in done.stderr
    assert "Traceback" not in done.stderr
    run = only_run(tmp_path)
    assert status(run)["state"] == "failed"
    assert newest_checkpoint(run)["ganvas_clock"]["batches_seen"] == 6


def test_a_rollback_without_a_checkpoint_begins_anew(faulty: Any, tmp_path: Path) -> None:
    """And breaks at its fourth batch again, as often as it may."""
    words = ["trainer.max_steps=8", "trainer.non_finite=rollback", "trainer.max_rollbacks=2"]
    done = faulty("mlp_gan", "discriminator", *words, code=1)
    assert "rollback 2: " in done.stderr
    run = only_run(tmp_path)
    assert [row["batch"] for row in logged(run)] == [1, 2, 3]
    assert not list(run.glob("checkpoints/*.ckpt"))


def _part(recipe: str, option: str) -> list[str]:
    return [f"model.{'reconstruction_loss' if recipe == 'vqvae' else 'adversarial_loss'}.{option}"]


def _moved_by(network: str) -> tuple[str, ...]:
    """Beginnings of the names of what a network's step moves; of everything without a name."""
    return {
        "generator": ("generator.", "ema.", "optimizer.0."),
        "discriminator": ("discriminator.", "optimizer.1."),
        "": ("encoder.", "decoder.", "quantizer.", "optimizer.0."),
    }[network]


def _flat(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's tensors by name, the optimizers' among them, beside its counters."""
    flat = dict(checkpoint["state_dict"])
    for number, optimizer in enumerate(checkpoint["optimizer_states"]):
        for index, state in optimizer["state"].items():
            flat |= {f"optimizer.{number}.{index}.{key}": torch.as_tensor(x) for key, x in state.items()}
    return flat | {key: checkpoint[key] for key in ("global_step", "ganvas_clock")}


@pytest.mark.parametrize("recipe", _RECIPES)
def test_a_sample_of_nan_is_named_or_passed_over(
    recipe: str, faulty: Any, ganvas: Any, tmp_path: Path
) -> None:
    done = faulty(recipe, "data", "trainer.max_epochs=1", code=1)
    assert "data is not finite: batch " in done.stderr
    assert "trainer.non_finite=skip" in done.stderr
    words = [
        "trainer.max_epochs=2",
        "trainer.max_examples=null",
        "trainer.non_finite=skip",
        "trainer.max_skips=1",
    ]
    faulty(recipe, "data", *words, "paths.output_dir=skip")
    (run,) = tmp_path.glob("skip/*/*/")
    checkpoint = newest_checkpoint(run)
    assert non_finite_name(checkpoint) is None
    assert checkpoint["global_step"] == checkpoint["ganvas_clock"]["batches_seen"] == 2 * (1437 // 32)
    rows = logged(run)
    counts = [row.get("non_finite/skipped", 0) for row in rows]
    assert counts == sorted(counts)
    assert counts[-1] in (1, 2), "once an epoch, but where the sample is in the incomplete last batch"
    assert len(rows) == 2 * (1437 // 32)
    assert status(run)["state"] == "finished"


def test_too_many_skips_consecutive_skips_end_the_run(faulty: Any, tmp_path: Path) -> None:
    words = ["model.adversarial_loss.last=99", "trainer.non_finite=skip", "trainer.max_skips=2"]
    done = faulty("mlp_gan", "discriminator", *words, code=1)
    assert "batch 6, after 160 examples; 2 steps in a row were skipped (trainer.max_skips)" in done.stderr
    assert status(only_run(tmp_path))["state"] == "failed"
