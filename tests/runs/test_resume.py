"""A run that is stopped and resumed ends as one that was not."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from run_files import newest_checkpoint, newest_state, only_run
from untried import untried

_CASES = {
    "mlp_gan": ["model=mlp_gan", "model/gradient_penalty=r1", "model.d_steps_per_g_step=2"],
    "regularizers": [
        *("model=mlp_gan", "model.conditional=true", "model/head=contrastive", "model/augment=apa"),
        *("model.augment.p=0.2", "model.augment.interval=3", "model.augment.adapt_examples=3000"),
        *("model/regularizer=[lecam,bcr,zcr,top_k]", "model.regularizer.lecam.start=0"),
        *("model/adversarial_loss=hinge", "model/gradient_penalty=wgan_gp"),
    ],
    "projection": [
        *("model=mlp_gan", "model.conditional=true", "model/head=projection", "model/regularizer=cr"),
        *("model/adversarial_loss=rpgan", "model/gradient_penalty=r1_r2", "model/augment=diffaugment"),
    ],
    "acgan": [
        *("model=mlp_gan", "model.conditional=true", "model/head=acgan"),
        *("model/adversarial_loss=least_squares", "model/gradient_penalty=r2"),
    ],
    "d2d_ce": [
        *("model=mlp_gan", "model.conditional=true", "model/head=d2d_ce"),
        *("model/adversarial_loss=saturating", "model/gradient_penalty=dragan"),
    ],
    "inner_product": [
        *("model=mlp_gan", "model/head=inner_product", "model.conditional=true"),
        "model/adversarial_loss=wasserstein",
    ],
    "dcgan": [
        "model=dcgan",
        "model.generator.base_channels=8",
        "model.discriminator.base_channels=8",
        "data.horizontal_flip=true",
    ],
    "dcgan_spectral": [
        "model=dcgan",
        "model.generator.base_channels=8",
        "model.discriminator.base_channels=8",
        "model.discriminator.norm=spectral",
    ],
    "ada": [
        "model=mlp_gan",
        "model/augment=ada",
        *("model.augment.p=0.2", "model.augment.interval=3", "model.augment.adapt_examples=3000"),
    ],
    "style": [  # its mean style, in the middle of what it gathers for a generator's step
        "model=style",
        *("model.latent_dim=8", "model.generator.w_dim=8", "model.generator.channel_max=8"),
        *("model.discriminator.channel_max=8", "model.d_steps_per_g_step=3"),
        *("model/regularizer=path_length", "model.regularizer.path_length.interval=1"),
        "model.gradient_penalty.interval=2",
    ],
    "classifier": ["model=classifier", "model.network.base_channels=4", "model.optimizer.lr.examples=2560"],
    "vqvae": [
        "model=vqvae",
        "model.encoder.hidden_channels=16",
        "model.decoder.hidden_channels=16",
        "data.num_workers=1",
    ],
    "vqgan": [  # in the middle of its ramp
        *("model=vqgan", "model.encoder.hidden_channels=16", "model.decoder.hidden_channels=16"),
        *("model.discriminator.base_channels=8", "model.ramp_examples=5000", "model/augment=ada"),
        *("model.augment.p=0.2", "model.augment.interval=3", "model.augment.adapt_examples=3000"),
    ],
    "tokens": [
        *("model=vqvae", "model/encoder=vit", "model/decoder=vit", "data.image_size=10"),
        *("model.encoder.tokens=3", "model.encoder.width=16", "model.encoder.depth=1"),
        "model/reconstruction_loss=[l1,perceptual]",
        "metric/features@model.reconstruction_loss.perceptual.features=pixels",
    ],
    "residual_autoencoder": [
        *("model=vqvae", "model/encoder=resnet", "model/decoder=resnet", "data.image_size=10"),
        *("model.encoder.base_channels=8", "model.encoder.blocks=1"),
    ],
}


def test_every_part_of_the_adversarial_game_is_in_a_case() -> None:
    groups = ["adversarial_loss", "gradient_penalty", "regularizer", "head", "augment"]
    assert untried([f"model/{group}" for group in groups], _CASES.values()) == []


def equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.mark.parametrize("case", _CASES)
def test_resumed_mid_epoch_equals_uninterrupted(case: str, ganvas, tmp_path: Path) -> None:
    common = [
        "train",
        "data.batch_size=64",
        "callback=minimal",
        "trainer.log_every_examples=128",
        *_CASES[case],
    ]
    ganvas(*common, "trainer.max_examples=2560", "paths.output_dir=whole")  # 22 batches an epoch, 40 in all
    ganvas(*common, "trainer.max_examples=1664")  # 26: four batches into the second epoch
    run = only_run(tmp_path)
    ganvas("resume", "latest", "trainer.max_examples=2560")
    (whole,) = tmp_path.glob("whole/*/*/")
    resumed, straight = newest_checkpoint(run), newest_checkpoint(whole)
    assert straight["ganvas_clock"]["examples_seen"] == 2560
    for key in ("state_dict", "optimizer_states", "ganvas_clock", "global_step", "epoch"):
        assert equal(resumed[key], straight[key]), key
    rows = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (run, whole)
    ]
    logged = [
        {
            row["examples"]: {k: v for k, v in row.items() if k.startswith("loss/")}
            for row in side
            if "loss/" in str(row)
        }
        for side in rows
    ]
    assert logged[0] == logged[1]


@pytest.mark.real_processes
def test_interrupt_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ganvas", "train", "callback=minimal", "trainer.max_examples=100000000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("outputs/*/*/metrics.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, (out, err)
    run = only_run(tmp_path)
    assert f"ganvas resume {run.relative_to(tmp_path)}" in out
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "interrupted"
    assert status["examples_seen"] == newest_checkpoint(run)["ganvas_clock"]["examples_seen"] > 0
    assert "Traceback" not in err


def test_a_damaged_checkpoint_is_passed_over(ganvas, tmp_path: Path) -> None:
    ganvas("train", "callback=minimal", "trainer=smoke", "callback.checkpoint.every_examples=320")
    run = only_run(tmp_path)
    _, new = sorted(run.glob("checkpoints/*.ckpt"))
    data = bytearray(new.read_bytes())
    data[len(data) // 2] ^= 1
    new.write_bytes(bytes(data))
    assert f"{new.name} is damaged" in ganvas("resume", "latest").stderr
    assert newest_checkpoint(run)["ganvas_clock"]["examples_seen"] == 640
    assert new.with_name(f"{new.name}.damaged").read_bytes() == bytes(data)  # passed over, not thrown away


def test_a_run_folder_can_move(ganvas, tmp_path: Path) -> None:
    ganvas("train", "callback=minimal", "trainer=smoke")
    moved = tmp_path / "elsewhere"
    shutil.move(only_run(tmp_path), moved)
    ganvas("resume", "elsewhere", "trainer.max_examples=1280")
    assert newest_checkpoint(moved)["ganvas_clock"]["examples_seen"] == 1280
    assert not list(tmp_path.glob("outputs/*/*"))
    assert newest_state(moved)


def test_a_finished_run_says_so_and_keeps_its_metrics(ganvas, tmp_path: Path) -> None:
    ganvas("train", "callback=minimal", "trainer=smoke", "callback.evaluation.num_samples=50")
    run = only_run(tmp_path)
    files = {path.name: path.read_bytes() for path in run.glob("*.jsonl")}
    before = json.loads((run / "status.json").read_text())
    assert set(before["metrics"]) == {"fid"}
    assert "finished already" in ganvas("resume", "latest").stdout
    after = json.loads((run / "status.json").read_text())
    for key in ("state", "examples_seen", "metrics", "error"):
        assert after[key] == before[key]
    assert {path.name: path.read_bytes() for path in run.glob("*.jsonl")} == files
    assert "finished already" not in ganvas("resume", "latest", "trainer.max_examples=1280").stdout


_SEEN = """
from pathlib import Path

from ganvas.metric.interface import Features


class Seen:
    def __init__(self, weights):
        self.protocol = {"weights": Path(weights).read_text()}

    def check(self, facts):
        pass

    def __call__(self, x):
        return Features(x.flatten(1))
"""


def test_a_loss_that_sees_by_other_weights_is_refused(ganvas, tmp_path: Path) -> None:
    folder, weights = tmp_path / "conf", tmp_path / "weights"
    (folder / "metric" / "features").mkdir(parents=True)
    (folder / "seen_by_mine.py").write_text(_SEEN)
    text = f"_target_: seen_by_mine.Seen\nweights: {weights}\n"
    (folder / "metric" / "features" / "seen.yaml").write_text(text)
    weights.write_text("one")
    words = ["model=mlp_vqvae", "model/reconstruction_loss=[mse,perceptual]", "trainer.max_examples=128"]
    words += ["metric/features@model.reconstruction_loss.perceptual.features=seen", "callback=minimal"]
    ganvas("train", "--config-dir", str(folder), *words)
    weights.write_text("another")
    more = ["resume", "latest", "--config-dir", str(folder), "trainer.max_examples=256"]
    done = ganvas(*more, code=2)
    assert done.stderr.startswith(
        "rests_on.perceptual.weights=another: would change the training of this run"
    )
    ganvas(*more, "allow_drift=true")
