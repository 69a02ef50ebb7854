"""What the interface does for a prior that writes ``forward`` alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from priors import LAYOUTS, codes_of, step_by_step
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.code_layout import CodeLayout
from ganvas.model.prior.interface import Prior


class Counted(Prior):
    """Logits by the sum of the codes before, the place and the class."""

    def __init__(self, layout: CodeLayout, num_classes: int | None = None) -> None:
        super().__init__(layout, num_classes)
        self.made = nn.Linear(3, layout.vocabulary)

    def forward(self, codes: Tensor, label: Tensor | None = None) -> Tensor:
        assert (label is None) == (self.num_classes is None)
        before = codes.cumsum(1) - codes
        place = torch.arange(codes.shape[1]).expand_as(codes)
        known = torch.zeros_like(codes) if label is None else label[:, None].expand_as(codes)
        return self.made(torch.stack([before, place, known], dim=2).to(self.made.weight.dtype))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_without_a_cache_each_code_takes_a_forward_pass(layout: CodeLayout) -> None:
    prior, codes = Counted(layout, 3).double(), codes_of(layout, 2)
    label = torch.tensor([2, 3])
    logits = prior(codes, label)
    assert torch.equal(step_by_step(prior, codes, label), logits)
    assert torch.equal(prior(codes), prior(codes, torch.tensor([3, 3])))
    lacking = torch.arange(layout.vocabulary) >= layout.element_sizes()[:, None]
    assert torch.equal(logits == -torch.inf, lacking.expand_as(logits))


def test_a_user_gets_the_checks() -> None:
    prior, codes = Counted(LAYOUTS["residual"]), codes_of(LAYOUTS["residual"], 2)
    with pytest.raises(ValueError, match=r"^codes are torch.int64 of shape \[2, 17\]"):
        prior(codes[:, :-1])
    with pytest.raises(ValueError, match=r"^codes hold 9: each must be in"):
        prior(codes.index_fill(1, torch.tensor([0]), 9))
    with pytest.raises(ValueError, match=r"^label: this prior has no classes"):
        prior(codes, torch.tensor([0, 1]))
    assert prior.to(torch.bfloat16)(codes).dtype == torch.float32


def test_logits_of_another_shape_are_named() -> None:
    class Short(Counted):
        def forward(self, codes: Tensor, label: Tensor | None = None) -> Tensor:
            return super().forward(codes, label)[:, :, 1:]

    words = r"^Short gives logits of shape \[2, 18, 4\]: must be \[B, 18, 5\]$"
    with pytest.raises(ValueError, match=words):
        Short(LAYOUTS["residual"])(codes_of(LAYOUTS["residual"], 2))


def test_the_host_looks_at_no_value_on_an_accelerator() -> None:
    prior = Counted(LAYOUTS["grid"], 3).to("meta")  # where there are none
    codes, label = torch.zeros(2, 12, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)
    with torch.device("meta"):
        assert prior(codes.to("meta"), label.to("meta")).shape == (2, 12, 7)
        state = prior.begin(2, label.to("meta"))
        prior.following(state)
        assert prior.following(state, label.to("meta")).shape == (2, 7)


@pytest.mark.parametrize(
    ("size", "num_classes", "option"), [(65_537, None, "layout.vocabulary"), (4, 1, "num_classes")]
)
def test_options_are_checked(size: int, num_classes: int | None, option: str) -> None:
    with pytest.raises(OptionError) as error:
        Counted(CodeLayout(((2, size),), ((2, 2),)), num_classes)
    assert error.value.option == option
    assert "\n" not in str(error.value)


def test_as_many_codes_as_fit() -> None:
    assert Counted(CodeLayout(((65_536,),), ((2,),)))(torch.tensor([[65_535, 0]])).shape == (1, 2, 65_536)


def test_a_prior_that_sees_all_has_no_next_element() -> None:
    class Seeing(Counted):
        causal = False

    prior: Any = Seeing(LAYOUTS["grid"])
    with pytest.raises(OptionError, match=r"^causal=False: a prior that sees all elements has no next one"):
        prior.begin(2)
    mask = torch.full((2, 12), 7)
    assert prior(mask).shape == (2, 12, 7)
    with pytest.raises(ValueError, match=r"^codes hold 8: each must be in .*, or 7, the mask$"):
        prior(mask + 1)
