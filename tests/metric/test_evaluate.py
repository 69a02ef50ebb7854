from __future__ import annotations

from typing import Any, cast

import pytest

from ganvas.errors import OptionError
from ganvas.metric.evaluate import require_samples


class Counts:
    """Splits of so many samples."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    def num_samples(self, name: str) -> int:
        return self.counts[name]


def test_another_split_is_only_named_where_it_holds_enough() -> None:
    for counts, split, hint in (
        ({"train": 2, "val": 1}, "val", "take split=train, or hold out more"),
        ({"train": 1, "val": 0}, "val", "train on more, or turn evaluation off"),
        ({"train": 1}, "train", "train on more, or turn evaluation off"),
    ):
        with pytest.raises(OptionError) as caught:
            require_samples(cast("Any", Counts(**counts)), split, counts[split], 2)
        assert caught.value.reason.endswith(f"metrics need 2; {hint}")
