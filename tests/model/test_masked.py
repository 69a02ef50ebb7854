"""The masked recipe: its bound against all orders, its schedule, what stays fixed, refusals."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import pytest
import torch
from digit_tokenizers import tokenizer
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.code_layout import CodeLayout
from ganvas.functional.next_code import Drawing
from ganvas.functional.random import Draws
from ganvas.model.masked import Masked, hide, still_hidden
from ganvas.model.optimizer.adam import adam
from ganvas.model.prior.interface import Prior
from ganvas.model.prior.transformer import TransformerPrior

OPTIONS: dict[str, Any] = {
    **{"conditional": False, "label_dropout": 0.1, "ema": None, "grad_clip": None, "seed": 3},
    **{"temperature": 1.0, "top_k": None, "top_p": 1.0, "guidance": 1.0},
    **{"steps": 3, "choice_temperature": 4.5, "estimates": 8},
    "optimizer": partial(adam, lr=1e-3),
}


class Exact(Prior):
    """The exact conditionals of a law over all sequences, by summing over what is hidden."""

    causal = False

    def __init__(self, layout: CodeLayout, num_classes: int | None = None) -> None:
        super().__init__(layout, num_classes)
        self.states = torch.tensor(list(itertools.product(range(layout.vocabulary), repeat=layout.length)))
        self.law = torch.rand(len(self.states), generator=torch.Generator().manual_seed(4)).double() ** 3
        self.law /= self.law.sum()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, codes: Tensor, label: Tensor | None = None) -> Tensor:
        hidden = (codes == self.layout.vocabulary)[:, None]
        fits = ((self.states == codes[:, None]) | hidden).all(2).double() * self.law  # [B, states]
        one_hot = nn.functional.one_hot(self.states, self.layout.vocabulary).double()  # [states, N, V]
        share = torch.einsum("bs,snv->bnv", fits, one_hot)
        return (share / share.sum(-1, keepdim=True)).clamp(min=1e-300).log()


def made(**options: Any) -> Masked:
    torch.manual_seed(5)
    prior = partial(TransformerPrior, width=16, depth=1, heads=2, causal=False)
    model = Masked(**(OPTIONS | {"prior": prior, "tokenizer": tokenizer("row")} | options))
    for parameter in model.prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def small_model(estimates: int = 1) -> Masked:
    """Of three codes of 3, with the exact conditionals of a law."""
    own = tokenizer("row")
    own.layout = CodeLayout(sizes=((3,),), positions=((3,),))
    return made(tokenizer=own, prior=Exact, estimates=estimates)


def test_the_bound_is_the_law_for_the_exact_conditionals() -> None:
    """Over every number and every choice of hidden codes: -log p to 1e-12, on all 27 states (science: C)."""
    model = small_model()
    prior: Any = model.prior
    states, length = prior.states, 3
    total = torch.zeros(len(states), dtype=torch.float64)
    for m in range(1, length + 1):
        choices = list(itertools.combinations(range(length), m))
        for choice in choices:
            order = torch.full((len(states), length), 9.0)
            order[:, list(choice)] = 1.0
            hidden, weight = hide(order, torch.full((len(states), 1), m))
            assert hidden[0].nonzero().flatten().tolist() == list(choice)
            logits = prior(states.masked_fill(hidden, 3))
            nats = -logits.log_softmax(-1).gather(2, states[..., None])[..., 0] * hidden
            total += (nats * weight).sum(1) / len(choices) / length
    assert torch.allclose(total, -prior.law.log(), atol=1e-5)


def test_bits_come_near_the_law_with_many_draws_and_depend_on_the_number_alone() -> None:
    model = small_model(estimates=600)
    prior: Any = model.prior
    bits = model.bits(prior.states, None)
    assert torch.allclose(bits.double(), -prior.law.log2(), rtol=0.06)
    few = small_model(estimates=4)
    assert torch.equal(few.bits(prior.states, None)[5:9], few.bits(prior.states[5:9], None, start=5))


def test_training_hides_every_number_of_codes_alike() -> None:
    model = made()
    seen: list[Tensor] = []
    model.descend = lambda name, terms: seen.append(terms["loss/nats_per_code"])  # type: ignore[assignment,return-value]
    shown: list[Tensor] = []
    model.prior.register_forward_pre_hook(lambda module, args: shown.append(args[0]))
    codes = torch.randint(16, (4000, 8), generator=torch.Generator().manual_seed(1))
    model.step(Batch(codes, None), Draws(1, 0))
    hidden = shown[0] == 16
    assert torch.equal(shown[0][~hidden], codes[~hidden])
    counts = torch.bincount(hidden.sum(1), minlength=9) / 4000
    assert counts[0] == 0
    assert torch.allclose(counts[1:], torch.full((8,), 1 / 8), atol=0.02)
    assert torch.allclose(hidden.float().mean(0), torch.full((8,), 4.5 / 8), atol=0.03)
    with torch.no_grad():
        nats = -model.prior(shown[0]).log_softmax(-1).gather(2, codes[..., None])[..., 0] * hidden
        expected = (nats.sum(1) / hidden.sum(1)).mean()  # N / m of the sum, over N codes
    assert seen[0].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (8, 3), (8, 8), (49, 12), (256, 8), (5, 5)])
def test_the_schedule_begins_at_all_ends_at_none_and_never_rises(count: int, steps: int) -> None:
    left = [still_hidden(count, step, steps) for step in range(1, steps + 1)]
    assert left[-1] == 0
    assert all(before > after for before, after in itertools.pairwise([count, *left]))
    if (count, steps) == (256, 8):
        assert left == [int(256 * math.cos(math.pi * step / 16)) for step in range(1, 8)] + [0]


def test_codes_that_stay_are_kept_and_given_ones_never_move() -> None:
    model = made(steps=4)
    given = torch.full((5, 8), 16)
    given[:, 2], given[:, 5] = 3, 7
    made_of = list(model.drawn_steps(model.prior, given, 1, 0, None, Drawing()))
    steps = [step.codes for step in made_of]
    for step in made_of:  # a guess is whole, and holds what stays
        assert (step.guess < 16).all()
        assert torch.equal(step.guess[step.codes != 16], step.codes[step.codes != 16])
    hidden = [(one == 16).sum(1).unique().tolist() for one in steps]
    assert hidden == [[still_hidden(6, step, 4)] for step in (1, 2, 3, 4)]
    for before, after in itertools.pairwise([given, *steps]):
        kept = before != 16
        assert torch.equal(after[kept], before[kept])


def test_a_completion_can_be_watched() -> None:
    model = made(steps=3)
    given = torch.randint(16, (4, 8), generator=torch.Generator().manual_seed(2))
    known = torch.tensor([False, True, True, False, False, False, True, False])
    steps = list(model.complete_in_steps(given, known, 7, start=2))
    left = [int((step.codes == 16).sum(1).unique()) for step in steps]
    assert left == [still_hidden(5, step, 3) for step in (1, 2, 3)]
    assert torch.equal(steps[-1].codes, model.complete(given, known, 7, start=2))
    assert torch.equal(steps[0].codes[:, known], given[:, known])


def test_samples_do_not_depend_on_the_batch_and_steps_are_asked_for() -> None:
    model = made()
    found = model.draw(6, 4)
    assert torch.equal(model.draw(2, 4, start=3), found[3:5])
    assert not torch.equal(model.draw(6, 4, drawing=Drawing(steps=1)), found)
    passes: list[int] = []
    model.prior.register_forward_pre_hook(lambda module, args: passes.append(1))
    model.draw(2, 4)
    assert len(passes) == 3
    model.draw(2, 4, drawing=Drawing(steps=100))  # more than there are codes
    assert len(passes) == 3 + 8


def test_the_steps_of_a_drawing_end_at_what_is_drawn() -> None:
    model = made(conditional=True)
    steps = model.draw_in_steps(4, 9, drawing=Drawing(steps=3))
    assert torch.equal(steps[-1].codes, model.draw(4, 9, drawing=Drawing(steps=3)))
    assert torch.equal(steps[-1].guess, steps[-1].codes)
    hidden = [int((one.codes == 16).sum(1).max()) for one in steps]
    assert hidden == [still_hidden(8, step, 3) for step in (1, 2, 3)]
    with pytest.raises(OptionError, match="guidance"):
        made().draw_in_steps(1, 0, drawing=Drawing(guidance=2.0))


def test_completions_keep_what_is_given_and_follow_the_law_of_the_rest() -> None:
    """Of the exact conditionals, one code a step: the middle one given, the others by their joint law."""
    model = small_model()
    prior = model.prior
    model.choice_temperature = 1e6  # any order alike: a choice by confidence leans to likely codes
    known = torch.tensor([False, True, False])
    given = torch.tensor([[9, 2, -7]]).expand(4000, -1)  # what stands where nothing is known is not looked at
    found = model.complete(given, known, 3, drawing=Drawing(steps=2))
    assert (found[:, 1] == 2).all()
    states: Any = prior.states
    law: Any = prior.law
    share = (law * (states[:, 1] == 2)).reshape(3, 3, 3)[:, 2]
    met = torch.zeros(3, 3).index_put((found[:, 0], found[:, 2]), torch.ones(4000), accumulate=True) / 4000
    assert torch.allclose(met.double(), share / share.sum(), atol=0.03)
    assert torch.equal(model.complete(given[5:9], known, 3, start=5, drawing=Drawing(steps=2)), found[5:9])


def test_guidance_mixes_logits_by_class_and_without() -> None:
    model = made(conditional=True, choice_temperature=0.0)
    label, none = torch.tensor([3, 8]), torch.tensor([10, 10])
    at_zero = model.draw(2, 1, label=label, drawing=Drawing(guidance=0.0))
    assert torch.equal(at_zero, model.draw(2, 1, label=none))
    assert not torch.equal(at_zero, model.draw(2, 1, label=label, drawing=Drawing(guidance=5.0)))


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"steps": 0}, "steps=0"),
        ({"choice_temperature": -1.0}, "choice_temperature=-1.0"),
        ({"estimates": 0}, "estimates=0"),
        ({"prior": partial(TransformerPrior, width=16, depth=1, heads=2)}, "prior=TransformerPrior"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], refused: str) -> None:
    with pytest.raises(OptionError, match=refused):
        made(**options)
