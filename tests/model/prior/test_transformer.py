from __future__ import annotations

import math
import time

import pytest
import torch
from priors import LAYOUTS, codes_of, step_by_step
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.code_layout import CodeLayout
from ganvas.model.prior.transformer import TransformerPrior

SMALL = {"width": 16, "depth": 2, "heads": 2}


def stirred(layout: CodeLayout, num_classes: int | None = None, **options: object) -> TransformerPrior:
    """With weights far from their start, in float64."""
    torch.manual_seed(0)
    prior = TransformerPrior(layout, num_classes, **(SMALL | options)).double().eval()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return prior


def reference(prior: TransformerPrior, codes: list[int], label: int, target: int) -> Tensor:
    """The logits of one element, by sums over those that it may see, heads and pairs of dimensions."""
    layout, width = prior.layout, 16
    levels, at = layout.element_levels().tolist(), layout.coordinates().double().tolist()
    sizes = [size for own in layout.sizes for size in own]
    places, count = [], 0
    for own, positions in zip(layout.sizes, layout.positions, strict=True):
        places += [count + place for place in range(math.prod(positions)) for _ in own]
        count += math.prod(positions)

    def turned(vector: Tensor, place: list[float]) -> Tensor:  # [8], two pairs for rows and two for columns
        angles = torch.tensor([where * rate for where in place for rate in (1.0, 0.1)]).double()
        complex_ = torch.complex(vector[:4], vector[4:]) * torch.polar(torch.ones(4).double(), angles)
        return torch.cat([complex_.real, complex_.imag])

    def content(i: int) -> Tensor:  # of element i - 1
        if i == 0:
            return prior.classes.weight[label]
        return prior.codes.weight[sum(sizes[: levels[i - 1]]) + codes[i - 1]]

    seen = range(target + 1)
    rows = [content(i) + prior.levels.weight[levels[i]] + prior.places.weight[places[i]] for i in seen]
    for block in prior.blocks:
        made = [block.attention.to_query_key_value(block.norm1(row)).reshape(3, 2, 8) for row in rows]
        new = []
        for i, row in enumerate(rows):
            heads = []
            for head in range(2):
                query = turned(made[i][0, head], at[i])
                keys = [turned(made[j][1, head], at[j - 1] if j else [0.0, 0.0]) for j in range(i + 1)]
                weights = (torch.stack(keys) @ query / math.sqrt(8)).softmax(0)
                heads.append(weights @ torch.stack([made[j][2, head] for j in range(i + 1)]))
            after = row + block.attention.out(torch.cat(heads))
            hidden = block.widen(block.norm2(after))
            new.append(after + block.narrow(hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))))
        rows = new
    assert rows[0].shape == (width,)
    return prior.to_logits[levels[target]](prior.norm(rows[target]))


@pytest.mark.parametrize("name", ["residual", "pyramid", "row"])
def test_logits_are_their_formula(name: str) -> None:
    layout = LAYOUTS[name]
    prior, codes = stirred(layout, 3), codes_of(layout, 1)
    logits = prior(codes, torch.tensor([2]))[0]
    for target in (0, 1, 5, layout.length - 1):
        expected = reference(prior, codes[0].tolist(), 2, target)
        torch.testing.assert_close(logits[target, : len(expected)], expected, rtol=0, atol=1e-6)


def test_gradients_reach_the_codes_before_alone() -> None:
    layout = LAYOUTS["pyramid"]
    prior, kept = stirred(layout, 3), []
    prior.codes.register_forward_hook(lambda *call: kept.append(call[2]))
    logits = prior(codes_of(layout, 2))
    for element in range(layout.length):
        seen = logits[:, element].nan_to_num(0, neginf=0).square().sum()
        (gradient,) = torch.autograd.grad(seen, kept[0], retain_graph=True)  # [B, N, width]
        reached = gradient.abs().amax((0, 2)) > 0
        assert reached.tolist() == [j < element for j in range(layout.length)]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_masked_it_sees_all_codes(layout: CodeLayout) -> None:
    prior, (base,) = stirred(layout, 3, causal=False), codes_of(layout, 1)
    places = torch.arange(layout.length)
    for other in ((base + 1) % layout.element_sizes(), torch.full_like(base, layout.vocabulary)):
        changed = base.repeat(layout.length, 1)
        changed[places, places] = other
        moved = (prior(changed) - prior(base[None])).nan_to_num(0).abs().amax(2)  # [j, i]
        assert (moved > 1e-10).all()
    logits = prior(base[None], torch.tensor([1]))
    assert (logits - prior(base[None])).nan_to_num(0).abs().amax(2).min() > 1e-10
    with pytest.raises(OptionError, match=r"^causal=False: "):
        prior.begin(2)


def test_masks_are_of_masked_ones_alone() -> None:
    with pytest.raises(
        ValueError, match=r"^codes hold 7: each must be in \[0, the number of codes of its level\)$"
    ):
        stirred(LAYOUTS["grid"])(torch.full((2, 12), 7))


def test_every_parameter_of_a_masked_one_learns() -> None:
    layout = LAYOUTS["pyramid"]
    prior, codes = stirred(layout, 3, causal=False), codes_of(layout, 4)
    masked = torch.where(torch.arange(layout.length) % 2 == 0, layout.vocabulary, codes)
    loss = torch.nn.functional.cross_entropy(prior(masked, torch.tensor([0, 1, 2, 3])).transpose(1, 2), codes)
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in prior.parameters())


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("num_classes", [None, 10])
def test_it_has_as_many_parameters_as_its_formula(num_classes: int | None, causal: bool) -> None:
    layout = LAYOUTS["pyramid"]  # levels of 3, 6, 4 and 5 codes; 2 + 4 + 12 positions
    prior = TransformerPrior(layout, num_classes, width=24, depth=3, heads=2, mlp_ratio=3, causal=causal)
    w = 24
    tables = (18 + (not causal) + (num_classes or 0) + 1 + 4 + 18) * w
    block = 4 * w * w + 4 * w + 2 * 3 * w * w + 3 * w + w + 4 * w
    outputs = 18 * w + 18 + 2 * w
    assert sum(p.numel() for p in prior.parameters()) == tables + 3 * block + outputs


def test_it_begins_as_gpt_2() -> None:
    torch.manual_seed(0)
    prior = TransformerPrior(CodeLayout(((256,),), ((8, 8),)), 100, width=128, depth=8)
    for name, parameter in prior.named_parameters():
        if "norm" in name:
            assert (parameter == name.endswith("weight")).all(), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            ends = name.endswith(("narrow.weight", "attention.out.weight"))
            assert parameter.std().item() == pytest.approx(0.02 / (4 if ends else 1), rel=0.1), name


def test_dropout_is_of_training_alone() -> None:
    layout = LAYOUTS["residual"]
    prior, codes = stirred(layout, 3, dropout=0.5), codes_of(layout, 2)
    exact = stirred(layout, 3)(codes)
    assert torch.equal(prior(codes), exact)
    prior.train()
    torch.manual_seed(1)
    dropped = prior(codes)
    assert not torch.equal(dropped, exact)
    torch.manual_seed(1)
    assert torch.equal(prior(codes), dropped), "from torch's stream"
    mean = sum(step_by_step(prior, codes) for _ in range(3)) / 3
    assert not torch.equal(mean, exact)


def test_a_code_with_the_cache_costs_a_fraction() -> None:
    """A tenth and less, as benchmarks/prior_cache.py measures it; here 4, for other processes run beside."""
    torch.manual_seed(0)
    layout = CodeLayout(((64,),), ((16, 16),))
    prior, codes = TransformerPrior(layout, width=128, depth=2).eval(), codes_of(layout, 4)
    whole, single, state = [], [], prior.begin(4)
    previous = None
    with torch.no_grad():
        for place in range(256):
            start = time.process_time()
            prior.following(state, previous)
            single.append(time.process_time() - start)
            previous = codes[:, place]
            if place % 32 == 0:
                start = time.process_time()
                prior(codes)
                whole.append(time.process_time() - start)
    assert sorted(whole)[len(whole) // 2] > 4 * sorted(single)[len(single) // 2]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("width", 0),
        ("depth", 0),
        ("heads", 0),
        ("heads", 3),
        ("heads", 8),  # 2 of the width each
        ("mlp_ratio", 0),
        ("dropout", 1.0),
        ("dropout", -0.1),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        TransformerPrior(LAYOUTS["grid"], None, **(SMALL | {option: value}))
    assert error.value.option == option
