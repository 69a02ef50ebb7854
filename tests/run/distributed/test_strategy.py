"""Which strategy a recipe gets; what they compute: tests/runs/test_ddp_parts.py and test_fsdp.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ganvas.errors import OptionError
from ganvas.run.distributed.strategy import (
    STRATEGIES,
    ByRecipe,
    Sharded,
    SyncBatchNorms,
    check_strategy,
    make_strategy,
)


class Stand(nn.Module):
    """What a strategy asks of a recipe."""

    def __init__(self, *, averages_gradients: bool, reason: str | None = None) -> None:
        super().__init__()
        self.averages_gradients, self.reason = averages_gradients, reason
        self.network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))

    def why_not_sharded(self) -> str | None:
        return self.reason


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_process_needs_none(name: str) -> None:
    assert make_strategy(name, processes=1, backend=None) == "auto"


@pytest.mark.parametrize(("name", "kind"), [("auto", ByRecipe), ("ddp", ByRecipe), ("fsdp", Sharded)])
def test_several_processes_share(name: str, kind: type) -> None:
    made = make_strategy(name, processes=2, backend="gloo", timeout=timedelta(seconds=7))
    assert type(made) is kind
    assert made.process_group_backend == "gloo"
    assert made._timeout == timedelta(seconds=7)


@pytest.fixture
def one_rank(tmp_path: Any) -> Any:
    """A process group of this process alone: enough to see what is wrapped."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("averages_gradients", [True, False])
def test_the_recipe_says_whether_it_is_wrapped(averages_gradients: bool, one_rank: None) -> None:
    strategy = make_strategy("ddp", processes=2, backend="gloo")
    strategy.parallel_devices, strategy.cluster_environment = [torch.device("cpu")], None
    model = Stand(averages_gradients=averages_gradients)
    made = strategy._setup_model(model)
    assert isinstance(made, DistributedDataParallel) != averages_gradients
    assert averages_gradients == (made is model)


def test_batch_norms_are_synced_and_parted_again() -> None:
    model, plugin = Stand(averages_gradients=True), SyncBatchNorms()
    assert plugin.apply(model) is model
    assert type(model.network[1]) is not nn.BatchNorm1d
    assert plugin.revert(model) is model
    assert type(model.network[1]) is nn.BatchNorm1d


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"model": Stand(averages_gradients=True, reason="will not; mend it")}, "accelerator.strategy"),
        ({"precision": "16-mixed"}, "accelerator.precision"),
        ({"compiles": True}, "accelerator.compile"),
        ({"channels_last": True}, "accelerator.channels_last"),
    ],
)
def test_what_fsdp_cannot_do_is_refused(changes: dict[str, Any], option: str) -> None:
    fits = {"model": Stand(averages_gradients=True), "precision": "bf16-mixed", "compiles": False,
            "channels_last": False}  # fmt: skip
    check_strategy("fsdp", **fits)  # type: ignore[arg-type]
    check_strategy("ddp", **fits | changes)  # type: ignore[arg-type]
    with pytest.raises(OptionError) as caught:
        check_strategy("fsdp", **fits | changes)  # type: ignore[arg-type]
    assert caught.value.option == option
