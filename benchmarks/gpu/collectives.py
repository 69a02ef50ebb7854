"""NCCL, and a network sharded by torch's FSDP2, in a world of one device: that the calls are there and run.

What several ranks make of them is held by the tests with gloo; one device shows neither speed nor scaling.
"""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ganvas.cli.compose.experiment import compose
from ganvas.functional.sharding import shard
from ganvas.run.config.build import build
from runs import Bench


def check(bench: Bench) -> dict[str, Any]:
    """The backend's sum, and outputs and gradients of a sharded generator against the whole one's."""
    backend = "nccl" if bench.on_gpu else "gloo"
    device = torch.device(bench.device, *([0] if bench.on_gpu else []))
    torch.backends.cudnn.allow_tf32 = False
    store = dist.FileStore(str(bench.folder / "store"), 1)
    dist.init_process_group(backend, store=store, rank=0, world_size=1, timeout=timedelta(seconds=60))
    try:
        value = torch.arange(4.0, device=device)
        dist.all_reduce(value)
        bench.expect(value.tolist() == [0, 1, 2, 3], f"{backend}: the sum over one rank is {value.tolist()}")
        node = compose(bench.words("dcgan")).config["model"]["generator"]
        torch.manual_seed(0)
        whole = build(node, "model.generator").to(device)
        sharded = copy.deepcopy(whole)
        shard(sharded, device)
        z = torch.randn(8, whole.latent_dim, device=device)
        outputs = [network(z) for network in (whole, sharded)]
        for output in outputs:
            output.square().mean().backward()
        pairs = zip(whole.parameters(), sharded.parameters(), strict=True)
        gradients = [(one.grad, other.grad.full_tensor()) for one, other in pairs]  # type: ignore[union-attr]
        largest = max(one.abs().max().item() for one, _ in gradients)  # type: ignore[union-attr]
        worst = {
            "outputs": (outputs[0] - outputs[1]).abs().max().item(),
            "gradients": max((one - other).abs().max().item() for one, other in gradients) / largest,
        }
        for name, deviation in worst.items():
            bench.expect(
                deviation < 1e-4, f"sharded {name} deviate by {deviation:.2g} from the whole network's"
            )
        return {
            "backend": backend,
            "ranks": 1,
            "worst": worst,
            "strategy": (
                "a training with one process takes Lightning's strategy for one device, whatever is asked for"
            ),
        }
    finally:
        dist.destroy_process_group()
