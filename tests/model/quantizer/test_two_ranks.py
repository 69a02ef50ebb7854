"""Two ranks and one process on the joint batch: the same codes, losses, gradients and noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_MODELS = """
import torch
from ganvas.functional.distributed import mean_over_ranks_
from ganvas.model.quantizer.bsq import BSQ
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.gumbel import GumbelQuantizer
from ganvas.model.quantizer.ibq import IBQ
from ganvas.model.quantizer.lfq import LFQ

def step(share):
    torch.manual_seed(0)
    quantizers = {
        "fsq": FSQ([5, 4, 3], 3, noise=0.5),
        "lfq": LFQ(3, entropy_cost=1.0),
        "bsq": BSQ(3, entropy_cost=1.0, group_bits=2),
        "gumbel": GumbelQuantizer(7, 3, kl_cost=1.0),
        "ibq": IBQ(7, 3, entropy_cost=1.0, entropy_temperature=0.5),
    }
    found = {}
    for name, quantizer in quantizers.items():
        weight = torch.randn(3, 3, requires_grad=True)  # of an encoder
        x, upstream, mask = torch.randn(12, 3, 2), torch.randn(12, 3, 2), torch.rand(12, 2) > 0.3
        for use in (None, mask):  # two batches; each rank has other numbers of vectors under the mask
            z = torch.einsum("bcp,cd->bdp", share(x), weight)
            output = quantizer(z, None if use is None else share(use))
            loss = output.loss + (output.quantized * share(upstream)).sum() / len(share(upstream))
            loss.backward()
        gradients = [one.grad for one in (weight, *quantizer.parameters())]
        mean_over_ranks_(gradients)
        value = loss.detach().clone()
        mean_over_ranks_([value])
        found[name] = {
            "gradients": gradients,
            "loss": value,
            "metrics": {key: output.metrics[key] for key in ("perplexity", "codes_used")},
            "state": dict(quantizer.state_dict()),
            "indices": output.indices,
        }
    return found
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_MODELS + "\nresult = step(lambda rows: rows.chunk(2)[rank])\n")
    space: dict[str, Any] = {}
    exec(_MODELS, space)
    whole = space["step"](lambda rows: rows)
    for name, expected in whole.items():
        indices = torch.cat([result[name].pop("indices") for result in results])
        assert torch.equal(indices, expected.pop("indices")), name
        for result in results:
            torch.testing.assert_close(result[name], expected, msg=lambda text, name=name: f"{name}: {text}")
