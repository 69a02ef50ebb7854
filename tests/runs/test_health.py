"""Runs made to be ill say what they have; healthy ones say nothing, and train as they would without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from run_files import newest_checkpoint, only_run

# Everything counts sooner than by default, so that a short run says it.
SOON = [
    "train",
    "logger=none",
    "callback.evaluation.features=null",
    "callback.preview.every_examples=0",
    "trainer.check_val_every_n_epoch=1000",
    "trainer.log_every_examples=64",
    "callback.health.every_examples=1280",
    "callback.health.warmup_examples=1280",
    "callback.health.num=128",
]
IMAGES = [
    "data=image_folder",
    "data.root=few",
    "data.channels=1",
    "data.native_size=8",
    "data.batch_size=4",
]
SLOW_MOMENTUM = [
    f"model.{one}_optimizer.{what}"
    for one in ("generator", "discriminator")
    for what in ("lr=0.003", "beta1=0.9", "beta2=0.999")
]
ILL = {
    "lr_of_d_x1000": (
        ["model.discriminator_optimizer.lr=0.2", "trainer.max_examples=3840"],
        {"discriminator_wins", "spectral_norm"},
    ),
    "fifty_steps_of_d": (
        [
            "model.d_steps_per_g_step=50",
            "model.discriminator_optimizer.lr=0.002",
            "trainer.max_examples=32000",
            "trainer.log_every_examples=3200",
        ],
        {"discriminator_wins"},
    ),
    "d_does_not_learn": (
        ["model.discriminator_optimizer.lr=1e-12", "trainer.max_examples=6400"],
        {"discriminator_collapse"},
    ),
    "lr_of_g_x100": (["model.generator_optimizer.lr=0.02", "trainer.max_examples=3840"], {"mode_collapse"}),
    "one_mode_of_the_ring": (
        ["data=toy", "data.shape=ring8", "model.generator_optimizer.lr=0.01", "trainer.max_examples=6400"],
        {"mode_collapse"},
    ),
    "momentum_on_the_ring": (
        [
            "data=toy",
            "data.shape=ring8",
            *SLOW_MOMENTUM,
            "trainer.max_examples=51200",
            "trainer.log_every_examples=768",
            "callback.health.every_examples=51200",
            "callback.health.detectors.oscillation.growth=1.5",
        ],
        {"oscillation"},
    ),
    "four_images": (
        [
            *IMAGES,
            "model.generator_optimizer.lr=0.004",
            "model.discriminator_optimizer.lr=0.004",
            "callback.health.every_examples=400",
            "trainer.max_examples=2000",
            "trainer.log_every_examples=400",
        ],
        {"discriminator_overfitting", "memorization"},
    ),
    "mostly_its_start": (
        ["model.ema.ramp=null", "trainer.max_examples=6400", "callback.health.warmup_examples=20000"],
        {"lagging_average"},
    ),
    "codes_left_alone": (
        [
            "model=mlp_vqvae",
            "model.optimizer.lr=0.1",
            "model.quantizer.restart_threshold=0",
            "trainer.max_examples=6400",
        ],
        {"codebook_collapse"},
    ),
    "codebook_of_4096_with_lr_0": (
        [
            "model=mlp_vqvae",
            "model/quantizer=vq",
            "model.num_embeddings=4096",
            "model.optimizer.lr=1e-9",
            "model.quantizer.restart_after=0",
            "trainer.max_examples=3840",
        ],
        {"dead_encoder"},
    ),
}


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


def found(run: Path) -> set[str]:
    return {finding["name"] for finding in status(run).get("health", [])}


@pytest.fixture
def few(tmp_path: Path) -> None:
    """Four training images of noise, sixteen held-out ones."""
    generator = torch.Generator().manual_seed(0)
    for split, count in (("train", 4), ("val", 16), ("test", 1)):
        (tmp_path / "few" / split).mkdir(parents=True)
        for number in range(count):
            pixels = torch.randint(256, (8, 8), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(tmp_path / "few" / split / f"{number}.png")


@pytest.mark.parametrize("case", ILL)
def test_an_ill_run_says_what_it_has(case: str, ganvas, tmp_path: Path, few: None) -> None:
    words, names = ILL[case]
    done = ganvas(*SOON, *words)
    run = only_run(tmp_path)
    assert names <= found(run), found(run)
    log = (run / "train.log").read_text()
    for finding in status(run)["health"]:
        assert set(finding) == {"name", "examples", "value", "threshold", "says", "try"}
        assert log.count(finding["says"]) == 1
        assert f"try {finding['try']}" in log
        assert (
            f"health: {finding['name']} from {finding['examples']:,} examples: {finding['says']}"
            in done.stdout
        )


@pytest.mark.parametrize(
    "words",
    [
        ["experiment=quickstart_gan", "trainer.max_examples=38400"],
        ["experiment=quickstart_vqvae", "trainer.max_examples=25600"],
    ],
    ids=["gan", "vqvae"],
)
def test_the_quickstart_is_healthy(words: list[str], ganvas, tmp_path: Path) -> None:
    done = ganvas(
        *SOON, "callback.health.every_examples=6400", "callback.health.warmup_examples=12800", *words
    )
    run = only_run(tmp_path)
    assert "health" not in status(run)
    assert "health" not in done.stdout
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert sum(any(tag.startswith("health/") for tag in row) for row in rows) >= 5


def test_training_is_the_same_bit_for_bit(ganvas, tmp_path: Path) -> None:
    common = [
        *SOON,
        "model=dcgan",
        "model.generator.base_channels=8",
        "model.discriminator.base_channels=8",
        "model.discriminator.norm=spectral",
        "trainer.max_examples=640",
    ]
    ganvas(*common, "callback.health.every_examples=64", "paths.run_dir=with")
    others = [word for word in common if not word.startswith("callback.health.")]
    ganvas(*others, "~callback.health", "paths.run_dir=without")
    one, other = newest_checkpoint(tmp_path / "with"), newest_checkpoint(tmp_path / "without")
    for key, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][key]), key
    rows = [
        [
            {tag: value for tag, value in row.items() if not tag.startswith(("speed/", "health/"))}
            for row in map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
            if "health/energy" not in row
        ]
        for name in ("with", "without")
    ]
    assert rows[0] == rows[1]


def test_a_resumed_run_goes_on_where_it_was(ganvas, tmp_path: Path) -> None:
    """It says what the whole one says, at the same examples, and nothing twice."""
    words = [*SOON, "model.discriminator_optimizer.lr=0.2", "callback.checkpoint.every_examples=1600"]
    ganvas(*words, "trainer.max_examples=3840", "paths.run_dir=whole")
    ganvas(*words, "trainer.max_examples=1600", "paths.run_dir=parts")
    assert found(tmp_path / "parts") == {"spectral_norm"}
    ganvas("resume", "parts", "trainer.max_examples=3840")
    assert status(tmp_path / "parts")["health"] == status(tmp_path / "whole")["health"]
    log = (tmp_path / "parts" / "train.log").read_text()
    assert log.count("explodes") == log.count("D wins") == 1


_FAULT = """
from ganvas.callback.run_state import RunCallback


class Fault(RunCallback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if self.state.findings:
            raise RuntimeError("right after a finding")
"""


def test_a_failed_run_keeps_its_findings(ganvas, tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "callback"
    folder.mkdir(parents=True)
    (folder / "fault.py").write_text(_FAULT)
    (folder / "fault.yaml").write_text("defaults: [default]\nfault:\n  _target_: fault.Fault\n")
    with pytest.raises(RuntimeError, match="right after a finding"):
        ganvas(
            *SOON,
            "--config-dir",
            "conf",
            "callback=fault",
            "model.discriminator_optimizer.lr=0.2",
            "trainer.max_examples=3840",
        )
    run = only_run(tmp_path)
    assert status(run)["state"] == "failed"
    assert found(run) == {"spectral_norm"}


def test_two_ranks_say_it_once(ganvas, tmp_path: Path) -> None:
    ganvas(
        *SOON,
        "model.discriminator_optimizer.lr=0.2",
        "trainer.max_examples=2560",
        "accelerator=ddp_cpu",
        "callback.evaluation=null",
        fresh=True,
    )
    run = only_run(tmp_path)
    assert found(run) >= {"spectral_norm", "discriminator_wins"}
    assert (run / "train.log").read_text().count("D wins") == 1


def test_a_detector_can_be_left_out_and_set(ganvas, tmp_path: Path) -> None:
    ganvas(
        *SOON,
        "model.discriminator_optimizer.lr=0.2",
        "trainer.max_examples=3840",
        "callback.health.detectors.discriminator_wins=null",
        "callback.health.detectors.spectral_norm.growth=1e6",
    )
    assert not {"discriminator_wins", "spectral_norm"} & found(only_run(tmp_path))


def test_a_bad_threshold_is_one_line(ganvas, tmp_path: Path) -> None:
    done = ganvas(*SOON, "callback.health.detectors.mode_collapse.diversity=2", code=2)
    assert done.stderr.strip().startswith("callback.health.detectors.mode_collapse.diversity=2")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "outputs").exists()
