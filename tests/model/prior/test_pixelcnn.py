from __future__ import annotations

import pytest
import torch
from priors import LAYOUTS, codes_of, step_by_step
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganvas.errors import OptionError
from ganvas.functional.code_layout import CodeLayout
from ganvas.model.prior.pixelcnn import PixelCNNPrior

SMALL = {"channels": 6, "layers": 3, "kernel_size": 3, "skip_channels": 10, "condition_blocks": 1}


def made(layout: CodeLayout, num_classes: int | None = None, **options: int) -> PixelCNNPrior:
    torch.manual_seed(0)
    return PixelCNNPrior(layout, num_classes, **(SMALL | options)).double().eval()


def masked(weight: Tensor, size: int) -> Tensor:
    """A kernel [O, I, h, w] of what lies above or to the left, filled up to size x size by zeros."""
    rows, columns = weight.shape[2:]
    first_row = 0 if rows > 1 else size // 2
    return pad(weight, (0, size - columns, first_row, size - first_row - rows))


@pytest.mark.parametrize("size", [3, 5])
def test_with_one_map_of_one_level_it_is_the_papers(size: int) -> None:
    """By convolutions of all sides whose kernels are zero where the masks of A and B are."""
    layout = CodeLayout(((7,),), ((4, 5),))
    prior, codes, label = made(layout, 3, kernel_size=size), codes_of(layout, 2), torch.tensor([1, 3])
    (stack,) = prior.stacks
    down = right = stack.vectors.vectors.weight[codes].mT.unflatten(2, (4, 5))  # [B, p, H, W]
    out: Tensor | float = 0.0
    for number, (layer, condition) in enumerate(zip(stack.layers, stack.conditions, strict=True)):
        by_class = condition.classes.weight[label][:, :, None, None].split(12, 1)
        above = conv2d(down, masked(layer.vertical.weight, size), layer.vertical.bias, padding=size // 2)
        kernel = masked(layer.horizontal.weight, size)
        assert kernel[:, :, size // 2, size // 2].any() == (number > 0), "mask A, then B"
        left = conv2d(right, kernel, layer.horizontal.bias, padding=size // 2)
        shifted = torch.zeros_like(above)
        shifted[:, :, 1:] = above[:, :, :-1]
        link = torch.einsum("oi,bihw->bohw", layer.to_horizontal.weight[:, :, 0, 0], shifted)
        total = left + link + by_class[0]
        gated = total[:, :6].tanh() * total[:, 6:].sigmoid()
        if number < 2:
            total = above + by_class[1]
            down = total[:, :6].tanh() * total[:, 6:].sigmoid()
            on = conv2d(gated, layer.out.weight, layer.out.bias)
            right = on if number == 0 else right + on
        out = out + conv2d(gated, layer.skip.weight, layer.skip.bias)
    assert isinstance(out, Tensor)
    hidden, last = stack.heads.hidden[0], stack.heads.out[0]
    features = (out.relu().flatten(2).mT @ hidden.weight.T + hidden.bias).relu()
    expected = features @ last.weight.T + last.bias
    torch.testing.assert_close(prior(codes, label), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("levels", [(4,), (4, 3)])
def test_there_is_no_blind_spot(levels: tuple[int, ...]) -> None:
    layout = CodeLayout((levels,), ((4, 5),))
    prior, (base,) = made(layout, layers=5), codes_of(layout, 1)
    changed = base.repeat(layout.length, 1)
    places = torch.arange(layout.length)
    changed[places, places] = (base + 1) % layout.element_sizes()
    moved = (prior(changed) - prior(base[None])).nan_to_num(0).abs().amax(2) > 1e-13  # [j, i]
    assert torch.equal(moved, places[:, None] < places)


def test_an_element_sees_as_far_as_the_layers_reach() -> None:
    layout = CodeLayout(((4,),), ((1, 16),))
    prior, (base,) = made(layout, kernel_size=5), codes_of(layout, 1)
    changed = base.repeat(16, 1)
    places = torch.arange(16)
    changed[places, places] = (base + 1) % 4
    moved = (prior(changed) - prior(base[None])).abs().amax(2) > 1e-13
    distance = places - places[:, None]
    assert torch.equal(moved, (distance > 0) & (distance <= 2 * 3))


def test_gradients_reach_the_codes_before_alone() -> None:
    layout = LAYOUTS["pyramid"]
    prior, kept = made(layout, 3, layers=4), {}
    for number, stack in enumerate(prior.stacks):
        for seen, vectors in enumerate([*stack.earlier, stack.vectors]):
            vectors.vectors.register_forward_hook(
                lambda *call, key=(number, seen): kept.__setitem__(key, call[2])
            )
    logits = prior(codes_of(layout, 2))
    maps = layout.element_maps()
    for element in range(layout.length):
        seen = logits[:, element].nan_to_num(0, neginf=0).square().sum()
        found = torch.autograd.grad(seen, list(kept.values()), retain_graph=True, allow_unused=True)
        for (number, of), gradient in zip(kept, found, strict=True):
            if number != maps[element] or gradient is None:  # a map has a stack of its own
                assert gradient is None or not gradient.any()
                continue
            reached = gradient.abs().amax((0, -1)).flatten() > 0  # elements of map ``of``
            own = (maps == of).nonzero().flatten()
            assert not reached[own >= element].any()
            assert reached.any() == (own < element).any() or of == number


def test_a_map_sees_the_nearest_of_those_before_it() -> None:
    layout = CodeLayout(((5,), (3,)), ((2, 1), (6, 3)))
    prior, (base,) = made(layout, layers=1), codes_of(layout, 1)
    other = base.clone()
    other[1] = (base[1] + 1) % 5  # the lower half
    moved = (prior(other[None]) - prior(base[None])).nan_to_num(0).abs().amax(2)
    reached = (moved[0, 2:].view(6, 3) > 1e-13).any(1)
    # two convolutions of 3 x 3, the residual block's and the one before it, reach two rows further
    assert reached.tolist() == [False, True, True, True, True, True]


@pytest.mark.parametrize("num_classes", [None, 10])
def test_it_has_as_many_parameters_as_its_formula(num_classes: int | None) -> None:
    layout = LAYOUTS["pyramid"]  # 3 and 6 codes at 1 x 2, 4 at 2 x 2, 5 at 3 x 4
    prior = PixelCNNPrior(
        layout, num_classes, channels=6, layers=4, kernel_size=5, skip_channels=10, condition_blocks=2
    )
    p, s, k = 6, 10, 0 if num_classes is None else 11
    horizontal = 3 * (2 * p * p * 3 + 2 * p) + 2 * p * p * 2 + 2 * p
    vertical = 4 * (2 * p * p * 3 * 5 + 2 * p + 4 * p * p)
    branches = 3 * (p * p + p) + 4 * (p * s + s)
    mixing = 9 * p * p + p + 2 * (10 * p * p + 2 * p)

    def heads(*sizes: int) -> int:
        return s * sum(sizes[:-1]) + len(sizes) * (s * s + s) + (s + 1) * sum(sizes)

    top = 9 * p + horizontal + branches + 4 * 2 * p * k + heads(3, 6)  # no vertical stack in one row
    gates = 7 * 2 * p * (k + p)
    middle = 4 * p + 9 * p + mixing + horizontal + vertical + branches + gates + heads(4)
    bottom = 5 * p + 13 * p + mixing + horizontal + vertical + branches + gates + heads(5)
    assert [sum(w.numel() for w in one.parameters()) for one in prior.stacks] == [top, middle, bottom]


def test_codes_one_after_another_where_the_kernel_is_wider_than_the_map() -> None:
    layout = CodeLayout(((3, 4),), ((3, 2),))
    prior, codes = made(layout, 2, kernel_size=9, layers=4), codes_of(layout, 3)
    torch.testing.assert_close(step_by_step(prior, codes), prior(codes), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", 0),
        ("layers", 0),
        ("kernel_size", 1),
        ("kernel_size", 4),
        ("skip_channels", 0),
        ("condition_blocks", 0),
    ],
)
def test_options_are_checked(option: str, value: int) -> None:
    with pytest.raises(OptionError) as error:
        made(LAYOUTS["grid"], **{option: value})
    assert error.value.option == option
