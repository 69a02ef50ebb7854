"""``ganvas runs show``: what it tells of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from ganvas.cli.runs.show import bytes_of, format_bytes


@pytest.fixture
def run(outputs: Path, tmp_path: Path) -> Path:
    """A copy of the trained GAN under outputs/."""
    return Path(shutil.copytree(outputs / "train" / "a_gan", tmp_path / "outputs" / "train" / "a_gan"))


def test_the_run_in_a_page(ganvas, run: Path) -> None:
    status = json.loads((run / "status.json").read_text())
    status |= {
        "metrics": {"fid": 3.5, "kid": 0.25},
        "protocols": {"kid": "pixels, val, 2000"},
        "best": {"fid": {"value": 2.25, "examples": 64}},
        "findings": [{"says": "D wins", "examples": 96}],
        "write_errors": ["samples: no space"],
    }
    (run / "status.json").write_text(json.dumps(status))
    text = ganvas("runs", "show", "a_gan").stdout
    assert "finished, 128 examples seen" in text
    assert "mlp_gan on digits, seed " in text
    assert "fid          3.5   best 2.25 at 64 examples" in text
    assert "kid          0.25 (pixels, val, 2000)" in text
    assert "D wins (at 96 examples)" in text
    assert "samples: no space" in text
    assert "the newest 000000000128.ckpt" in text
    assert format_bytes(bytes_of(run)) in text


def test_json(ganvas, run: Path) -> None:
    told = json.loads(ganvas("runs", "show", "latest", "--json").stdout)
    assert (told["run"], told["state"], told["examples_seen"]) == ("a_gan", "finished", 128)
    assert told["checkpoints"][-1] == "000000000128.ckpt"
    assert told["bytes"] == sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    assert told["versions"].keys() == {"ganvas", "torch", "pytorch-lightning"}


def test_a_hostile_status_moves_no_cursor(ganvas, run: Path) -> None:
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(
        json.dumps(status | {"error": "\x1b[2J", "findings": 3, "best": 7, "seconds": "x"})
    )
    assert "\x1b" not in ganvas("runs", "show", "a_gan").stdout


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4_250_000, "4.2 MB"), (2 * 10**15, "2000.0 TB")],
)
def test_sizes(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_what_it_was_resumed_with(ganvas, run: Path) -> None:
    ganvas("resume", "a_gan", "trainer.max_examples=192", "data.num_workers=0")
    text = ganvas("runs", "show", "a_gan").stdout
    assert "\nresumed        at 128 examples with trainer.max_examples=192 data.num_workers=0\n" in text
    (row,) = json.loads(ganvas("runs", "show", "a_gan", "--json").stdout)["resumed"]
    assert (row["examples_seen"], row["drift"]) == (128, [])
    record = yaml.safe_load((run / "run.yaml").read_text())
    record["ganvas"]["resumed"] = [3, {"overrides": "x", "examples_seen": None}]  # anyone's
    (run / "run.yaml").write_text(yaml.safe_dump(record))
    assert "\nresumed        at None examples with no options\n" in ganvas("runs", "show", "a_gan").stdout
