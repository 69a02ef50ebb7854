from __future__ import annotations

from typing import Any

import pytest

from ganvas.run.config.announced import announce

BUDGETS: dict[str, Any] = {"max_examples": None, "max_epochs": None, "max_steps": None, "max_time": None}


@pytest.mark.parametrize(
    ("trainer", "seen", "said"),
    [
        ({"max_examples": 1280}, 0, "1,280 examples, seed 7"),
        ({"max_steps": 2}, 128, "2 batches, on from 128, seed 7"),
        ({"max_examples": 128, "max_epochs": 3}, 0, "128 examples or 3 epochs, seed 7"),
        ({"max_time": "00:01:00:00"}, 0, "00:01:00:00, seed 7"),
        ({"max_examples": 128, "fast_dev_run": True}, 0, "a trial of one batch, seed 7"),
        ({"max_examples": 128, "fast_dev_run": 3}, 0, "a trial of 3 batches, seed 7"),
    ],
)
def test_what_is_about_to_be_trained(
    trainer: dict[str, Any], seen: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"trainer": BUDGETS | trainer, "seed": 7, "paths": {"run_dir": "outputs/x"}}
    announce(config, {"model": "dcgan", "data": "digits"}, seen=seen)
    assert capsys.readouterr().out == f"dcgan on digits: {said}\nfolder: outputs/x\n"
