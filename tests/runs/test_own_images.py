"""Runs on a user's own images: what they say of the files, and what a resume keeps of how they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusal import SMOKE
from run_files import only_run

WORDS = [
    "data=image_folder",
    "data.root=classes",
    "data.native_size=8",
    "data.batch_size=2",
    "data.val_fraction=0.2",
]
SHARDS = [
    "data=webdataset",
    "data.root=shards",
    "data.native_size=8",
    "data.batch_size=2",
    "data.num_workers=0",
]


def test_files_are_said_once_on_the_terminal_and_in_the_log(ganvas, there: Path) -> None:
    (there / "classes/a/notes.txt").write_text("no image")
    (there / "classes/b/9.png").touch()
    done = ganvas(*SMOKE, *WORDS, "data.on_damaged=skip")
    files, cache, damage, *rest = done.stdout.splitlines()[1:]  # behind what is about to be done
    assert files == (
        "classes: 11 images (11 .png), 2 classes; train 8, val 2 (held out), test 1 (held out); "
        "passed over: 1 .txt"
    )
    assert cache == f"classes: decoded once into {there / '.classes.ganvas'} (data.cache_dir)"
    assert damage.startswith("classes: 1 of 11 images cannot be read and are left out: b/9.png (the file is")
    assert rest[0].startswith("folder: ")
    assert "finished: " in rest[1]
    log = (only_run(there) / "train.log").read_text()
    for line in (files, cache, damage):
        assert log.count(line) == 1


def test_shards_of_a_folder_say_what_is_in_it(ganvas, there: Path) -> None:
    done = ganvas("shards", *WORDS, "data.crop=pad", "--out", "shards")
    assert done.stdout.startswith("classes: 10 images (10 .png), 2 classes; train 7, val 2")
    done = ganvas(*SMOKE, *SHARDS)
    assert done.stdout.splitlines()[1].startswith(
        "shards: 10 images in 3 shards, 2 classes; train 7, val 2, test 1; passed over:"
    )


@pytest.mark.parametrize("words", [WORDS, SHARDS], ids=["folder", "shards"])
def test_a_resume_refuses_to_read_images_otherwise(words: list[str], ganvas, there: Path) -> None:
    if words is SHARDS:
        ganvas("shards", *WORDS, "--out", "shards")
    ganvas(*SMOKE, *words, "data.background=[0,0,255]")
    options = ["data.crop=pad", "data.background=white", "data.max_pixels=100", "data.on_damaged=skip"]
    for option in [*options, "data.layout=classes"][: 4 if words is SHARDS else 5]:
        done = ganvas("resume", "latest", "trainer.max_examples=256", option, code=2)
        key = option.partition("=")[0]
        assert done.stderr.startswith(f"{option}: would change the training of this run ({key}: "), done
    assert ganvas("resume", "latest", "trainer.max_examples=256").returncode == 0
