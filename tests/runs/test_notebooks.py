"""The notebooks of docs/notebooks/ run from top to bottom in an empty folder, on small budgets."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
BUDGET = 6400  # examples
# What each prints and shows where it did what it says: of (notebook) -> (texts that fit, pictures).
SAID = {
    "train_and_look": ([r"finished", r"'fid': [\d.]+", r"^pixels \["], 2),
    "compare_losses": ([r"^4 runs$", r"^1 .*FID [\d.]+ ± [\d.]+", r"^2 .*FID [\d.]+ ± [\d.]+"], 1),
    "compress_and_rebuild": ([r"^\(16, 1, 8\) 64 bits", r"^PSNR [\d.]+ dB$", r" bytes$", r"^True$"], 1),
}


def read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_there_are_three_and_none_holds_outputs() -> None:
    assert {path.stem for path in NOTEBOOKS} == SAID.keys()
    for path in NOTEBOOKS:
        for cell in read(path)["cells"]:
            assert not cell.get("outputs"), f"{path.name}: clear its outputs before it is committed"
            assert cell.get("execution_count") is None


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the extra ganvas[docs]")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra ganvas[docs]")
    pytest.importorskip("ipykernel", reason="needs the extra ganvas[docs]")
    pytest.importorskip("matplotlib", reason="needs the extra ganvas[plot]")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    text = path.read_text(encoding="utf-8")
    short = re.sub(r"EXAMPLES = [\d_]+", f"EXAMPLES = {BUDGET}", text)
    assert short != text, f"{path.name} names its budget"
    notebook = nbformat.reads(short, as_version=4)
    nbformat.validate(notebook)
    folder = tmp_path / "here"
    folder.mkdir()
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": os.fspath(folder)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    patterns, pictures = SAID[path.stem]
    for pattern in patterns:
        assert re.search(pattern, said, re.MULTILINE), f"{pattern}\n{said}"
    shown = [output for output in outputs if "image/png" in getattr(output, "data", {})]
    assert len(shown) == pictures
    assert [one.name for one in (folder / "outputs").iterdir()], "runs lie in the notebook's folder"
