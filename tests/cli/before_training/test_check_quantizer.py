"""``ganvas check`` asks a model's quantizer whether it keeps its interface's promises, also a user's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.model.quantizer.conformance.suite import CHECKS

_SIGNS = '''
import torch
from ganvas.functional.codes import straight_through
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


class Signs(VectorwiseQuantizer):
    """Kept: all but what a test replaces."""

    updates_itself = False
    takes_nearest = True

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.embedding_dim, self.codebook_sizes = embedding_dim, (2**embedding_dim,)
        self.register_buffer("places", 2 ** torch.arange(embedding_dim), persistent=False)
        self.register_buffer("one", torch.ones(()), persistent=False)

    def quantize(self, rows, weight=None):
        indices = self.search(rows)
        codes = torch.where(rows > 0, 1.0, -1.0).to(rows.dtype)
        loss = self.mean((rows - codes).square(), weight)
        quantized = straight_through(quantized=codes, latent=rows)
        losses = {"commitment_loss": loss.detach()}
        return RowsOutput(quantized, indices, loss, losses, self.usage_of(indices, weight))

    def search(self, rows):
        return ((rows > 0) * self.places).sum(1, keepdim=True)

    def look_up(self, indices):
        return (indices // self.places % 2 * 2.0 - 1.0).to(self.one.dtype)
'''
_EIGHT = """
from ganvas.model.quantizer.interface import Quantizer


class Signs(Quantizer):
    updates_itself = False

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.inner = Inner(embedding_dim)
        self.embedding_dim, self.codebook_sizes = embedding_dim, self.inner.codebook_sizes

    def forward(self, z, mask=None):
        if z.shape[2:] != (8,):
            raise ValueError(f"latents of shape {list(z.shape)}: must have 8 positions")
        return self.inner(z, mask)

    def encode(self, z):
        return self.inner.encode(z)

    def decode(self, indices, levels=None):
        return self.inner.decode(indices)
"""
_WORDS = ("model=mlp_vqvae", "accelerator=cpu", "callback=none", "logger=none")


def _own(tmp_path: Path, module: str, text: str = _SIGNS) -> tuple[str, ...]:
    """Writes a folder of one's own; the words that name its quantizer. Each test has another module."""
    folder = tmp_path / "conf" / "model" / "quantizer"
    folder.mkdir(parents=True)
    (tmp_path / "conf" / f"{module}.py").write_text(text)
    (folder / "mine.yaml").write_text(f"_target_: {module}.Signs\nembedding_dim: ${{model.embedding_dim}}\n")
    return ("check", "--config-dir", "conf", "model/quantizer=mine", "model.embedding_dim=4", *_WORDS)


def test_one_that_keeps_all(ganvas, tmp_path: Path) -> None:
    done = ganvas(*_own(tmp_path, "signs_that_keep"))
    fast = sum(not check.is_slow for check in CHECKS)
    assert f"model.quantizer keeps {fast} of {fast} promises of its interface" in done.stdout
    assert "fault" not in done.stdout
    assert not done.stderr


def test_each_fault_is_a_line(ganvas, tmp_path: Path) -> None:
    text = _SIGNS.replace("codes, latent=rows)", "codes.detach(), latent=rows.detach())")
    text = text.replace("(rows - codes).square(), weight)", "(rows - codes).square(), None)")
    done = ganvas(*_own(tmp_path, "signs_with_faults", text), code=2)
    faults = [line for line in done.stdout.splitlines() if line.startswith("fault: model.quantizer, ")]
    names = {line.split(": ")[1].partition(", ")[2] for line in faults}
    assert {"the_gradient_reaches_the_encoder", "a_mask_leaves_vectors_out"} <= names
    assert all("; found: " in line for line in faults)
    assert f"keeps {len(_fast()) - len(faults)} of {len(_fast())} promises" in done.stdout
    assert "\ntime " in done.stdout, "what it costs is said too"
    (line,) = done.stderr.splitlines()
    assert line.startswith("model.quantizer._target_=signs_with_faults.Signs: breaks ")


def _fast() -> list[str]:
    return [check.name for check in CHECKS if not check.is_slow]


def test_json_has_the_report(ganvas, tmp_path: Path) -> None:
    text = _SIGNS.replace("search(self, rows):", "search(self, rows):\n        torch.rand(())")
    done = ganvas(*_own(tmp_path, "signs_that_draw", text), "--json", code=2)
    report = json.loads(done.stdout)["quantizers"]["model.quantizer"]
    (fault,) = report["faults"]
    assert fault["check"] == "global_generators_are_left_alone"
    assert fault["found"] == "torch's generator has moved"
    assert report["asked"] == _fast()
    assert not report["not_asked"]


def test_latents_are_those_of_the_model(ganvas, tmp_path: Path) -> None:
    """A quantizer that takes one shape alone is given it, and not asked for vectors that stand alone."""
    text = _SIGNS.replace("class Signs", "class Inner") + _EIGHT
    done = ganvas(*_own(tmp_path, "signs_of_eight", text))
    assert "model.quantizer keeps 32 of 32 promises" in done.stdout
    assert "not asked codes_encode_to_themselves, the_nearest_code_in_float64, no_code_decodes" in done.stdout


def test_a_gan_has_none(ganvas) -> None:
    assert "quantizer" not in ganvas("check", "accelerator=cpu").stdout


@pytest.mark.slow
@pytest.mark.real_processes
def test_thorough_asks_all(tmp_path: Path) -> None:
    """Started by a file without a guard, as console scripts are, which no process of its own runs again."""
    words = [*_own(tmp_path, "signs_for_all"), "--thorough", "--json"]
    (tmp_path / "script.py").write_text("from ganvas.cli.main import entry\nentry()\n")
    done = subprocess.run(
        [sys.executable, "script.py", *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)["quantizers"]["model.quantizer"]
    assert {*report["asked"], *report["not_asked"]} == {check.name for check in CHECKS}
    assert set(report["not_asked"]) <= {"onnx_of_encode_and_decode", "a_compiled_one"}
    assert report["faults"] == []
