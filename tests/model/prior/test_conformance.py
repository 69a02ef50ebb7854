"""What holds for every prior of conf/model/prior; a new one is taken up by its YAML."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from priors import LAYOUTS, NAMES, Make, codes_of, maker, step_by_step
from torch.export import Dim, export
from torch.nn.functional import cross_entropy

from ganvas.functional.code_layout import CodeLayout


@pytest.fixture(params=NAMES)
def make(request: pytest.FixtureRequest) -> Make:
    return maker(request.param)


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> CodeLayout:
    return LAYOUTS[request.param]


def test_a_code_changes_what_comes_after_it_alone(make: Make, layout: CodeLayout) -> None:
    prior, (base,) = make(layout, 3), codes_of(layout, 1)
    changed = base.repeat(layout.length, 1)
    places = torch.arange(layout.length)
    changed[places, places] = (base + 1) % layout.element_sizes()
    label = torch.ones(1, dtype=torch.int64)
    before = prior(base[None], label)
    moved = (prior(changed, label.expand(layout.length)) - before).nan_to_num(0).abs().amax(2)  # [j, i]
    for j in places.tolist():
        assert moved[j, : j + 1].max() < 1e-13, f"code {j} changes element {int(moved[j].argmax())}"
        assert j + 1 == layout.length or moved[j, j + 1 :].max() > 1e-10, f"code {j} changes nothing"


def test_codes_one_after_another_equal_the_whole(make: Make, layout: CodeLayout) -> None:
    prior, codes, label = make(layout, 3), codes_of(layout, 4), torch.tensor([0, 2, 3, 1])
    torch.testing.assert_close(step_by_step(prior, codes, label), prior(codes, label), rtol=0, atol=1e-12)
    prior.float()
    torch.testing.assert_close(step_by_step(prior, codes), prior(codes), rtol=0, atol=1e-5)
    unconditional = make(layout)
    torch.testing.assert_close(step_by_step(unconditional, codes), unconditional(codes), rtol=0, atol=1e-12)


def test_a_gradient_leaves_no_trace_in_what_follows(make: Make) -> None:
    prior, codes = make(LAYOUTS["pyramid"], 3), codes_of(LAYOUTS["pyramid"], 2)
    assert not step_by_step(prior, codes).requires_grad
    assert prior(codes).requires_grad


@pytest.mark.parametrize(
    "layout",
    [
        CodeLayout(((3,),), ((2, 2),)),
        CodeLayout(((2, 3), (3,)), ((2,), (1, 1))),
        CodeLayout(((2,), (3,)), ((1, 1), (1, 3))),
    ],
)
def test_all_sequences_together_have_probability_one(make: Make, layout: CodeLayout) -> None:
    sequences = torch.tensor(list(itertools.product(*(range(size) for size in layout.element_sizes()))))
    prior, label = make(layout, 2), torch.ones(len(sequences), dtype=torch.int64)
    with torch.no_grad():
        for parameter in prior.parameters():  # far from uniform
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    for logits in (prior(sequences, label), step_by_step(prior, sequences, label)):
        each = logits.log_softmax(2).gather(2, sequences[:, :, None]).sum((1, 2))
        assert each.exp().sum().item() == pytest.approx(1, abs=1e-12)
        assert each.max() - each.min() > 0.5


def test_labels_matter_everywhere_and_none_is_no_class(make: Make, layout: CodeLayout) -> None:
    prior, codes = make(layout, 3), codes_of(layout, 1).repeat(4, 1)
    logits = prior(codes, torch.arange(4))
    differences = (logits[:, None] - logits).nan_to_num(0).abs().amax(3)  # [4, 4, N]
    assert (differences[~torch.eye(4, dtype=torch.bool)] > 1e-10).all()
    assert torch.equal(prior(codes), prior(codes, torch.full((4,), 3)))


def test_codes_that_a_level_lacks_have_probability_zero(make: Make, layout: CodeLayout) -> None:
    logits, sizes = make(layout)(codes_of(layout, 2)), layout.element_sizes()
    assert logits.shape == (2, layout.length, layout.vocabulary)
    lacking = (torch.arange(layout.vocabulary) >= sizes[:, None]).expand(2, -1, -1)
    assert (logits[lacking] == -torch.inf).all()
    assert logits[~lacking].isfinite().all()


def test_a_fresh_prior_knows_nothing(make: Make, layout: CodeLayout) -> None:
    prior, codes = make(layout, 3), codes_of(layout, 64)
    nats = cross_entropy(prior(codes).transpose(1, 2), codes, reduction="none").mean(0).sum().item()
    assert nats == pytest.approx(layout.bits * math.log(2), rel=0.1)


def test_every_parameter_learns(make: Make, layout: CodeLayout) -> None:
    prior, codes = make(layout, 3), codes_of(layout, 4)
    cross_entropy(prior(codes, torch.tensor([0, 1, 2, 3])).transpose(1, 2), codes).backward()
    idle = [name for name, p in prior.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle or layout is LAYOUTS["one vector"], "where no position is before another one"
    assert all(p.grad is not None and p.grad.isfinite().all() for p in prior.parameters())


def test_it_learns_what_is_there_to_be_learned(make: Make) -> None:
    """Rows of one code throughout, which the label tells halfway: what is left is one of two codes, once."""
    layout = CodeLayout(((4,),), ((2, 3),))
    prior = make(layout, 2).float().train()
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-2)
    draws = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(80):
        codes = torch.randint(4, (32, 1), generator=draws).expand(-1, 6)
        loss = cross_entropy(prior(codes, codes[:, 0] // 2).transpose(1, 2), codes, reduction="sum") / 32
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert math.log(2) * 0.8 < sum(losses[-5:]) / 5 < math.log(2) * 1.3


def test_a_sequence_does_not_know_of_others(make: Make, layout: CodeLayout) -> None:
    prior, codes, label = make(layout, 3), codes_of(layout, 5), torch.tensor([0, 2, 3, 1, 1])
    whole = prior(codes, label)
    torch.testing.assert_close(prior(codes[1:2], label[1:2]), whole[1:2], rtol=0, atol=1e-12)
    assert prior(codes[:0], label[:0]).shape == (0, *whole.shape[1:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_float_types(make: Make, dtype: torch.dtype) -> None:
    layout = LAYOUTS["pyramid"]
    prior, codes = make(layout, 3), codes_of(layout, 2)
    exact = prior(codes).softmax(2)
    prior.to(dtype)
    for logits in (prior(codes), step_by_step(prior, codes)):
        assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        torch.testing.assert_close(logits.softmax(2).double(), exact, rtol=0, atol=1e-2)


def test_autocast(make: Make) -> None:
    layout = LAYOUTS["pyramid"]
    prior, codes = make(layout, 3).float(), codes_of(layout, 2)
    exact = prior(codes).softmax(2)
    with torch.autocast("cpu", torch.bfloat16):
        found = prior(codes)
        cached = step_by_step(prior, codes)
    assert found.dtype == cached.dtype == torch.float32
    for one in (found, cached):
        torch.testing.assert_close(one.softmax(2), exact, rtol=0, atol=1e-2)
    assert not torch.equal(found.softmax(2), exact)


def test_eval_mode_changes_nothing(make: Make) -> None:
    prior, codes = make(LAYOUTS["residual"], 3), codes_of(LAYOUTS["residual"], 2)
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    assert torch.equal(prior(codes), prior(codes))
    step_by_step(prior, codes)
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())
    assert not any(module.training for module in prior.modules())


def test_weights_go_to_another_prior_of_the_same_codes(make: Make, layout: CodeLayout) -> None:
    prior, other, codes = make(layout, 3), make(layout, 3), codes_of(layout, 2)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_()
    assert not torch.equal(other(codes), prior(codes))
    state = prior.state_dict()
    assert set(state) == {name for name, _ in prior.named_parameters()}, "what the layout says is no state"
    other.load_state_dict(state)
    assert torch.equal(other(codes), prior(codes))


def test_what_is_refused(make: Make) -> None:
    layout = LAYOUTS["residual"]  # [B, 18] of 5, 3 and 4 codes
    prior, codes = make(layout, 3), codes_of(layout, 2)
    calls: list[tuple[str, Any, Any]] = [
        (r"codes are torch.int32 of shape \[2, 18\]: must be int64 \[B, 18\]", codes.int(), None),
        (r"codes are torch.float32 .*: must be int64", codes.float(), None),
        (r"codes are torch.int64 of shape \[2, 17\]: must be", codes[:, 1:], None),
        (r"codes are torch.int64 of shape \[18\]: must be", codes[0], None),
        (r"codes hold 5: each must be in \[0, the number", codes.index_fill(1, torch.tensor([3]), 5), None),
        (r"codes hold 3: each must be in", codes.index_fill(1, torch.tensor([4]), 3), None),
        (r"codes hold -1: each must be in", codes.index_fill(1, torch.tensor([0]), -1), None),
        (r"label is torch.int32 of shape \[2\]: must be int64 \[2\]", codes, torch.tensor([0, 1]).int()),
        (r"label is torch.int64 of shape \[1\]: must be int64 \[2\]", codes, torch.tensor([0])),
        (r"label is torch.int64 of shape \[2, 1\]: must be", codes, torch.tensor([[0], [1]])),
        (r"label holds 4: each must be in \[0, 3\), or 3, no class", codes, torch.tensor([0, 4])),
        (r"label holds -1: each must be", codes, torch.tensor([-1, 0])),
    ]
    for words, given, label in calls:
        with pytest.raises(ValueError, match=rf"^{words}[^\n]*$"):
            prior(given, label)
        if label is not None:
            with pytest.raises(ValueError, match=rf"^{words}"):
                prior.begin(2, label)
    with pytest.raises(ValueError, match=r"^label: this prior has no classes"):
        make(layout)(codes, torch.tensor([0, 1]))


def test_what_is_refused_of_the_next_code(make: Make) -> None:
    prior = make(CodeLayout(((3, 2),), ((1, 1),)), 3)
    with pytest.raises(ValueError, match=r"^batch=0: must be at least 1"):
        prior.begin(0)
    state = prior.begin(2)
    with pytest.raises(ValueError, match=r"^previous must be None at element 0"):
        prior.following(state, torch.tensor([0, 1]))
    first = prior.following(state)
    for words, previous in {
        "previous must be given at element 1": None,
        r"previous is torch.int64 of shape \[1\]: must be int64 \[2\]": torch.tensor([0]),
        r"previous is torch.int32 of shape \[2\]: must be": torch.tensor([0, 1]).int(),
        r"previous holds 3: each must be in \[0, 3\)": torch.tensor([0, 3]),
        "previous holds -2: each must be in": torch.tensor([-2, 1]),
    }.items():
        with pytest.raises(ValueError, match=f"^{words}"):
            prior.following(state, previous)
    previous = torch.tensor([2, 1])  # what was refused has left no trace
    second = prior.following(state, previous)
    codes = torch.stack([previous, torch.zeros_like(previous)], dim=1)
    torch.testing.assert_close(torch.stack([first, second], dim=1), prior(codes), rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"^all 2 elements are there"):
        prior.following(state, previous * 0)


def test_it_is_made_on_any_device(make: Make) -> None:
    with torch.device("meta"):
        prior = make(LAYOUTS["pyramid"], 3)
    assert {value.device.type for value in (*prior.parameters(), *prior.buffers())} == {"meta"}
    like = make(LAYOUTS["pyramid"], 3)
    assert sum(p.numel() for p in prior.parameters()) == sum(p.numel() for p in like.parameters())


@pytest.mark.slow
def test_it_exports_with_a_dynamic_batch(make: Make, layout: CodeLayout) -> None:
    prior, size = make(layout, 3), Dim("batch", min=2)
    shapes: Any = ({0: size}, {0: size})
    example = codes_of(layout, 3), torch.tensor([0, 1, 3])
    program = export(prior, example, dynamic_shapes=shapes).module()
    for number in (2, 7):
        codes, label = codes_of(layout, number), torch.arange(number) % 4
        torch.testing.assert_close(program(codes, label), prior(codes, label), rtol=0, atol=1e-12)
