"""Runs on texts: their programs, which the exporter holds against ganvas, weights and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import ganvas
from ganvas.cli.main import main

_QUIET = ("callback=none", "logger=none", "accelerator=cpu", "trainer.max_examples=32")
_SMALL = ("model.embedding_dim=4", "model.num_embeddings=8", "model.encoder.width=8", "model.encoder.heads=2")
_PRIOR = ("model.prior.width=8", "model.prior.depth=1", "model.prior.heads=2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "words.txt").write_text("the cat sat on the mat and the dog sat on the log\n" * 60)
    data = ("data=text_files", f"data.root={folder}/words.txt", "data.crop_length=32", "data.batch_size=8")
    for name, words in {
        "codec": ("model=text_vqvae", *_SMALL, *data),
        "bytes": ("model=autoregressive", *_PRIOR, *data),
    }.items():
        assert main(["train", *words, *_QUIET, f"paths.run_dir={folder}/{name}"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("form", ["torch", "onnx"])
@pytest.mark.parametrize(("name", "programs"), [("codec", {"encode", "decode"}), ("bytes", {"prior"})])
def test_programs_of_texts(name: str, programs: set[str], form: str, runs: Path, tmp_path: Path) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    out = ganvas.export(runs / name, format=form, out=tmp_path / "out")
    contract = json.loads((out / "contract.json").read_text())["programs"]
    assert contract.keys() == programs
    assert all(one["checked"]["inputs"] == ["random", "real"] for one in contract.values())
    if name == "codec":
        assert contract["encode"]["inputs"][0]["dtype"] == "int64"
        assert contract["encode"]["inputs"][0]["range"] == [0, 255]
    else:
        assert contract["prior"]["decoded_by"] is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["codec", "bytes"])
def test_a_folder_of_texts_is_a_run(name: str, runs: Path, tmp_path: Path) -> None:
    out = ganvas.export(runs / name, format="folder", out=tmp_path / "out")
    before, after = (ganvas.load(one).model.state_dict() for one in (runs / name, out))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert ganvas.export(runs / name, format="safetensors", out=tmp_path / "w.safetensors").is_file()
