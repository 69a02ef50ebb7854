"""Shapes, types, sizes, and what is refused by them."""

from __future__ import annotations

import math
from functools import partial

import torch

from ganvas.functional.code_usage import of_all_levels
from ganvas.model.quantizer.conformance.expect import (
    expect,
    expect_close,
    expect_refused,
    expect_state,
    state_of,
)
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput


def shapes_and_types(subject: Subject) -> None:
    """Quantized vectors have the latents' shape and type, indices are int64 [B, levels, ...] in range, the
    loss and all metrics are scalars, and no metric has a gradient."""
    for training in (False, True):
        quantizer = subject.trained(training)
        for positions in subject.positions:
            z = subject.latents(positions=positions)
            _look_at(quantizer, quantizer(z), list(z.shape))


def _look_at(quantizer: Quantizer, output: QuantizerOutput, shape: list[int]) -> None:
    quantized, indices = output.quantized, output.indices
    expect(list(quantized.shape) == shape, f"quantized of shape {list(quantized.shape)} for latents {shape}")
    expect(quantized.dtype == torch.float32, f"quantized of type {quantized.dtype} for float32")
    expect(indices.dtype == torch.int64, f"indices of type {indices.dtype}")
    asked = [shape[0], len(quantizer.codebook_sizes)]
    expect(list(indices.shape[:2]) == asked, f"indices of shape {list(indices.shape)}, not {asked} ...")
    in_range(quantizer, output)
    expect(output.loss.shape == (), f"a loss of shape {list(output.loss.shape)}")
    for name, value in output.metrics.items():
        expect(value.shape == (), f"metric {name} of shape {list(value.shape)}")
        expect(not value.requires_grad, f"metric {name} has a gradient")


def in_range(quantizer: Quantizer, output: QuantizerOutput) -> None:
    """Raises Found unless indices without a mask are those of codes; levels may be absent in training."""
    least = -1 if quantizer.levels_may_be_absent and quantizer.training else 0
    for number, (level, size) in enumerate(zip(output.indices.unbind(1), quantizer.codebook_sizes), 1):
        low, high = int(level.min()), int(level.max())
        expect(
            least <= low and high < size, f"indices of level {number} from {low} to {high}, of {size} codes"
        )


def sizes_and_bits(subject: Subject) -> None:
    """codebook_sizes are whole numbers of codes, one a level, and bits_per_vector the sum of their log2."""
    quantizer = subject.fresh()
    sizes = quantizer.codebook_sizes
    expect(isinstance(sizes, tuple) and len(sizes) > 0, f"codebook_sizes={sizes!r}, no tuple of numbers")
    expect(all(isinstance(size, int) and size >= 1 for size in sizes), f"codebook_sizes={sizes}")
    bits = sum(math.log2(size) for size in sizes)
    found = quantizer.bits_per_vector
    expect(math.isclose(found, bits, rel_tol=1e-9), f"bits_per_vector={found}, not {bits}")
    dim = quantizer.embedding_dim
    expect(isinstance(dim, int) and dim >= 1, f"embedding_dim={dim!r}")


def usage_of_every_level(subject: Subject) -> None:
    """perplexity and codes_used are those of the batch's indices, of every level where there are several."""
    for training in (False, True):
        quantizer = subject.trained(training)
        output = quantizer(subject.latents())
        each = []
        for level in output.indices.unbind(1):
            there = level[level >= 0]
            _, counts = there.unique(return_counts=True)
            share = counts.double() / max(1, len(there))
            perplexity = (-share * share.log()).sum().exp()
            each.append({"perplexity": perplexity, "codes_used": torch.tensor(float(len(counts)))})
        for name, asked in of_all_levels(each).items():
            expect(name in output.metrics, f"no metric {name}")
            expect_close(output.metrics[name], asked, f"metric {name}")


def other_channels_are_refused(subject: Subject) -> None:
    """Latents of another number of channels are refused by forward and encode, with embedding_dim and both
    numbers in the error, and change nothing."""
    for training in (False, True):
        quantizer = subject.trained(training)
        before = state_of(quantizer)
        for channels in {1, 2 * subject.dim, subject.dim + 1} - {subject.dim}:
            z = torch.randn(6, channels, *subject.positions[0])
            words = (f"embedding_dim={subject.dim}", f"{channels} channels")
            expect_refused(partial(quantizer, z), f"forward of {channels} channels", *words)
            expect_refused(partial(quantizer.encode, z), f"encode of {channels} channels", *words)
        expect_state(quantizer, before, "after refused latents")


def what_are_no_latents_is_refused(subject: Subject) -> None:
    """Latents without a dimension of channels, or of whole numbers, are refused."""
    quantizer = subject.trained()
    whole = torch.zeros(6, subject.dim, *subject.positions[0], dtype=torch.int64)
    for call, name in ((quantizer, "forward"), (quantizer.encode, "encode")):
        expect_refused(partial(call, torch.randn(subject.dim)), f"{name} of one dimension", "shape")
        expect_refused(partial(call, whole), f"{name} of int64", "int64")


def a_batch_of_one(subject: Subject) -> None:
    """A sample has the codes alone that it has in a batch, and is trained on alone; a batch of none has a
    loss of 0 and teaches nothing."""
    quantizer = subject.trained()
    z = subject.latents()
    expect_close(quantizer.encode(z[:1]).double(), quantizer.encode(z)[:1].double(), "its indices")
    expect_close(quantizer(z[:1]).quantized, quantizer(z).quantized[:1], "what is quantized")
    output = quantizer.train()(z[:1])
    _look_at(quantizer, output, [1, *z.shape[1:]])
    _is_finite(quantizer, output, "of one sample")
    for one in (quantizer, subject.fresh(), subject.trained()):
        before, none = state_of(one), one(z[:0])
        expect(none.quantized.shape == z[:0].shape, f"quantized of none has {list(none.quantized.shape)}")
        expect(bool(none.loss == 0), f"the loss of a batch of none is {none.loss.item():.4g}")
        expect_state(one, before, "after a batch of none")


def constant_input(subject: Subject) -> None:
    """Batches of one vector over and over leave loss, state, and what is quantized finite."""
    quantizer = subject.trained(training=True)
    for value in (0.0, 0.7, -30.0):
        for _ in range(3):
            output = quantizer(torch.full_like(subject.latents(), value))
        in_range(quantizer, output)
        _is_finite(quantizer, output, f"of latents that are all {value}")


def _is_finite(quantizer: Quantizer, output: QuantizerOutput, what: str) -> None:
    expect(output.quantized.isfinite().all(), f"quantized {what} is not finite")
    expect(output.loss.isfinite(), f"the loss {what} is {output.loss.item()}")
    wrong = [name for name, value in output.metrics.items() if not value.isfinite()]
    expect(not wrong, f"metrics {', '.join(wrong)} {what} are not finite")
    wrong = [name for name, value in state_of(quantizer).items() if not value.isfinite().all()]
    expect(not wrong, f"{', '.join(wrong)} {what} is not finite")
