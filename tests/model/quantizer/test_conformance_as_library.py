"""What holds for every quantizer in anybody's hands: wrong input, other types, frozen and loaded codes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export

from ganvas.model.quantizer.interface import Quantizer

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def _state(quantizer: Quantizer) -> dict[str, Tensor]:
    return copy.deepcopy(quantizer.state_dict())


def _is(quantizer: Quantizer, state: dict[str, Tensor]) -> bool:
    now = quantizer.state_dict()
    return now.keys() == state.keys() and all(torch.equal(now[name], state[name]) for name in now)


@pytest.mark.parametrize("is_cast", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_float_type(quantizer: Quantizer, dtype: torch.dtype, training: bool, is_cast: bool) -> None:
    quantizer.train(training)
    if is_cast:
        quantizer.to(dtype)
    z = torch.randn(40, 3, 2).to(dtype).requires_grad_(True)
    expected = copy.deepcopy(quantizer).eval().float()(z.detach().float()).indices
    output = quantizer(z)
    assert output.quantized.dtype == dtype
    assert output.loss.dtype == torch.promote_types(dtype, torch.float32), "a mean is not made in half"
    assert torch.equal(output.indices, expected)
    (output.loss + output.quantized.sum()).backward()
    assert z.grad is not None
    assert z.grad.dtype == dtype
    assert z.grad.isfinite().all()
    if not training:
        assert torch.equal(quantizer.encode(z), expected)
        torch.testing.assert_close(quantizer.decode(expected).to(dtype), output.quantized)


def test_double_is_not_rounded_on_its_way(quantizer: Quantizer) -> None:
    z = torch.randn(40, 3, dtype=torch.float64)
    output = quantizer.double()(z)
    codes = quantizer.decode(output.indices)
    assert torch.equal(output.quantized, codes)
    cuts = [quantizer.decode(output.indices, levels=cut + 1) for cut in range(quantizer.num_cuts)]
    distance = torch.stack([(cut - z).square().mean() for cut in cuts]).mean()
    if output.loss:
        assert (output.loss / distance).item() == pytest.approx(
            round((output.loss / distance).item(), 4), rel=1e-12
        )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(6, 1), (6, 4), (6, 1, 5), (6, 2, 5), (6, 6, 4, 5), (6, 1, 3)])
def test_another_number_of_channels_is_refused(
    quantizer: Quantizer, shape: tuple[int, ...], training: bool
) -> None:
    before, z = _state(quantizer), torch.randn(shape)
    for call in (quantizer.train(training), quantizer.encode):
        with pytest.raises(ValueError, match=rf"embedding_dim=3.* {shape[1]} channels.* 3;"):
            call(z)
    assert _is(quantizer, before)


def test_what_are_no_latents_is_refused(quantizer: Quantizer) -> None:
    for call in (quantizer, quantizer.encode):
        with pytest.raises(ValueError, match=r"shape \[3\]"):
            call(torch.randn(3))
        with pytest.raises(ValueError, match=r"int64: latents must be float"):
            call(torch.zeros(6, 3, dtype=torch.int64))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("training", [False, True])
def test_what_is_not_finite_shows_and_has_no_code(quantizer: Quantizer, bad: float, training: bool) -> None:
    z = torch.randn(6, 3, 4)
    z[2, 1, 3] = bad
    z.requires_grad_(True)
    with pytest.raises(ValueError, match=r"\[6, 3, 4\] holds 1 numbers that are NaN"):
        quantizer.encode(z)
    before = copy.deepcopy(quantizer)
    output = quantizer.train(training)(z)
    assert output.loss.isnan()
    assert all(value.isnan() for value in output.metrics.values())
    assert output.indices.min() >= 0
    for level, size in zip(output.indices.unbind(1), quantizer.codebook_sizes, strict=True):
        assert level.max() < size
    assert output.quantized[2, :, 3].isnan().any()
    good = torch.tensor([0, 1, 3, 4, 5])
    assert torch.equal(output.quantized[good], before(z.detach()[good]).quantized)
    output.loss.backward() if output.loss.requires_grad else None
    assert all(value.isfinite().all() for value in quantizer.state_dict().values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_numbers_are_finite(quantizer: Quantizer, dtype: torch.dtype) -> None:
    z = torch.full((2, 3, 5), 1e38, dtype=dtype)  # their sum is infinite in float32
    assert quantizer.encode(z).shape == (2, len(quantizer.codebook_sizes), 5)
    assert quantizer(z).quantized.isfinite().all()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace:DeprecationWarning")
def test_a_traced_program_looks_up_what_it_is_given(quantizer: Quantizer) -> None:
    quantizer.requires_grad_(False)
    z = 3 * torch.randn(9, 3, 5)
    for call in (lambda x: quantizer.encode(x), lambda x: quantizer(x).quantized):
        program = torch.jit.trace(call, (torch.randn(2, 3, 5),), check_trace=False)
        assert torch.equal(program(z), call(z))


def test_torch_func_differentiates_it(quantizer: Quantizer) -> None:
    z = torch.randn(4, 3, 5)

    def loss(x: Tensor) -> Tensor:
        output = quantizer(x)
        return output.quantized.square().sum() + output.loss

    leaf = z.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(loss(leaf), leaf)
    assert torch.equal(torch.func.grad(loss)(z), expected)


@pytest.mark.parametrize("wrong", [-2, None, 2**62])
def test_indices_out_of_range_are_refused(quantizer: Quantizer, wrong: int | None) -> None:
    for level, size in enumerate(quantizer.codebook_sizes):
        number = size if wrong is None else wrong
        indices = torch.zeros(2, len(quantizer.codebook_sizes), 3, dtype=torch.int64)
        indices[1, level, 2] = number
        with pytest.raises(ValueError, match=rf"indices hold {number}: .*\[0, {size}\)"):
            quantizer.decode(indices)


def test_as_many_levels_as_there_are(quantizer: Quantizer, all_indices: Tensor) -> None:
    many = len(quantizer.codebook_sizes)
    for shape in [(2,), (2, 0), (2, many + 1), (2, many + 1, 5)]:
        with pytest.raises(ValueError, match="levels"):
            quantizer.decode(torch.zeros(shape, dtype=torch.int64))
    for wrong in (0, quantizer.num_cuts + 1):
        with pytest.raises(ValueError, match=f"levels={wrong}: must be 1 to {quantizer.num_cuts}"):
            quantizer.decode(all_indices, levels=wrong)
    for levels in range(1, quantizer.num_cuts + 1):
        short = quantizer.decode(quantizer.cut(all_indices, levels))
        assert torch.equal(quantizer.decode(all_indices, levels=levels), short)
    assert torch.equal(short, quantizer.decode(all_indices))


@pytest.mark.parametrize("training", [False, True])
def test_a_mask_leaves_vectors_out(quantizer: Quantizer, training: bool) -> None:
    z = torch.randn(6, 3, 4)
    mask = torch.rand(6, 4) > 0.4
    padded = z.masked_fill(~mask[:, None], torch.nan).requires_grad_(True)
    alone = z.movedim(1, -1)[mask][:, :, None]  # [M, D, 1]
    first, second = copy.deepcopy(quantizer).train(training), copy.deepcopy(quantizer).train(training)
    output, expected = first(padded, mask), second(alone)
    for level, other in zip(output.indices.unbind(1), expected.indices.unbind(1), strict=True):
        assert torch.equal(level[mask], other[:, 0])
        assert (level[~mask] == -1).all()
    torch.testing.assert_close(output.quantized.movedim(1, -1)[mask], expected.quantized[:, :, 0])
    assert not output.quantized.movedim(1, -1)[~mask].any()
    torch.testing.assert_close(output.loss, expected.loss)
    torch.testing.assert_close(output.metrics, expected.metrics)
    torch.testing.assert_close(first.state_dict(), second.state_dict())
    assert torch.equal(first.eval().decode(output.indices), output.quantized) or training
    (output.loss + output.quantized.square().sum()).backward()
    assert padded.grad is not None
    assert padded.grad.isfinite().all()
    assert not padded.grad.movedim(1, -1)[~mask].any()


def test_an_empty_mask_teaches_nothing(quantizer: Quantizer, build: Callable[[], Quantizer]) -> None:
    for one in (quantizer.train(), build()):
        before = _state(one)
        output = one(torch.randn(6, 3, 4), torch.zeros(6, 4, dtype=torch.bool))
        assert (output.indices == -1).all()
        assert output.loss == 0
        assert not output.quantized.any()
        assert _is(one, before)


def test_a_mask_of_another_shape_is_refused(quantizer: Quantizer) -> None:
    z = torch.randn(6, 3, 4)
    for mask in (torch.ones(6, dtype=torch.bool), torch.ones(6, 3, 4, dtype=torch.bool), torch.ones(6, 4)):
        with pytest.raises(ValueError, match=r"mask .*: must be bool of shape \[6, 4\]"):
            quantizer(z, mask)


def test_only_whole_numbers_are_indices(quantizer: Quantizer) -> None:
    levels = len(quantizer.codebook_sizes)
    for wrong in (torch.zeros(2, levels), torch.zeros(2, levels, dtype=torch.bool)):
        with pytest.raises(ValueError, match="must be whole numbers"):
            quantizer.decode(wrong)
    indices = torch.tensor([0, 1]).expand(3, levels, 2)
    for kind in (torch.uint8, torch.int8, torch.int16, torch.int32):
        assert torch.equal(quantizer.decode(indices.to(kind)), quantizer.decode(indices))
    assert quantizer.decode(torch.zeros(0, levels, 4, dtype=torch.int64)).shape == (0, 3, 4)


def test_eval_mode_never_moves_it_whatever_comes(
    quantizer: Quantizer, build: Callable[[], Quantizer]
) -> None:
    for one in (quantizer, build().eval()):  # also before it has started
        before = _state(one)
        for z in (torch.randn(6, 3, 4) + 5, torch.full((6, 3), torch.nan), torch.randn(1, 3).double()):
            one(z)
        assert _is(one, before)
        assert not one.training


@pytest.mark.parametrize("has_started", [False, True])
def test_frozen_codes_stay(quantizer: Quantizer, build: Callable[[], Quantizer], has_started: bool) -> None:
    one = (quantizer if has_started else build()).requires_grad_(False).train()
    before = _state(one)
    for _ in range(5):
        z = (torch.randn(50, 3) * 7).requires_grad_(True)
        output = one(z)
        (output.loss + output.quantized.sum()).backward()
        assert z.grad is not None
        assert z.grad.any(), "the encoder still learns"
    assert _is(one, before)
    if before:
        one.requires_grad_(True)(torch.randn(50, 3) * 7)
        assert not _is(one, before)


def test_loaded_codes_are_used_as_they_are(
    quantizer: Quantizer, build: Callable[[], Quantizer], all_indices: Tensor
) -> None:
    codes = quantizer.decode(all_indices)
    state = quantizer.state_dict()
    alone = {
        name: value for name, value in state.items() if name == "codebook"
    }  # as other programs keep them
    for part in [state, alone] if alone else [state]:
        fresh = build()
        fresh.load_state_dict(part, strict=part is state)
        assert torch.equal(fresh.decode(all_indices), codes)
        z = 100 + torch.randn(50, 3)
        first = fresh.train()(z)
        assert torch.equal(first.quantized, quantizer.decode(first.indices))
        assert torch.equal(first.indices, quantizer.encode(z))


@pytest.mark.slow
def test_it_exports_with_a_dynamic_batch(quantizer: Quantizer, build: Callable[[], Quantizer]) -> None:
    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quantizer = quantizer

        def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output, indices = self.quantizer(z), self.quantizer.encode(z)
            return output.quantized, indices, self.quantizer.decode(indices)

    batch = Dim("batch", min=2)
    program = export(Both().eval(), (torch.randn(4, 3, 5),), dynamic_shapes=({0: batch},)).module()
    for size in (2, 9, 40_000):  # the last in more than one chunk
        z = torch.randn(size, 3, 5)
        found, expected = program(z), Both()(z)
        assert [torch.equal(one, other) for one, other in zip(found, expected, strict=True)] == [True] * 3


def test_codes_have_the_type_of_the_module(quantizer: Quantizer, all_indices: Tensor) -> None:
    """A decoder that was cast with the quantizer takes them."""
    codes = quantizer.decode(all_indices)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        found = copy.deepcopy(quantizer).to(dtype).decode(all_indices)
        assert found.dtype == dtype
        eps = max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)
        most = len(quantizer.codebook_sizes) * eps * codes.abs().max().item()
        torch.testing.assert_close(found, codes.to(dtype), rtol=0, atol=most)


def test_a_quantizer_without_storage_has_a_state(build: Callable[[], Quantizer]) -> None:
    whole = build().state_dict()
    with torch.device("meta"):
        hollow = build()
    assert hollow.state_dict().keys() == whole.keys()
    hollow.load_state_dict(whole, assign=True)
    assert all(torch.equal(value, whole[name]) for name, value in hollow.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_cast_there_and_back_sets_no_codes(build: Callable[[], Quantizer], dtype: torch.dtype) -> None:
    """They start at the first batch's vectors, far from where they are."""
    torch.manual_seed(0)
    quantizer = build().to(dtype).float()
    quantizer.state_dict()
    z = torch.randn(8, 3, 7) + 100
    quantizer(z)
    if "codebook" in quantizer.state_dict():
        assert (quantizer.decode(torch.arange(quantizer.codebook_sizes[0])[:, None]) - 100).abs().max() < 10
