from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


def test_json_is_a_list_of_runs_oldest_first(ganvas, outputs: Path) -> None:
    first, second = json.loads(ganvas("runs", "ls", "--json", "--output-dir", str(outputs)).stdout)
    assert first == {
        "run": "a_gan",
        "folder": str(outputs / "train" / "a_gan"),
        "state": "finished",
        "examples_seen": 128,
        "model": "mlp_gan",
        "data": "digits",
        "metrics": {},
        "main_metric": "fid",
        "protocols": {},
    }
    assert (second["run"], second["model"]) == ("b_vqvae", "mlp_vqvae")


def test_a_prior_is_told_by_its_own_metric_first(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "b_vqvae"
    shutil.copytree(outputs / "train" / "b_vqvae", run)
    status = json.loads((run / "status.json").read_text())
    assert status["main_metric"] == "psnr"
    metrics = {"fid": 3.5, "bits_per_byte": 2.25, "psnr": 20.0}
    (run / "status.json").write_text(
        json.dumps(status | {"main_metric": "bits_per_byte", "metrics": metrics})
    )
    assert "bits_per_byte 2.25, fid 3.5, psnr 20" in ganvas("runs", "ls").stdout


def test_runs_of_a_glob_alone(ganvas, outputs: Path) -> None:
    rows = json.loads(ganvas("runs", "ls", "*vq*", "--json", "--output-dir", str(outputs)).stdout)
    assert [row["run"] for row in rows] == ["b_vqvae"]


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


@pytest.mark.parametrize(
    "status",
    [
        "[1]",
        "3",
        '{"state": 3}',
        '{"metrics": "x"}',
        '{"metrics": {"fid": "x"}}',
        '{"examples_seen": [1]}',
        "{",
    ],
)
def test_a_status_of_other_types_is_broken(status: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    (run / "status.json").write_text(status)
    (row,) = json.loads(ganvas("runs", "ls", "--json").stdout)
    assert (row["run"], row["state"], row["examples_seen"], row["metrics"]) == ("a_gan", "broken", 0, {})
    assert "broken" in ganvas("runs", "ls").stdout


def test_choices_of_another_type_are_a_broken_run(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    (run / "run.yaml").write_text("ganvas: {choices: [1, 2]}\nconfig: {}\n")
    (row,) = json.loads(ganvas("runs", "ls", "--json").stdout)
    assert (row["state"], row["model"]) == ("broken", None)


def test_a_table_shows_what_a_status_says_and_does_not_obey_it(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    (run / "status.json").write_text(
        json.dumps({"state": "a[/b]\x1b[2J\n", "metrics": {"fid": None, "x": 2.5}})
    )
    shown = ganvas("runs", "ls").stdout
    assert "a[/b]?[2J?" in shown
    assert "\x1b" not in shown
    assert "x 2.5" in shown


def test_no_runs(ganvas) -> None:
    assert json.loads(ganvas("runs", "ls", "--json").stdout) == []
    assert "ganvas train makes one" in ganvas("runs", "ls").stdout
