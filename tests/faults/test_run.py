"""The page of the fault matrix: its own part is written anew, what the fuzzer wrote stays."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # as for tests/faults/run.py

from recipes import Plan

from run import write_markdown

_MARK = "<!-- What follows is written by tests/fuzz/run.py"


def test_the_page_keeps_the_table_of_fuzzing(tmp_path: Path) -> None:
    assert _MARK in (Path(__file__).parents[1] / "fuzz" / "table.py").read_text()
    page = tmp_path / "faults.md"
    write_markdown(page, [], Plan(tmp_path, seed=3))
    alone = page.read_text()
    assert "seed 3: 0 of 0 faults" in alone
    assert _MARK not in alone
    fuzzed = f"\n{_MARK} -->\n\n## Damaged files\n\n| a | b |\n"
    page.write_text(alone + fuzzed)
    write_markdown(page, [], Plan(tmp_path, seed=4))
    assert page.read_text() == alone.replace("seed 3", "seed 4") + fuzzed
