from __future__ import annotations

from typing import Any

import pytest
import torch

from ganvas.cli.compose.experiment import compose
from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.model.reconstruction_loss.bce import BCE
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss
from ganvas.model.reconstruction_loss.l1 import L1
from ganvas.model.reconstruction_loss.mse import MSE
from ganvas.model.reconstruction_loss.sum import Sum
from ganvas.run.config.build import build

X, Y = torch.tensor([[0.5, -1.0], [0.25, 0.0]]), torch.tensor([[0.0, -0.5], [-1.0, 0.5]])
WORDS = ["model=mlp_vqvae", "data=digits"]


def test_weights_and_terms() -> None:
    loss = Sum(l1=L1(3.0), mse=MSE(0.5))
    absolute, squared = (0.5 + 0.5 + 1.25 + 0.5) / 4, (0.25 + 0.25 + 1.5625 + 0.25) / 4
    assert loss(reconstruction=X, target=Y).item() == pytest.approx(3 * absolute + 0.5 * squared, rel=1e-6)
    total, terms = loss.with_terms(reconstruction=X, target=Y)
    assert total.item() == pytest.approx(3 * absolute + 0.5 * squared, rel=1e-6)
    assert {name: round(term.item(), 6) for name, term in terms.items()} == {
        "l1": round(3 * absolute, 6),
        "mse": round(0.5 * squared, 6),
    }


def test_one_term_is_the_loss_itself() -> None:
    loss, plain = Sum(mse=MSE(0.5)), MSE(0.5)
    for one in (loss, plain):
        total, terms = one.with_terms(reconstruction=X, target=Y)
        assert torch.equal(total, plain(reconstruction=X, target=Y))
        assert terms == {}


def test_what_a_term_needs_the_sum_needs() -> None:
    class Picky(MSE):
        def check(self, facts: Any) -> None:
            raise OptionError("size", facts().sample_shape, "is not mine")

    assert Sum(mse=MSE(), bce=BCE()).needs_bounded
    assert not Sum(mse=MSE(), l1=L1()).needs_bounded
    facts = DataFacts(sample_shape=[2], num_classes=None, train_sha256="", name="Toy")
    with pytest.raises(OptionError) as error:
        Sum(l1=L1(), picky=Picky()).check(lambda: facts)
    assert error.value.option == "picky.size"


def test_a_list_of_options_is_one_sum() -> None:
    config = compose(
        [*WORDS, "model/reconstruction_loss=[huber,l1]", "model.reconstruction_loss.l1.weight=2"]
    )
    loss = build(config.config["model"], "model").reconstruction_loss
    assert {name: (type(one).__name__, one.weight) for name, one in loss.terms.items()} == {
        "huber": ("Huber", 1.0),
        "l1": ("L1", 2.0),
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["model/reconstruction_loss=[l1,l1]"], "names l1 twice; leave one out"),
        (["model.reconstruction_loss.l1.weight=2"], "model/reconstruction_loss=l1 has it"),
    ],
)
def test_lists_that_are_none(words: list[str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        compose([*WORDS, *words])


def test_what_is_no_loss_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^mine=builtins.float: must be ReconstructionLoss"):
        Sum(mine=3.0)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="names no loss"):
        Sum()


def test_a_loss_of_a_users_own_has_a_weight_of_one() -> None:
    class Mine(ReconstructionLoss):
        def __init__(self, power: float) -> None:
            self.power = power

        def __call__(self, *, reconstruction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return (reconstruction - target).abs().pow(self.power).mean()

    assert Sum(mine=Mine(1.0))(reconstruction=X, target=Y).item() == pytest.approx(2.75 / 4, rel=1e-6)
