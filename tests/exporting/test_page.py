"""docs/exports.md is true: its commands and blocks run, in their order, in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganvas.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
_QUICK = (
    "callback=none",
    "logger=none",
    "trainer.max_examples=640",
    "accelerator.threads=1",
)  # the last wins
_NARROW = ("model.prior.width=16", "model.prior.heads=2", "model.prior.depth=1")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    for kind, block in BLOCKS:
        if kind == "python":
            exec(compile(block, "docs/exports.md", "exec"), {})
            continue
        for line in block.splitlines():
            program, *words = shlex.split(line)
            assert program == "ganvas"
            quick = _QUICK if words[0] == "train" else ()
            narrow = _NARROW if "model=autoregressive" in words else ()
            assert main([*words, *quick, *narrow]) == 0, line
    said = capsys.readouterr().out
    for line in ("(4, 1, 8, 8) [0, 9]", "torch.Size([3, 1, 8, 8])", "(4, 1, 8, 8)\n"):
        assert line in said
