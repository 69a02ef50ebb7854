"""docs/quantizers.md is true where a run begins with a VQGAN's weights: its files, a run, one after it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from run_files import newest_state
from safetensors.torch import save_file
from vqgan_states import vqgan_state

from ganvas.model.taming import vq_model

_PAGE = (Path(__file__).parents[2] / "docs" / "quantizers.md").read_text()
_BLOCKS = re.findall(r"^```(?:python|yaml)\n(# (conf/\S+)\n.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
_SMALL = [
    "data=digits",
    "accelerator=cpu",
    "trainer.max_examples=64",
    "data.batch_size=64",
    "callback=minimal",
]
_SMALL += ["callback.evaluation.every_examples=0", "logger=none", "model.optimizer.lr=1e-12"]
_SIZES = ["model.encoder.base_channels=32", "model.encoder.multipliers=[1,2]", "model.encoder.blocks=2"]
_SIZES += ["model.encoder.latent_channels=6", "model.embedding_dim=4", "model.num_embeddings=9"]


@pytest.mark.slow
def test_a_run_begins_with_a_vqgans_weights(ganvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "vqgan", raising=False)
    assert len(_BLOCKS) == 4
    for text, name in _BLOCKS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    state = vqgan_state(multipliers=(1, 2), attention=(), channels=1)
    save_file(state, tmp_path / "vqgan.safetensors")
    own = [f"model/{part}=vqgan" for part in ("encoder", "quantizer", "decoder")]
    ganvas("train", "--config-dir", "conf", "model=vqvae", *own, *_SMALL, "paths.run_dir=first")
    parts = ["model/encoder=resnet", "model/decoder=resnet", "model/quantizer=vq", "model.init_from=first"]
    ganvas("train", "model=vqvae", *parts, *_SIZES, *_SMALL, "paths.run_dir=second")
    sys.modules.pop("vqgan", None)
    for run in ("first", "second"):
        found = newest_state(tmp_path / run)
        for part, module in vq_model(state, sample_shape=[1, 8, 8])._asdict().items():
            for name, value in module.named_parameters():
                torch.testing.assert_close(found[f"{part}.{name}"], value.detach(), rtol=0, atol=1e-9)
