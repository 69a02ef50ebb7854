from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from digit_tokenizers import codes as code_data
from digit_tokenizers import tokenizer

from ganvas.callback.drawing.codes import Codes
from ganvas.functional.images import to_uint8
from ganvas.metric.rate_distortion.codes import bits_of_cut, points_of_codes, points_of_prior
from ganvas.model.autoregressive import Autoregressive
from ganvas.model.masked import Masked
from ganvas.model.optimizer.adam import adam
from ganvas.model.prior.transformer import TransformerPrior


def psnr(x: torch.Tensor, y: torch.Tensor) -> float:
    mse = (to_uint8(x).double() - to_uint8(y).double()).square().mean().item()
    return -10 * math.log10(mse / 255**2)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("row", [8 * 4]), ("grid", [4 * 4]), ("residual", [4 * 4, 4 * 8]), ("pyramid", [4, 20])],
)
def test_bits_are_log2_k_a_code_and_psnr_that_of_the_parts_first_levels(kind: str, bits: list[int]) -> None:
    own = tokenizer(kind)
    codes = Codes(own.recipe)
    points = points_of_codes(codes, own.data.batches("test", 16, 40), torch.device("cpu"))
    assert [point.bits for point in points] == bits
    assert points[-1].bits == own.layout.bits
    x = next(own.data.batches("test", 40, 40)).x
    with torch.no_grad():
        expected = [psnr(x, codes.decode(codes.cut(codes.encode(x), k + 1))) for k in range(len(bits))]
    assert [point.psnr for point in points] == pytest.approx(expected, rel=1e-9)
    names = ["levels=1", "levels=2"] if len(bits) > 1 else ["fixed length"]
    assert [point.setting for point in points] == names


def test_levels_of_several_sizes_keep_their_own_when_codes_are_cut() -> None:
    """Two levels of 4 and 8 codes, and a second size of 32; sizes are cut one by one."""

    class Two:
        level_sizes, num_cuts = (4, 8, 32), 2

        def cut(self, codes: tuple[torch.Tensor, ...], count: int) -> tuple[torch.Tensor, ...]:
            return codes[:count]

    made = (torch.zeros(3, 2, 2, 2), torch.zeros(3, 1, 5))
    given: Any = Two()
    assert [bits_of_cut(given, made, count) for count in (1, 2)] == [4 * (2 + 3), 4 * (2 + 3) + 5 * 5]


@pytest.mark.parametrize("recipe", [Autoregressive, Masked])
def test_a_priors_codes_take_the_mean_of_its_bits_and_the_tokenizers_error(recipe: type) -> None:
    own: dict[str, Any] = {"conditional": True, "label_dropout": 0.1, "ema": None, "grad_clip": None}
    own |= {"temperature": 1.0, "top_k": None, "top_p": 1.0, "guidance": 1.0, "seed": 3}
    own |= {"steps": 3, "choice_temperature": 4.5, "estimates": 2} if recipe is Masked else {}
    data = code_data("grid")
    prior = partial(TransformerPrior, width=16, depth=1, heads=2, causal=recipe is Autoregressive)
    torch.manual_seed(5)
    model = recipe(prior=prior, tokenizer=data.tokenizer, optimizer=partial(adam, lr=1e-3), **own).eval()
    for parameter in model.prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    pairs = zip(data.codes("test", 16, 40), data.batches("test", 16, 40), strict=True)
    points = points_of_prior(model, pairs, torch.device("cpu"))
    whole, real = next(data.codes("test", 40, 40)), next(data.batches("test", 40, 40)).x
    assert points[0].bits == pytest.approx(model.bits(whole.x, whole.label).mean().item(), rel=1e-5)
    assert points[1].bits == data.tokenizer.layout.bits == 16
    assert points[0].bits != pytest.approx(16, abs=0.1)
    error = psnr(real, data.tokenizer.decode(whole.x))
    assert [point.psnr for point in points] == pytest.approx([error] * 2, rel=1e-9)
    assert points[0].setting == "under the prior" + (" (a bound)" if recipe is Masked else "")
