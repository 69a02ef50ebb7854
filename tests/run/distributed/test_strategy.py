"""Which strategy a recipe gets; what they compute: tests/runs/test_ddp_parts.py and test_fsdp.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from torch import nn

from ganvas.errors import OptionError
from ganvas.run.distributed.strategy import (
    STRATEGIES,
    DataParallel,
    Sharded,
    SyncBatchNorms,
    check_strategy,
    make_strategy,
)


class Stand(nn.Module):
    """What a strategy asks of a recipe."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__()
        self.reason = reason
        self.network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))

    def why_not_sharded(self) -> str | None:
        return self.reason


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_process_needs_none(name: str) -> None:
    assert make_strategy(name, processes=1, backend=None) == "auto"


@pytest.mark.parametrize(("name", "kind"), [("auto", DataParallel), ("ddp", DataParallel), ("fsdp", Sharded)])
def test_several_processes_share(name: str, kind: type) -> None:
    made = make_strategy(name, processes=2, backend="gloo", timeout=timedelta(seconds=7))
    assert type(made) is kind
    assert made.process_group_backend == "gloo"
    assert made._timeout == timedelta(seconds=7)


def test_batch_norms_are_synced_and_parted_again() -> None:
    model, plugin = Stand(), SyncBatchNorms()
    assert plugin.apply(model) is model
    assert type(model.network[1]) is not nn.BatchNorm1d
    assert plugin.revert(model) is model
    assert type(model.network[1]) is nn.BatchNorm1d


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"model": Stand(reason="will not; mend it")}, "accelerator.strategy"),
        ({"precision": "16-mixed"}, "accelerator.precision"),
        ({"compiles": True}, "accelerator.compile"),
        ({"channels_last": True}, "accelerator.channels_last"),
    ],
)
def test_what_fsdp_cannot_do_is_refused(changes: dict[str, Any], option: str) -> None:
    fits = {"model": Stand(), "precision": "bf16-mixed", "compiles": False, "channels_last": False}
    check_strategy("fsdp", **fits)  # type: ignore[arg-type]
    check_strategy("ddp", **fits | changes)  # type: ignore[arg-type]
    with pytest.raises(OptionError) as caught:
        check_strategy("fsdp", **fits | changes)  # type: ignore[arg-type]
    assert caught.value.option == option
