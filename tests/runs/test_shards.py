"""Runs on sharded data: resumed bit for bit in the middle of an epoch, refused where a shard is bad."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from refusal import refused
from run_files import newest_checkpoint, only_run

WORDS = [
    "train",
    "data=webdataset",
    "data.root=shards",
    "data.native_size=8",
    "data.batch_size=16",
    "data.channels=1",
    "data.shuffle_window=8",
    "data.horizontal_flip=true",
    "callback=none",
    "logger=none",
    "trainer.limit_val_batches=0",
]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """100 noisy images in 5 shards, of which 80 are trained on: 5 batches an epoch."""
    noise = torch.randint(0, 256, (100, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    (tmp_path / "shards").mkdir()
    for shard in range(5):
        with tarfile.open(tmp_path / f"shards/train-{shard:06}.tar", "w") as archive:
            for row in range(20 * shard, 20 * shard + 20):
                file = io.BytesIO()
                Image.fromarray(noise[row].numpy()).save(file, "png")
                for name, content in ((f"{row}.png", file.getvalue()), (f"{row}.cls", str(row % 3).encode())):
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    return tmp_path / "shards"


def assert_same(resumed: Path, whole: Path) -> None:
    one, other = newest_checkpoint(resumed), newest_checkpoint(whole)
    assert one["ganvas_clock"] == other["ganvas_clock"]
    for key, value in other["state_dict"].items():
        assert torch.equal(one["state_dict"][key], value), key


@pytest.mark.parametrize(("workers", "then"), [(0, 2), (2, 0), (1, 1)])
def test_resumed_in_the_middle_of_an_epoch(
    workers: int, then: int, ganvas, shards: Path, tmp_path: Path
) -> None:
    common = [*WORDS, "accelerator=cpu"]
    ganvas(*common, "trainer.max_steps=12", "paths.output_dir=whole", "data.num_workers=0")
    ganvas(*common, "trainer.max_steps=7", f"data.num_workers={workers}")
    run = only_run(tmp_path)
    ganvas("resume", "latest", "trainer.max_steps=12", f"data.num_workers={then}")
    (whole,) = tmp_path.glob("whole/*/*/")
    assert_same(run, whole)


def test_two_ranks_resumed_train_what_one_process_trains(ganvas, shards: Path, tmp_path: Path) -> None:
    """Other samples, or another order, would move the weights by a hundred times the tolerance."""
    ganvas(*WORDS, "accelerator=ddp_cpu", "data.num_workers=1", "trainer.max_steps=7", fresh=True)
    run = only_run(tmp_path)
    ganvas("resume", "latest", "trainer.max_steps=12", "data.num_workers=0", fresh=True)
    ganvas(*WORDS, "accelerator=cpu", "trainer.max_steps=12", "paths.output_dir=alone", "data.num_workers=0")
    (alone,) = tmp_path.glob("alone/*/*/")
    resumed, whole = newest_checkpoint(run), newest_checkpoint(alone)
    assert resumed["ganvas_clock"] == whole["ganvas_clock"]
    for key, value in whole["state_dict"].items():
        torch.testing.assert_close(resumed["state_dict"][key], value, rtol=2e-4, atol=2e-5)


def test_a_damaged_shard_is_refused_before_anything_is_written(ganvas, shards: Path, tmp_path: Path) -> None:
    path = shards / "train-000003.tar"
    path.write_bytes(path.read_bytes()[:10_240])
    line = refused(ganvas, tmp_path, WORDS, "data.root", "shard train-000003.tar ends at byte 10240")
    assert line.endswith("it is cut off, fetch it again")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_image_ends_the_run_by_its_name(workers: int, ganvas, shards: Path, tmp_path: Path) -> None:
    """Only training can find it: it would take a pass over all the data before. What was trained is kept."""
    content = bytearray((shards / "train-000003.tar").read_bytes())
    with tarfile.open(shards / "train-000003.tar") as archive:
        offset = archive.getmember("69.png").offset_data
    content[offset : offset + 8] = b"no image"
    (shards / "train-000003.tar").write_bytes(content)
    done = ganvas(
        *WORDS,
        "accelerator=cpu",
        "trainer.max_epochs=2",
        f"data.num_workers={workers}",
        "data.val_fraction=0",
        "data.test_fraction=0",
        code=2,
    )
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("data.")]
    assert line.startswith("data.root=shards: shard train-000003.tar, key 69: cannot be read as an image")
    status = json.loads((only_run(tmp_path) / "status.json").read_text())
    assert status["state"] == "failed"
    assert "key 69" in status["error"]
