from __future__ import annotations

import copy

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.model.layers.wavegan import PhaseShuffle, initialize, start_of, strided, transposed


@pytest.mark.parametrize("stride", [2, 3, 4, 5, 8, 24, 25])
def test_strides_divide_and_multiply_lengths(stride: int) -> None:
    x = torch.randn(2, 3, 6 * stride)
    down, up = strided(3, 4, stride), transposed(4, 3, stride)
    assert down.kernel_size == up.kernel_size == (25,)
    assert down(x).shape == (2, 4, 6)
    assert up(down(x)).shape == x.shape


def test_a_length_between_is_refused_with_the_nearest() -> None:
    assert start_of([2, 8192], [4, 4, 4, 4, 4]) == (2, 8192, 8)
    for length, nearest in ((8000, 8192), (7000, 7168), (100, 1024)):
        with pytest.raises(
            OptionError, match=f"multiple of 1024 samples.*; {nearest} is the nearest to {length}"
        ):
            start_of([1, length], [4] * 5)
    with pytest.raises(OptionError) as error:
        start_of([1, 8, 8], [4])
    assert error.value.option == "sample_shape"
    for strides in ([], [1], [26]):
        with pytest.raises(OptionError) as error:
            start_of([1, 1024], strides)
        assert error.value.option == "strides"


def test_weights_begin_by_glorots_law() -> None:
    torch.manual_seed(0)
    layer = strided(16, 32, 4)
    initialize(layer)
    bound = (6 / (25 * (16 + 32))) ** 0.5
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)
    assert layer.bias is not None
    assert not layer.bias.any()


def test_each_sample_is_moved_by_its_own_shift_and_mirrored() -> None:
    x = torch.arange(10.0).expand(64, 2, 10) + 100 * torch.arange(64.0)[:, None, None]
    shuffle = PhaseShuffle(2, 0)
    moved, shifts = shuffle(x), []
    row = [2, 1, *range(10), 8, 7]  # by definition, two mirrored on either side
    wanted = {k: torch.tensor(row[2 + k : 12 + k]).float() for k in range(-2, 3)}
    for number, sample in enumerate(moved):
        assert torch.equal(sample[0], sample[1])  # all channels alike
        (shift,) = [k for k, values in wanted.items() if torch.equal(sample[0], values + 100 * number)]
        shifts.append(shift)
    counts = [shifts.count(k) for k in range(-2, 3)]
    assert min(counts) >= 4
    assert max(counts) <= 25


def test_shifts_are_functions_of_pass_layer_and_place_in_the_global_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.randn(8, 1, 50)
    shuffle = PhaseShuffle(2, 0)
    begun = copy.deepcopy(shuffle)
    first, second = shuffle(x), shuffle(x)
    assert shuffle.passes == 2
    assert not torch.equal(first, second)
    assert torch.equal(begun(x), first)
    begun.load_state_dict(shuffle.state_dict())  # a resumed one
    assert torch.equal(begun(x), shuffle(x))
    assert not torch.equal(PhaseShuffle(2, 1)(x), first)
    halves = []
    for number in range(2):
        monkeypatch.setattr("ganvas.model.layers.wavegan.rank", lambda number=number: number)
        halves.append(PhaseShuffle(2, 0)(x.chunk(2)[number]))
    assert torch.equal(torch.cat(halves), first)


def test_nothing_moves_in_evaluation_or_with_none() -> None:
    x = torch.randn(8, 1, 50)
    resting = PhaseShuffle(2, 0).eval()
    assert resting(x) is x
    assert PhaseShuffle(0, 0)(x) is x
    assert resting.passes == 0


def test_gradients_reach_what_was_moved() -> None:
    x = torch.randn(4, 2, 20, dtype=torch.float64, requires_grad=True)

    def of_one_pass(x: torch.Tensor) -> torch.Tensor:
        return PhaseShuffle(2, 0)(x)

    assert torch.autograd.gradcheck(of_one_pass, x)
    assert torch.autograd.gradgradcheck(lambda x: of_one_pass(x).square(), x)
