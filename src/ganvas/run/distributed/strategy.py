"""How the processes of a run share its training: what the recipe and the machine ask of Lightning."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from pytorch_lightning.plugins import LayerSync
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.errors import require
from ganvas.functional.distributed import same_on_all_ranks_
from ganvas.functional.sharding import gathered, is_sharded, shard, shared_like, unsharded
from ganvas.model.synced_batch_norm import part_batch_norms, sync_batch_norms
from ganvas.model.training.recipe import Recipe

STRATEGIES = ("auto", "ddp", "fsdp")


def make_strategy(
    name: str, *, processes: int, backend: str | None, timeout: timedelta = timedelta(minutes=5)
) -> Any:
    """What a Trainer takes as its ``strategy``.

    Args:
        name: one of STRATEGIES; ``auto`` is ``ddp``. None of them matters to one process.
        processes: how many train together.
        backend: ``nccl`` or ``gloo``; None: by the device.
        timeout: how long a collective waits for the other ranks.
    """
    if processes == 1:
        return "auto"
    return (Sharded if name == "fsdp" else DataParallel)(
        process_group_backend=backend,
        timeout=timeout,
    )


class DataParallel(DDPStrategy):
    """Data parallel training: each rank takes its share of every batch, and the recipe averages gradients.

    So there is no DistributedDataParallel around it, which would have to know what each backward uses.
    """

    def _setup_model(self, model: Any) -> Any:
        same_on_all_ranks_([*model.parameters(), *model.buffers()])
        return model

    def _register_ddp_hooks(self) -> None:
        """There is no DistributedDataParallel."""


class Sharded(DataParallel):
    """Each rank holds its share of the ``sharded_networks``: parameters, gradients and optimizer state.

    What a checkpoint holds is whole, in the form of any other: the ranks gather it, the first one writes.
    So it can be read by every command, and resumed on another number of ranks.
    """

    def _setup_model(self, model: Any) -> Any:
        super()._setup_model(model)
        for network in model.sharded_networks.values():
            shard(network, self.root_device)
        self._validation = ExitStack()
        return model

    def on_validation_start(self) -> None:
        assert self.lightning_module is not None
        # The last batch may leave a rank without a sample, and so without a forward pass.
        self._validation.enter_context(unsharded(self.lightning_module))

    def on_validation_end(self) -> None:
        self._validation.close()

    def setup_optimizers(self, trainer: Any) -> None:
        super().setup_optimizers(trainer)
        self._kinds = [
            [{kind: group.get(kind) for kind in _KINDS} for group in optimizer.param_groups]
            for optimizer in self.optimizers
        ]
        for optimizer in self.optimizers:
            _step_one_by_one_where_mixed(optimizer)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = gathered(dict(super().lightning_module_state_dict()))
        return state

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        state: dict[str, Any] = gathered(super().optimizer_state(optimizer))
        kinds = self._kinds[[one is optimizer for one in self.optimizers].index(True)]
        groups = [group | kind for group, kind in zip(state["param_groups"], kinds, strict=True)]
        return state | {"param_groups": groups}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, held in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [one for group in optimizer.param_groups for one in group["params"]]
            state = {
                number: {
                    name: shared_like(value, parameters[number]) if isinstance(value, Tensor) else value
                    for name, value in values.items()
                }
                for number, values in held["state"].items()
            }
            optimizer.load_state_dict(held | {"state": state})
            _step_one_by_one_where_mixed(optimizer)


_KINDS = ("foreach", "fused")  # of torch's optimizers: steps that take up many parameters at once


def _step_one_by_one_where_mixed(optimizer: Optimizer) -> None:
    """One kernel takes either sharded parameters or whole ones."""
    for group in optimizer.param_groups:
        if len({is_sharded(parameter) for parameter in group["params"]}) > 1:
            group.update({kind: False for kind in _KINDS if kind in group})


def check_strategy(name: str, model: Recipe, *, precision: str, compiles: bool, channels_last: bool) -> None:
    """Raises OptionError where ``fsdp`` cannot train what was asked for."""
    if name != "fsdp":
        return
    reason = model.why_not_sharded()
    require(reason is None, "accelerator.strategy", name, str(reason))
    require(
        precision != "16-mixed",
        "accelerator.precision",
        precision,
        "has no scaler for sharded gradients; bf16-mixed, or accelerator.strategy=ddp",
    )
    for option, value in (("compile", compiles), ("channels_last", channels_last)):
        require(
            not value,
            f"accelerator.{option}",
            value,
            f"does not go with sharded networks; accelerator.{option}=false, or accelerator.strategy=ddp",
        )


class SyncBatchNorms(LayerSync):
    """BatchNorm over all ranks, on CPUs too."""

    def apply(self, model: nn.Module) -> nn.Module:
        sync_batch_norms(model)
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        part_batch_norms(model)
        return model
