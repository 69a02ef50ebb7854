"""Two gloo ranks and one process train the same networks."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import torch
from run_files import newest_checkpoint, only_run

_DUMP = '''
"""Writes every rank's networks at the end: what a checkpoint of the first rank cannot show."""
import pytorch_lightning as pl
import torch


class Dump(pl.Callback):
    def __init__(self, folder: str):
        self.folder = folder

    def on_train_end(self, trainer, pl_module):
        state = {"state": pl_module.state_dict(), "clock": pl_module.clock(), "step": trainer.global_step}
        torch.save(state, f"{self.folder}/rank{trainer.global_rank}of{trainer.world_size}.pt")
'''

_CASES = {
    "mlp_gan": ["model=mlp_gan"],
    "mlp_gan_wgan": ["model=mlp_gan", "model/gradient_penalty=wgan_gp", "model.d_steps_per_g_step=2"],
    "mlp_gan_rpgan": ["model=mlp_gan", "model/adversarial_loss=rpgan", "model/gradient_penalty=r1_r2"],
    "mlp_vqvae": ["model=mlp_vqvae", "model.num_embeddings=32"],
    "vqvae_vq": ["model=vqvae", "model/quantizer=vq", "model.encoder.hidden_channels=16",
                 "model.decoder.hidden_channels=16", "model.num_embeddings=32"],
}  # fmt: skip


@pytest.mark.parametrize("case", _CASES)
def test_two_ranks_equal_one_process(case: str, ganvas, tmp_path: Path) -> None:
    (tmp_path / "conf" / "callback").mkdir(parents=True)
    (tmp_path / "conf" / "callback" / "dump.py").write_text(_DUMP)
    (tmp_path / "conf" / "callback" / "dump.yaml").write_text(
        textwrap.dedent(f"""
        dump:
          _target_: dump.Dump
          folder: {tmp_path}
        """)
    )
    common = ["train", "--config-dir", "conf", "callback=dump", "trainer.max_steps=8", "data.batch_size=32"]
    ganvas(*common, *_CASES[case], "logger=none", "accelerator=cpu")
    ganvas(*common, *_CASES[case], "logger=none", "accelerator=ddp_cpu", fresh=True)
    one, first, second = (
        torch.load(tmp_path / f"rank{name}.pt", weights_only=True) for name in ("0of1", "0of2", "1of2")
    )
    assert one["step"] == first["step"] == 8
    assert one["clock"] == first["clock"] == second["clock"]
    assert one["clock"]["images_seen"] == 8 * 32
    for key, value in one["state"].items():
        assert torch.equal(first["state"][key], second["state"][key]), key
        torch.testing.assert_close(
            first["state"][key], value, rtol=2e-4, atol=2e-5, msg=lambda m, key=key: f"{key}: {m}"
        )
    runs = list(tmp_path.glob("outputs/*/*/run.yaml"))
    assert len(runs) == 2, "the second rank must join the first one's run folder"


@pytest.mark.parametrize("words", [["resume", "latest"], ["train", "resume=latest"]], ids=" ".join)
def test_two_ranks_resume_with_a_larger_budget(words: list[str], ganvas, tmp_path: Path) -> None:
    common = ["train", "data.batch_size=32", "logger=none", "callback=none", "accelerator=ddp_cpu"]
    ganvas(*common, "trainer.max_images=160", fresh=True)
    run = only_run(tmp_path)
    ganvas(*words, "trainer.max_images=320", fresh=True)
    ganvas(*common, "trainer.max_images=320", "paths.output_dir=whole", fresh=True)
    (whole,) = tmp_path.glob("whole/*/*/")
    straight, resumed = newest_checkpoint(whole), newest_checkpoint(run)
    assert resumed["ganvas_clock"]["images_seen"] == straight["ganvas_clock"]["images_seen"] == 320
    for key, value in straight["state_dict"].items():
        assert torch.equal(resumed["state_dict"][key], value), key
