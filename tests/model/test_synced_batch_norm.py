"""BatchNorm over two ranks against torch's own on the joint batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from worlds import close

from ganvas.model.synced_batch_norm import Synced, part_batch_norms, sync_batch_norms

_CASES = """
from torch import nn

class Doubled(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)

def make(name):
    torch.manual_seed(0)
    layer = {
        "1d": lambda: nn.BatchNorm1d(3),
        "1d_positions": lambda: nn.BatchNorm1d(3, momentum=0.3),
        "2d": lambda: nn.BatchNorm2d(3),
        "3d": lambda: nn.BatchNorm3d(3, eps=0.1),
        "plain": lambda: nn.BatchNorm2d(3, affine=False),
        "untracked": lambda: nn.BatchNorm2d(3, track_running_stats=False),
        "cumulative": lambda: nn.BatchNorm2d(3, momentum=None),
        "subclass": lambda: Doubled(3),
    }[name]()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, 1.0, 0.5)
    return layer

SHAPES = {"1d": (6, 3), "1d_positions": (6, 3, 5), "3d": (6, 3, 2, 3, 4)}

def batch(name, step):
    torch.manual_seed(step + 1)
    # the ranks' halves have other means and widths, and the channels as well
    x = torch.randn(SHAPES.get(name, (6, 3, 4, 5)))
    x[3:] = 5 * x[3:] + 2
    return x + 30 * torch.arange(3.0).view(1, 3, *[1] * (x.ndim - 2))

def penalized(layer, x):
    "A loss with a gradient penalty, as a discriminator's: twice differentiated."
    x = x.clone().requires_grad_(True)
    y = layer(x)
    (slope,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    return y.detach(), slope, y.square().mean() + slope.square().flatten(1).sum(1).mean()

def trained(name, layer, rows, dtype):
    pairs = []
    for step in range(2):
        layer.zero_grad()
        y, slope, loss = penalized(layer, batch(name, step)[rows].to(dtype))
        loss.backward()
        pairs.append([y, slope.detach()])
    layer.eval()
    return {
        "pairs": pairs, "gradients": [p.grad for p in layer.parameters()],
        "state": dict(layer.state_dict()), "after": layer(batch(name, 9).to(dtype)).detach(),
    }
"""
_NAMES = ["1d", "1d_positions", "2d", "3d", "plain", "untracked", "cumulative", "subclass"]
_TWO = f"""
{_CASES}
from ganvas.functional.distributed import mean_over_ranks_
from ganvas.model.synced_batch_norm import sync_batch_norms

result = {{}}
for name in {_NAMES}:
    layer = make(name)
    sync_batch_norms(layer)
    result[name] = trained(name, layer, slice(3 * rank, 3 * rank + 3), torch.float32)
    mean_over_ranks_(result[name]["gradients"])
bf16 = make("2d")
sync_batch_norms(bf16)
result["bf16"] = bf16(batch("2d", 0)[3 * rank : 3 * rank + 3].bfloat16()).detach()
"""


def test_two_ranks_are_one_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    space: dict[str, Any] = {"torch": torch}
    exec(_CASES, space)
    results = two_ranks(_TWO)
    for name in _NAMES:
        truth = space["trained"](name, space["make"](name).double(), slice(None), torch.float64)
        for rank, result in enumerate(results):
            mine = slice(3 * rank, 3 * rank + 3)
            halves = [[value[mine] for value in pair] for pair in truth["pairs"]]
            double = torch.utils._pytree.tree_map(
                torch.Tensor.double, [result[name], truth | {"pairs": halves}]
            )
            close(*double, rtol=1e-3, atol=1e-3, name=name)
    normal = space["make"]("2d")(space["batch"]("2d", 0)).detach()
    joined = torch.cat([result["bf16"] for result in results])
    assert joined.dtype == torch.bfloat16
    torch.testing.assert_close(
        joined.float(), normal, rtol=0.05, atol=0.3
    )  # at 60, bfloat16 has steps of 0.25


def test_layers_are_changed_in_place_and_back() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm1d(4)))
    before = {name: id(value) for name, value in network.named_parameters()}, list(network.state_dict())
    sync_batch_norms(network)
    sync_batch_norms(network)
    assert [isinstance(module, Synced) for module in network.modules()] == [False, False, True, False, True]
    assert isinstance(network[1], nn.BatchNorm2d)
    assert before == (
        {name: id(value) for name, value in network.named_parameters()},
        list(network.state_dict()),
    )
    x = torch.randn(4, 2, 3, 3)
    own = nn.BatchNorm2d(2)
    assert torch.equal(network[1](x), own(x))  # alone it is torch's, to the bit
    part_batch_norms(network)
    assert [type(module) for module in network.modules()][2:] == [
        nn.BatchNorm2d,
        nn.Sequential,
        nn.BatchNorm1d,
    ]
