"""train.log tells about this run, and nothing that a library advertises."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ganvas.run.folder.train_log import train_log

ADVERTISEMENTS = (
    "💡 Tip: For seamless cloud logging and experiment tracking, try installing [litlogger](https://pypi.org)",
    "💡 Tip: For seamless cloud uploads and versioning, try installing [litmodels](https://pypi.org/project)",
    "The `srun` command is available on your system but is not used. HINT: If your intention is to run",
    "The number of training batches (22) is smaller than the logging interval Trainer(log_every_n_steps=1)",
    "Found 7 module(s) in eval mode at the start of training. This may lead to unexpected behavior",
    "`weights_only` was not set, defaulting to `False`.",
    "TPU available: False, using: 0 TPU cores",
)


def test_advertisements_stay_out_and_the_rest_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lightning = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    monkeypatch.setattr(lightning, "level", logging.INFO)
    with train_log(tmp_path / "train.log"):
        for text in ADVERTISEMENTS:
            lightning.info(text)
            logging.getLogger("py.warnings").warning("%s", f"/somewhere/x.py:3: {text}")  # captured ones
        lightning.info("`Trainer.fit` stopped: `max_steps=10` reached.")
        logging.getLogger("ganvas").info("a Tip: of our own")
    text = (tmp_path / "train.log").read_text()
    assert [line.partition(": ")[2] for line in text.splitlines() if line] == [
        "`Trainer.fit` stopped: `max_steps=10` reached.",
        "a Tip: of our own",
    ]
    assert capsys.readouterr().err == ""


def test_a_disk_that_is_full_at_the_last_line_is_no_error(tmp_path: Path, monkeypatch) -> None:
    with train_log(tmp_path / "train.log"):
        logging.getLogger("ganvas").info("a line")
        handler = next(one for one in logging.getLogger().handlers if "LogFile" in type(one).__name__)
        stream = handler.stream  # type: ignore[attr-defined]

        class Full:
            def flush(self) -> None:
                raise OSError(122, "Disk quota exceeded")

            close = flush

        monkeypatch.setattr(handler, "stream", Full())
    stream.close()
    assert "a line" in (tmp_path / "train.log").read_text()
