"""The port against the published file's names and shapes, and against another port's numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganvas.metric.features.inception import shown
from ganvas.metric.features.inception_network import Inception

# Every convolution of pt_inception-2015-12-05-6726825d.pth: out, in, height, width.
PUBLISHED = """
Conv2d_1a_3x3 32 3 3 3 | Conv2d_2a_3x3 32 32 3 3 | Conv2d_2b_3x3 64 32 3 3 | Conv2d_3b_1x1 80 64 1 1
Conv2d_4a_3x3 192 80 3 3
{a 5b 192 32} {a 5c 256 64} {a 5d 288 64}
Mixed_6a.branch3x3 384 288 3 3 | Mixed_6a.branch3x3dbl_1 64 288 1 1 | Mixed_6a.branch3x3dbl_2 96 64 3 3
Mixed_6a.branch3x3dbl_3 96 96 3 3
{c 6b 128} {c 6c 160} {c 6d 160} {c 6e 192}
Mixed_7a.branch3x3_1 192 768 1 1 | Mixed_7a.branch3x3_2 320 192 3 3 | Mixed_7a.branch7x7x3_1 192 768 1 1
Mixed_7a.branch7x7x3_2 192 192 1 7 | Mixed_7a.branch7x7x3_3 192 192 7 1 | Mixed_7a.branch7x7x3_4 192 192 3 3
{e 7b 1280} {e 7c 2048}
"""
KINDS = {
    "a": "branch1x1 64 I 1 1 | branch5x5_1 48 I 1 1 | branch5x5_2 64 48 5 5 | branch3x3dbl_1 64 I 1 1 | "
    "branch3x3dbl_2 96 64 3 3 | branch3x3dbl_3 96 96 3 3 | branch_pool P I 1 1",
    "c": "branch1x1 192 768 1 1 | branch7x7_1 I 768 1 1 | branch7x7_2 I I 1 7 | branch7x7_3 192 I 7 1 | "
    "branch7x7dbl_1 I 768 1 1 | branch7x7dbl_2 I I 7 1 | branch7x7dbl_3 I I 1 7 | branch7x7dbl_4 I I 7 1 | "
    "branch7x7dbl_5 192 I 1 7 | branch_pool 192 768 1 1",
    "e": "branch1x1 320 I 1 1 | branch3x3_1 384 I 1 1 | "
    "branch3x3_2a 384 384 1 3 | branch3x3_2b 384 384 3 1 | "
    "branch3x3dbl_1 448 I 1 1 | branch3x3dbl_2 384 448 3 3 | branch3x3dbl_3a 384 384 1 3 | "
    "branch3x3dbl_3b 384 384 3 1 | branch_pool 192 I 1 1",
}


def published_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}

    def add(prefix: str, layers: str, numbers: dict[str, str]) -> None:
        for layer in layers.split(" | "):
            name, *sizes = layer.split()
            shape = tuple(int(numbers.get(size, size)) for size in sizes)
            shapes[f"{prefix}{name}.conv.weight"] = shape
            for vector in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{prefix}{name}.bn.{vector}"] = shape[:1]

    for line in PUBLISHED.strip().splitlines():
        if not line.startswith("{"):
            add("", line, {})
            continue
        for block in line.strip("{}").split("} {"):
            kind, name, *rest = block.split()
            add(f"Mixed_{name}.", KINDS[kind], dict(zip("IP", rest)))
    return shapes


def formula(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Weights by a closed form, of a scale at which activations neither vanish nor explode."""
    weights = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        wave = (torch.arange(math.prod(shape)) * 0.731 + number).sin().view(shape)
        if len(shape) > 1:
            weights[name] = wave * (4 / math.prod(shape[1:])) ** 0.5
        else:
            weights[name] = 1 + 0.5 * wave if name.endswith(("bn.weight", "var")) else 0.2 * wave
    return weights


def image() -> Tensor:
    """Levels [1, 3, 40, 30] in 0 .. 255 that no flip and no swap of sides or channels leaves alone."""
    rows, columns, channels = (
        torch.arange(40.0)[:, None],
        torch.arange(30.0),
        torch.arange(3.0)[:, None, None],
    )
    return ((rows * 5 + columns * 3 + channels * 40 + (rows * columns / 9).sin() * 60) % 256).floor()[None]


def test_names_shapes_and_count_are_the_published_files() -> None:
    held = Inception().state_dict()
    shapes = {name: tuple(value.shape) for name, value in held.items() if "num_batches" not in name}
    assert shapes == published_shapes()
    assert sum(math.prod(s) for name, s in shapes.items() if "running" not in name) == 23_850_960


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape"])
def test_other_weights_are_refused(damage: str) -> None:
    weights = {name: torch.empty(shape, device="meta") for name, shape in published_shapes().items()}
    if damage == "missing":
        del weights["Mixed_6c.branch7x7_2.conv.weight"]
    elif damage == "unknown":
        weights["AuxLogits.fc.weight"] = torch.empty(1, device="meta")
    else:
        weights["fc.bias"] = torch.empty(1000, device="meta")
    with pytest.raises(RuntimeError, match=r"Mixed_6c|AuxLogits|fc\.bias"):
        Inception().load(weights)


def test_numbers_are_those_of_another_port() -> None:
    """What torch-fidelity 0.4.0 makes of the same weights and image, written down."""
    network = Inception()
    network.load(formula(published_shapes()))
    with torch.no_grad():
        features, logits = network(shown(image() / 127.5 - 1))
    assert logits is not None
    expected = torch.tensor([8.94226, 4.4032, 0.40241, 0.0, 0.37671, 0.05167, 0.727])
    torch.testing.assert_close(features[0, ::293], expected, rtol=1e-3, atol=1e-3)
    assert features.double().norm().item() == pytest.approx(88.51026, rel=1e-4)
    expected = torch.tensor([-3.53853, -4.63123, -5.06374, -4.76729, -4.12895, -1.95185])
    torch.testing.assert_close(logits[0, ::201], expected, rtol=1e-3, atol=1e-3)
    assert logits.double().norm().item() == pytest.approx(113.53726, rel=1e-4)
