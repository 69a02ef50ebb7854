from __future__ import annotations

import json
import shutil
from pathlib import Path


def test_json_is_a_list_of_runs_oldest_first(ganvas, outputs: Path) -> None:
    first, second = json.loads(ganvas("runs", "ls", "--json", "--output-dir", str(outputs)).stdout)
    assert first == {
        "run": "a_gan", "folder": str(outputs / "train" / "a_gan"), "state": "finished", "images_seen": 128,
        "model": "mlp_gan", "data": "digits", "figures": {},
    }  # fmt: skip
    assert (second["run"], second["model"]) == ("b_vqvae", "mlp_vqvae")


def test_table_names_every_run(ganvas, outputs: Path) -> None:
    text = ganvas("runs", "ls", "--output-dir", str(outputs)).stdout
    assert "a_gan" in text
    assert "b_vqvae" in text
    assert "finished" in text


def test_a_broken_run_is_listed_as_broken(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    (run / "run.yaml").write_text("{")
    (row,) = json.loads(ganvas("runs", "ls", "--json").stdout)
    assert row["state"] == "broken"


def test_no_runs(ganvas) -> None:
    assert json.loads(ganvas("runs", "ls", "--json").stdout) == []
    assert "ganvas train makes one" in ganvas("runs", "ls").stdout
