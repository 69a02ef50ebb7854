"""Callbacks take what they wrote, and a run is refused before it begins where they do not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from ganvas.callback.codebook import Codebook
from ganvas.callback.early_stopping import EarlyStopping
from ganvas.callback.evaluation import Evaluation
from ganvas.callback.health import Health
from ganvas.callback.preview import Preview
from ganvas.run.checkpoint.callback_state import check_callback_states
from ganvas.run.deferred_validation import DeferredValidation
from ganvas.run.ending.stop_on_signal import StopOnSignal
from ganvas.run.folder.run_folder import RunFolder

FINDING = {"name": "x", "examples": 3, "value": 0.5, "threshold": 1, "says": "it is so", "try": "lr=1"}
HISTORY = {"recent": {"a": [1.0]}, "early": {"a": [0.5]}, "newest": {"a": 1.0}}
SOUND: dict[str, dict[str, Any]] = {
    "StopOnSignal": {"seconds": 1.5},
    "Preview": {"shown_at": -1},
    "Codebook": {"shown_at": 64, "last_used": [torch.tensor([0, 64])], "restarts": 2},
    "Evaluation": {"evaluated_at": 64, "metrics": {"fid": 1.0, "kid": float("nan"), "n": 3}},
    "Health": {"history": HISTORY, "findings": [FINDING], "measured_at": 64},
    "EarlyStopping": {"best": float("inf"), "best_at": 0, "newest_at": 64},
}


def callbacks(folder: Path) -> list[pl.Callback]:
    common = {"run_dir": str(folder), "every_examples": 10, "seed": 1}
    return [
        StopOnSignal(RunFolder(folder), DeferredValidation()),
        Preview(num=1, num_points=1, **common),
        Codebook(every_examples=10, num=1, most=2),
        Evaluation(
            features=None, metrics={}, perceptual=None, num_samples=2, batch_size=2, split="val", **common
        ),
        Health(warmup_examples=0, num=2, max_train=1, detectors={}, **common),
        EarlyStopping(monitor="x", patience_examples=1),
    ]


def test_their_own_states_are_taken(tmp_path: Path) -> None:
    check_callback_states(SOUND, callbacks(tmp_path), 64)
    fresh = callbacks(tmp_path)
    check_callback_states({one.state_key: one.state_dict() for one in fresh}, fresh, 0)
    taken = callbacks(tmp_path)
    check_callback_states(SOUND, taken, 64)
    for one in taken[1:]:
        assert str(one.state_dict()) == str(SOUND[one.state_key])
    check_callback_states({"Gone": {"x": 1}}, callbacks(tmp_path), 64)


WRONG: list[tuple[str, str, Any, str]] = [
    ("StopOnSignal", "seconds", -1.0, "less than 0"),
    ("StopOnSignal", "seconds", float("inf"), "no finite number"),
    ("Preview", "shown_at", True, "no whole number of at least -1"),
    ("Preview", "shown_at", 2**63 - 1, "no whole number"),
    ("Preview", "shown_at", 65, "shown_at is 65, and 64 examples were seen"),
    ("Codebook", "shown_at", -2, "no whole number"),
    ("Codebook", "restarts", -1, "no whole number"),
    ("Codebook", "last_used", torch.zeros(2), "no list"),
    ("Codebook", "last_used", [[0, 64]], "no row of whole numbers"),
    ("Codebook", "last_used", [torch.zeros(2)], "no row of whole numbers"),
    ("Codebook", "last_used", [torch.tensor([0, 65])], "after the look at 64"),
    ("Codebook", "last_used", [torch.tensor([-1, 64])], "before the start"),
    ("Codebook", "last_used", [torch.zeros(65_537, dtype=torch.int64)], "at most 65536 are kept"),
    ("Evaluation", "metrics", {"fid": "x"}, r"metrics\.fid is no number"),
    ("Evaluation", "metrics", [1], "no table"),
    ("Evaluation", "evaluated_at", "64", "no whole number"),
    ("EarlyStopping", "best", float("nan"), "no number"),
    ("EarlyStopping", "best_at", 65, "after the newest value"),
    ("Health", "measured_at", None, "no whole number"),
    ("Health", "history", [1], "no table"),
    ("Health", "history", {"recent": {}, "early": {"a": []}}, "has 0 values"),
    ("Health", "history", {"recent": {"a": [1.0] * 65}, "early": {}}, "has 65 values"),
    ("Health", "history", {"recent": {}, "early": {}, "newest": {"a": torch.ones(())}}, "no finite number"),
    ("Health", "findings", [FINDING | {"says": 3}], "no text"),
    ("Health", "findings", [FINDING | {"examples": -1}], "no whole number"),
    ("Health", "findings", [[1]], "name is missing"),
]


@pytest.mark.parametrize(("name", "key", "value", "says"), WRONG)
def test_what_a_callback_does_not_take(name: str, key: str, value: Any, says: str, tmp_path: Path) -> None:
    state = copy.deepcopy(SOUND)
    state[name][key] = value
    with pytest.raises(ValueError, match=rf"its callbacks\.{name} cannot be taken up: .*{says}"):
        check_callback_states(state, callbacks(tmp_path), 64)
    del state[name][key]
    if state[name]:
        with pytest.raises(ValueError, match=f"{key} is missing"):
            check_callback_states(state, callbacks(tmp_path), 64)


class Foreign(pl.Callback):
    """Somebody's: a second loading would count twice."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen += state_dict["seen"]


def test_anybodys_callback_is_asked_and_left_alone() -> None:
    one = Foreign()
    check_callback_states({"Foreign": {"seen": [1], "more_at": 99}}, [one], 64)
    assert one.seen == []
    with pytest.raises(ValueError, match=r"callbacks\.Foreign cannot be taken up: KeyError: 'seen'"):
        check_callback_states({"Foreign": {"x": 1}}, [one], 64)
