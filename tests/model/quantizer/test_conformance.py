"""What holds for every quantizer where all is well: shapes, halves, gradients, checkpoints."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ganvas.model.quantizer.interface import Quantizer

SHAPES = [(6, 3), (6, 3, 5), (6, 3, 4, 5)]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_and_types(quantizer: Quantizer, shape: tuple[int, ...], training: bool) -> None:
    output = quantizer.train(training)(torch.randn(shape))
    assert output.quantized.shape == shape
    assert output.indices.shape == (shape[0], len(quantizer.codebook_sizes), *shape[2:])
    assert (output.quantized.dtype, output.indices.dtype) == (torch.float32, torch.int64)
    assert output.indices.min().item() >= 0
    for level, size in zip(output.indices.unbind(1), quantizer.codebook_sizes, strict=True):
        assert level.max().item() < size
    assert output.loss.shape == ()
    assert {"perplexity", "codes_used"} <= set(output.metrics)
    assert all(value.shape == () and not value.requires_grad for value in output.metrics.values())


@pytest.mark.parametrize("shape", SHAPES)
def test_encode_and_decode_are_the_two_halves(quantizer: Quantizer, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    output = quantizer(z)
    assert torch.equal(quantizer.encode(z), output.indices)
    assert torch.equal(quantizer.decode(output.indices), output.quantized)


def test_every_code_decodes_to_its_own_vector(quantizer: Quantizer, all_indices: Tensor) -> None:
    codes = quantizer.decode(all_indices)
    assert codes.shape == (len(all_indices), quantizer.embedding_dim)
    assert codes.unique(dim=0).shape[0] == len(all_indices)
    assert torch.equal(codes, quantizer.decode(all_indices))


def test_bits_and_usage(quantizer: Quantizer) -> None:
    sizes = quantizer.codebook_sizes
    assert quantizer.bits_per_vector == pytest.approx(sum(math.log2(size) for size in sizes))
    output = quantizer(torch.randn(6, 3, 9))
    each = []
    for number, level in enumerate(output.indices.unbind(1), 1):
        _, counts = level.unique(return_counts=True)
        share = counts / counts.sum()
        each.append({"codes_used": len(counts), "perplexity": (-share * share.log()).sum().exp().item()})
        for name, value in each[-1].items() if len(sizes) > 1 else ():
            assert output.metrics[f"{name}_level_{number}"].item() == pytest.approx(value, rel=1e-5)
    for name in ("codes_used", "perplexity"):
        mean = sum(one[name] for one in each) / len(each)
        assert output.metrics[name].item() == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_reaches_the_encoder(quantizer: Quantizer, training: bool) -> None:
    z = torch.randn(6, 3, 4).requires_grad_(True)
    output = quantizer.train(training)(z)
    (output.quantized * torch.randn(6, 3, 4)).sum().backward()
    assert z.grad is not None
    assert z.grad.abs().min().item() > 0


def test_eval_mode_changes_no_state(quantizer: Quantizer) -> None:
    before = copy.deepcopy(quantizer.state_dict())
    quantizer(torch.randn(6, 3, 4) + 5)
    quantizer.encode(torch.randn(6, 3, 4))
    for name, value in quantizer.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_fresh_one_goes_on_from_its_checkpoint(
    quantizer: Quantizer, build: Callable[[], Quantizer]
) -> None:
    fresh = build()
    fresh(torch.randn(8, 3, 7))  # it has started on its own, and must forget that
    fresh.load_state_dict(quantizer.state_dict())
    torch.manual_seed(1)
    for _ in range(3):
        z = torch.randn(6, 3, 4)
        first, second = quantizer.train()(z), fresh.train()(z)
        assert torch.equal(first.indices, second.indices)
        assert torch.equal(first.quantized, second.quantized)
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, quantizer.state_dict()[name]), name


def test_an_unstarted_checkpoint_starts_again(quantizer: Quantizer, build: Callable[[], Quantizer]) -> None:
    fresh = build()
    quantizer.load_state_dict(fresh.state_dict())
    z = 3 * torch.randn(8, 3, 7)
    assert torch.equal(quantizer.train()(z).quantized, fresh(z).quantized)


def _indices(quantizer: Quantizer, z: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return quantizer(z).indices


def test_autocast_changes_no_code(quantizer: Quantizer) -> None:
    z = torch.randn(64, 3, 7)
    assert torch.equal(_indices(quantizer, z), quantizer(z).indices)


def test_the_global_generator_is_left_alone(quantizer: Quantizer) -> None:
    z = torch.randn(6, 3, 4)
    before = torch.get_rng_state()
    quantizer.train()(z)
    assert torch.equal(torch.get_rng_state(), before)
