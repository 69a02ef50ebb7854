"""The autoregressive recipe: its loss by hand, its samples by a loop without a cache, guidance, refusals."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from digit_tokenizers import tokenizer
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.functional.next_code import Drawing, filtered, pick, uniforms
from ganvas.model.autoregressive import Autoregressive
from ganvas.model.optimizer.adam import adam
from ganvas.model.prior.transformer import TransformerPrior

SMALL = partial(TransformerPrior, width=16, depth=1, heads=2)
OPTIONS: dict[str, Any] = {
    **{"label_dropout": 0.1, "ema": None, "grad_clip": None, "seed": 3},
    **{"temperature": 1.0, "top_k": None, "top_p": 1.0, "guidance": 1.0},
    "optimizer": partial(adam, lr=1e-3),
}


def made(kind: str = "grid", *, conditional: bool = False, **options: Any) -> Autoregressive:
    torch.manual_seed(5)
    own = OPTIONS | {"prior": SMALL, "tokenizer": tokenizer(kind), "conditional": conditional}
    model = Autoregressive(**(own | options))
    for parameter in model.prior.parameters():  # an untrained one says nearly nothing
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def codes(model: Autoregressive, num: int) -> Tensor:
    sizes = model.tokenizer.layout.element_sizes()
    return (torch.rand(num, len(sizes), generator=torch.Generator().manual_seed(2)) * sizes).long()


@pytest.mark.parametrize("kind", ["row", "grid", "residual", "pyramid"])
def test_bits_are_minus_log2_of_each_code_given_those_before(kind: str) -> None:
    model = made(kind)
    given = codes(model, 3)
    expected = torch.zeros(3)
    with torch.no_grad():
        for place in range(given.shape[1]):
            cut = given.clone()
            cut[:, place:] = 0  # what comes later says nothing
            shares = model.prior(cut)[:, place].softmax(-1)
            expected -= shares[torch.arange(3), given[:, place]].log2()
    assert torch.allclose(model.bits(given, None), expected, atol=1e-3)
    sums = model.validation_sums(type("B", (), {"x": given, "label": None})())
    metrics = model.validation_metrics(sums, 3)
    mean = float(expected.mean())
    assert metrics["bits_per_dim"] == pytest.approx(mean / 64, abs=1e-5)  # 1 x 8 x 8 values
    assert metrics["nats_per_code"] == pytest.approx(mean * math.log(2) / given.shape[1], abs=1e-4)


@pytest.mark.parametrize("kind", ["row", "residual", "pyramid"])
def test_samples_are_those_of_a_plain_loop_whatever_the_batch(kind: str) -> None:
    model, drawing = made(kind), Drawing(temperature=0.7, top_k=5, top_p=0.9)
    found = model.draw(6, 4, drawing=drawing)
    numbers = uniforms(4, 0, 6, found.shape[1])
    expected = torch.zeros_like(found)
    with torch.no_grad():
        for place in range(found.shape[1]):
            logits = filtered(model.prior(expected)[:, place], drawing)
            expected[:, place] = pick(logits, numbers[:, place])
    assert torch.equal(found, expected)
    assert torch.equal(model.draw(2, 4, start=3, drawing=drawing), found[3:5])
    assert torch.equal(model.sample(6, 4, drawing=drawing), model.tokenizer.decode(found))
    assert len(found.unique(dim=0)) > 1


@pytest.mark.parametrize("kind", ["row", "grid", "residual", "pyramid"])
def test_completions_are_a_plain_loop_from_the_codes_that_are_given(kind: str) -> None:
    model, drawing = made(kind), Drawing(temperature=0.7)
    given, length = codes(model, 5), model.tokenizer.layout.length
    known = torch.arange(length) < length // 2
    garbled = given.masked_fill(~known, -3)  # what stands where nothing is known is not looked at
    found = model.complete(garbled, known, 4, start=2, drawing=drawing)
    numbers, expected = uniforms(4, 2, 5, length), given.masked_fill(~known, 0)
    with torch.no_grad():
        for place in range(length // 2, length):
            logits = filtered(model.prior(expected)[:, place], drawing)
            expected[:, place] = pick(logits, numbers[:, place])
    assert torch.equal(found[:, known], given[:, known])
    assert torch.equal(found, expected)
    assert len(found[:, ~known].unique(dim=0)) > 1
    nothing = torch.zeros(length, dtype=torch.bool)
    assert torch.equal(model.complete(garbled, nothing, 4), model.draw(5, 4))
    assert torch.equal(model.complete(given, ~nothing, 4), given)


@pytest.mark.parametrize("kind", ["grid", "residual", "pyramid"])
def test_a_step_adds_one_code_and_the_last_one_is_the_completion(kind: str) -> None:
    model = made(kind)
    given = codes(model, 3)
    layout = model.tokenizer.layout
    known = torch.arange(layout.length) < 2
    steps = [step.codes.clone() for step in model.complete_in_steps(given, known, 6, start=4)]
    whole = model.complete(given, known, 6, start=4)
    assert len(steps) == layout.length
    for place, step in enumerate(steps):
        until = max(place + 1, 2)  # the first two are given
        assert torch.equal(step[:, :until], whole[:, :until])
        assert (step[:, until:] == layout.vocabulary).all()
    assert torch.equal(steps[-1][:, :2], given[:, :2])


def test_completions_that_it_cannot_make_are_refused() -> None:
    model = made("residual")
    given, length = codes(model, 2), model.tokenizer.layout.length
    known = torch.arange(length) != 0
    with pytest.raises(OptionError, match=r"known=7 codes that are not the first of 8: a code is"):
        model.complete(given, known, 1)
    with pytest.raises(ValueError, match=r"must be bool \[8\]"):
        model.complete(given, known[:-1], 1)
    with pytest.raises(ValueError, match="codes hold 16"):
        model.complete(given.clamp(min=16), known.flip(0), 1)
    with pytest.raises(OptionError, match="steps=3"):
        model.complete(given, known.flip(0), 1, drawing=Drawing(steps=3))


def test_temperature_0_takes_the_likeliest_code() -> None:
    model = made()
    found = model.draw(3, 1, drawing=Drawing(temperature=0))
    with torch.no_grad():
        assert torch.equal(model.prior(found).argmax(-1), found)


def test_guidance_goes_from_no_class_through_the_class_and_beyond() -> None:
    model = made("row", conditional=True)
    label = torch.tensor([3, 3, 8, 8])
    none = torch.full_like(label, 10)
    greedy = {s: model.draw(4, 1, label=label, drawing=Drawing(0.0, guidance=s)) for s in (0.0, 1.0, 4.0)}
    assert torch.equal(greedy[0.0], model.draw(4, 1, label=none, drawing=Drawing(0.0)))
    assert torch.equal(greedy[1.0][:2], greedy[1.0][:1].expand(2, -1))
    with torch.no_grad():
        by_class, without = model.prior(greedy[4.0], label), model.prior(greedy[4.0], none)
        mixed = without + 4 * (by_class - without)
    assert torch.equal(mixed.argmax(-1), greedy[4.0])
    assert not torch.equal(greedy[4.0], greedy[1.0])


def test_labels_are_drawn_by_the_seed_and_reach_the_prior() -> None:
    model = made("row", conditional=True)
    label = model.sample_labels(5, 2, start=1)
    assert label is not None
    assert torch.equal(label, model.sample_labels(6, 2)[1:])  # type: ignore[index]
    assert torch.equal(model.draw(5, 2, start=1), model.draw(5, 2, start=1, label=label))
    given = codes(model, 2)
    bits = [model.bits(given, torch.full((2,), number)) for number in (1, 2)]
    assert not torch.allclose(*bits)
    assert made().sample_labels(5, 2) is None


def test_bits_of_a_prior_without_classes_pass_over_labels() -> None:
    model = made()
    given = codes(model, 2)
    assert torch.equal(model.bits(given, torch.tensor([1, 2])), model.bits(given, None))


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"tokenizer": None}, "learns codes; choose data=codes data.tokenizer=RUN"),
        ({"label_dropout": 1.0}, "label_dropout=1.0"),
        ({"guidance": 2.0}, "guidance=2.0"),  # it has no classes
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"prior": partial(SMALL, causal=False)}, "prior=TransformerPrior"),
        ({"prior": partial(SMALL, width=15)}, "prior.heads=2"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], refused: str) -> None:
    with pytest.raises(OptionError, match=refused):
        made(**options)


def test_drawings_that_it_cannot_do_are_refused() -> None:
    with pytest.raises(OptionError, match="steps=3"):
        made().draw(1, 0, drawing=Drawing(steps=3))
    with pytest.raises(OptionError, match=r"guidance=2.0"):
        made().draw(1, 0, drawing=Drawing(guidance=2.0))
    with pytest.raises(OptionError, match=r"truncation=0.5"):
        made().sample(1, 0, truncation=0.5)


def test_classes_of_data_without_labels_are_refused() -> None:
    own = tokenizer()
    own.data.num_classes = None
    with pytest.raises(OptionError, match="conditional=True"):
        made(tokenizer=own, conditional=True)
