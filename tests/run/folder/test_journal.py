"""What a killed process wrote after its last checkpoint goes; what the user added stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch.utils.tensorboard.writer import SummaryWriter

from ganvas.run.folder.journal import note_end, rewind, sizes, sizes_at_end


def write(path: Path, *rows: dict) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_back_to_the_sizes_of_a_moment(tmp_path: Path) -> None:
    metrics, evaluations = tmp_path / "metrics.jsonl", tmp_path / "evaluations.jsonl"
    write(metrics, {"examples": 8}, {"examples": 16})
    writer = SummaryWriter(str(tmp_path / "tensorboard"))
    writer.add_scalar("loss", 1.0, 16)
    writer.flush()
    moment = sizes(tmp_path)
    (events,) = (tmp_path / "tensorboard").iterdir()
    before = metrics.read_bytes(), events.read_bytes()
    assert moment == {"metrics.jsonl": len(before[0]), f"tensorboard/{events.name}": len(before[1])}

    write(metrics, {"examples": 16, "validation/psnr": 1.0}, {"examples": 24})
    metrics.open("a").write('{"examples": 3')
    write(
        evaluations,
        {"examples": 16, "source": "run"},
        {"examples": 16, "source": "evaluate"},
        {"examples": 24},
    )
    writer.add_scalar("loss", 1.0, 24)
    writer.close()
    (tmp_path / "tensorboard" / "events.out.tfevents.2.host").write_bytes(b"of a later process")
    (tmp_path / "tensorboard" / "notes.txt").write_text("the user's")
    rewind(tmp_path, moment)
    assert (metrics.read_bytes(), events.read_bytes()) == before
    assert evaluations.read_text() == '{"examples": 16, "source": "evaluate"}\n'
    assert {path.name for path in (tmp_path / "tensorboard").iterdir()} == {events.name, "notes.txt"}
    rewind(tmp_path, moment)
    assert (metrics.read_bytes(), events.read_bytes()) == before


def test_back_to_the_beginning(tmp_path: Path) -> None:
    write(tmp_path / "metrics.jsonl", {"examples": 8})
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events.out.tfevents.1.host").write_bytes(b"x")
    rewind(tmp_path, {})
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
    assert not list((tmp_path / "tensorboard").iterdir())


def test_a_file_that_is_shorter_than_it_was_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "metrics.jsonl", {"examples": 8})
    rewind(tmp_path, {"metrics.jsonl": 1000})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"examples": 8}\n'


def test_the_sizes_of_an_end_and_of_no_other_moment(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    status = note_end(tmp_path, 640)
    assert sizes_at_end(status, 640) == {"metrics.jsonl": 3}
    assert sizes_at_end(status, 1280) is None
    assert sizes_at_end({}, 640) is None


@pytest.mark.parametrize("sizes", [None, [], {"metrics.jsonl": "3"}, {"metrics.jsonl": -1}, {"x": True}])
def test_sizes_that_are_none_are_passed_over(sizes: object) -> None:
    assert sizes_at_end({"ended": {"examples_seen": 640, "sizes": sizes}}, 640) is None
