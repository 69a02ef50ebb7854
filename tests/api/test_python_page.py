"""docs/python.md is true: its blocks run, in order, in an empty folder, and its table has every part."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| `(ganvas[\w.]+)` \| (.*) \|$", PAGE, re.MULTILINE)


@pytest.mark.slow
def test_every_block_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/python.md, block {number + 1}", "exec"), names)
    said = capsys.readouterr().out
    assert "100 digits" in said
    assert "torch.Size([16, 1, 8, 8]) torch.float32 tensor(True) tensor(True)" in said
    assert "MLPGenerator False torch.Size([16])" in said
    assert "tensor(True) torch.Size([32, 1, 8, 8])" in said
    assert "model.latent_dm=64: there is no such key or group; did you mean model.latent_dim?" in said


def test_the_table_has_every_part_under_its_one_path():
    told = {f"{group}.{part}" for group, parts in ROWS for part in re.findall(r"`([\w.]+)`", parts)}
    there = {
        target
        for group, _ in ROWS
        for path in (ROOT / "conf" / group.removeprefix("ganvas.").replace(".", "/")).glob("*.yaml")
        for target in re.findall(r"_target_: (ganvas\.[\w.]+)", path.read_text())
        if target.startswith(f"{group}.")
    }
    assert told == there
    for path in told:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)
        assert not hasattr(importlib.import_module(module.rpartition(".")[0]), name), "one path alone"
