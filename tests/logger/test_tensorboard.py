"""TensorBoard's files while the disk is full."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from ganvas.logger.tensorboard import TensorBoard


@pytest.fixture
def logger(tmp_path: Path) -> TensorBoard:
    return TensorBoard(save_dir=str(tmp_path), name="", version="tensorboard", default_hp_metric=False)


def steps(folder: Path) -> list[int]:
    return [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("loss")]


def test_losses_lead_and_other_tags_keep_their_names(logger: TensorBoard, tmp_path: Path) -> None:
    """TensorBoard sorts groups by their letters' codes."""
    tags = ["accuracy/real", "loss/generator", "evaluation/fid", "loss/discriminator", "health/loss/x"]
    logger.log_metrics(dict.fromkeys(tags, 1.0), 8)
    logger.finalize("success")
    read = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert sorted(read.Tags()["scalars"]) == [
        "Loss/discriminator",
        "Loss/generator",
        "accuracy/real",
        "evaluation/fid",
        "health/loss/x",
    ]


def test_goes_on_in_a_new_file(logger: TensorBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda failed: None)
    logger.log_metrics({"loss": 1.0}, 8)
    logger.flush()
    writer = logger.experiment._get_file_writer().event_writer._async_writer._writer

    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write", full)
        with pytest.raises(OSError, match="No space"):  # the thread fails; whoever comes next is told
            _log_and_flush(logger, 16, 24)
    logger.log_metrics({"loss": 1.0}, 32)
    logger.finalize("success")
    assert steps(tmp_path / "tensorboard") == [8, 32]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_what_lightning_takes_for_a_wrong_value_is_the_disk(
    logger: TensorBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(122, "Disk quota exceeded")

    logger.log_metrics({"loss": 1.0}, 8)
    monkeypatch.setattr(logger.experiment, "add_scalar", full)
    with pytest.raises(OSError, match="quota"):
        logger.log_metrics({"loss": 1.0}, 16)
    logger.log_metrics({"loss": 1.0}, 24)
    logger.finalize("success")
    assert steps(tmp_path / "tensorboard") == [8, 24]


def test_files_of_one_second_are_read_in_the_order_of_their_writing(
    logger: TensorBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names end with a number without leading zeros: 10 sorts before 9."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(9))
    logger.log_metrics({"loss": 1.0}, 8)
    logger.flush()
    logger.reopen()
    logger.log_metrics({"loss": 1.0}, 16)
    logger.finalize("success")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    assert steps(tmp_path / "tensorboard") == [8, 16]


def test_a_value_that_is_none_stays_an_error(logger: TensorBoard) -> None:
    with pytest.raises(ValueError, match="not supported"):
        logger.log_metrics({"loss": "much"}, 8)  # type: ignore[dict-item]


def _log_and_flush(logger: TensorBoard, *steps: int) -> None:
    for step in steps:
        logger.log_metrics({"loss": 1.0}, step)
        logger.flush()


def test_the_end_of_a_run_is_no_place_to_fail(logger: TensorBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    logger.log_metrics({"loss": 1.0}, 8)

    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logger.experiment, "flush", full)
    logger.finalize("success")


def test_nothing_is_opened_for_a_flush(logger: TensorBoard, tmp_path: Path) -> None:
    logger.flush()
    assert not list(tmp_path.iterdir())
