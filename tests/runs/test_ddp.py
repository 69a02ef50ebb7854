"""Two gloo ranks that the command line starts train what one process trains; parts: test_ddp_parts.py."""

from __future__ import annotations

from pathlib import Path

import torch
from run_files import newest_checkpoint, only_run
from worlds import close

_COMMON = ["train", "data.batch_size=32", "logger=none", "model/gradient_penalty=wgan_gp"]


def test_two_ranks_train_and_resume_as_one_process(ganvas, tmp_path: Path) -> None:
    """Trained and resumed with larger budgets in both ways there are; and in one go; and in one process."""
    two = [*_COMMON, "callback=none", "accelerator=ddp_cpu"]
    ganvas(*two, "trainer.max_examples=96", fresh=True)
    run = only_run(tmp_path)  # the second rank has joined the first one's
    ganvas("resume", "latest", "trainer.max_examples=192", fresh=True)
    ganvas("train", "resume=latest", "trainer.max_examples=288", fresh=True)
    ganvas(*two, "trainer.max_examples=288", "paths.output_dir=whole", fresh=True)
    ganvas(*_COMMON, "callback=none", "accelerator=cpu", "trainer.max_examples=288", "paths.output_dir=one")
    (whole,), (one,) = tmp_path.glob("whole/*/*/"), tmp_path.glob("one/*/*/")
    resumed, straight, alone = (newest_checkpoint(folder) for folder in (run, whole, one))
    assert resumed["ganvas_clock"]["examples_seen"] == straight["ganvas_clock"]["examples_seen"] == 288
    for key, value in straight["state_dict"].items():
        assert torch.equal(resumed["state_dict"][key], value), key
    close(dict(straight["state_dict"]), dict(alone["state_dict"]), rtol=2e-4, atol=2e-5)
    close(straight["optimizer_states"], alone["optimizer_states"], rtol=2e-4, atol=2e-5)
