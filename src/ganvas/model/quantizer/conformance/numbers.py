"""Types of numbers, and numbers that are none."""

from __future__ import annotations

import copy
from functools import partial

import torch

from ganvas.model.quantizer.conformance.expect import (
    expect,
    expect_close,
    expect_equal,
    expect_refused,
    state_of,
)
from ganvas.model.quantizer.conformance.shapes import in_range
from ganvas.model.quantizer.conformance.subject import Subject, draws

_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def every_float_type(subject: Subject) -> None:
    """Latents of any float type, with the module in float32 or cast to it, have the codes that they have in
    float32, are quantized to their own type, and get a finite gradient; the loss is at least float32.

    In float32 with the numbers as the cast leaves them, or as they were before.
    """
    for dtype in _TYPES:
        for is_cast in (False, True):
            for training in (False, True):
                _one_type(subject, dtype, is_cast, training)


def _one_type(subject: Subject, dtype: torch.dtype, is_cast: bool, training: bool) -> None:
    quantizer = subject.trained(training)
    uncast = copy.deepcopy(quantizer).train(draws(quantizer, training))
    if is_cast:
        quantizer.to(dtype)
    name = f"of {dtype}, {'in training' if training else 'in eval mode'}{', cast' if is_cast else ''}"
    z = subject.latents().to(dtype).requires_grad_(True)
    wide = copy.deepcopy(quantizer).train(draws(quantizer, training)).float()
    asked = wide(z.detach().float()).indices
    output = quantizer(z)
    if is_cast:  # what a cast rounds may be made anew from what it does not: then these are the better ones
        better = uncast(z.detach().float()).indices
        asked = torch.where(output.indices == better, better, asked)
    expect(output.quantized.dtype == dtype, f"quantized of type {output.quantized.dtype} {name}")
    least = torch.promote_types(dtype, torch.float32)
    expect(output.loss.dtype == least, f"a loss of type {output.loss.dtype} {name}, not {least}")
    expect_equal(output.indices, asked, f"indices {name} beside those of float32")
    (output.loss + output.quantized.sum()).backward()
    expect(z.grad is not None and z.grad.isfinite().all(), f"the gradient {name} is not finite")
    if not training:
        expect_equal(quantizer.encode(z), asked, f"encode {name} beside indices of float32")
        tolerance = max(1e-5, 2 * torch.finfo(dtype).eps)
        codes = quantizer.decode(asked).to(dtype)
        expect_close(codes, output.quantized, f"decode {name}", rtol=tolerance, atol=tolerance)


def codes_have_the_type_of_the_module(subject: Subject) -> None:
    """decode gives the type that the module was cast to, for a decoder that was cast with it."""
    quantizer = subject.trained()
    indices = subject.indices(quantizer)
    codes = quantizer.decode(indices)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        found = copy.deepcopy(quantizer).to(dtype).decode(indices)
        expect(found.dtype == dtype, f"codes of type {found.dtype}, cast to {dtype}")
        tolerance = max(1e-5, 4 * torch.finfo(dtype).eps)
        expect_close(found.float(), codes, f"codes cast to {dtype}", rtol=tolerance, atol=tolerance)


def a_double_is_not_rounded(subject: Subject) -> None:
    """In float64 the codes are decode's exactly, and the loss is a function of all digits of the latents."""
    quantizer = subject.trained().double()
    z = subject.latents().double() + 1e-9 * subject.latents().double()
    output = quantizer(z)
    expect_equal(output.quantized, quantizer.decode(output.indices), "what is quantized, beside decode,")
    if quantizer(2 * z).loss != output.loss:
        rounded = quantizer(z.float().double()).loss
        expect(bool(rounded != output.loss), "the loss is that of latents rounded to float32")


def autocast_changes_no_code(subject: Subject) -> None:
    """Inside torch.autocast latents have the codes that they have outside of it, in forward and encode."""
    quantizer, z = subject.trained(), subject.latents(32 * subject.batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, indices = quantizer(z), quantizer.encode(z)
        codes = quantizer.decode(indices)
    expect_equal(output.indices, quantizer(z).indices, "forward's indices inside of autocast")
    expect_equal(indices, quantizer.encode(z), "encode inside of autocast")
    expect_equal(codes, quantizer.decode(indices), "decode inside of autocast")


def what_is_not_finite_shows(subject: Subject) -> None:
    """Where a number is NaN or infinite, so are quantized of its sample, the loss and all metrics; other
    samples and the state stay finite, and encode refuses it."""
    for training in (False, True):
        for bad in (torch.nan, torch.inf, -torch.inf):
            _one_bad_number(subject, bad, training)


def _one_bad_number(subject: Subject, bad: float, training: bool) -> None:
    quantizer, z = subject.trained(training), subject.latents()
    z[2, 0].fill_(bad)
    name = f"of a batch with {bad}, {'in training' if training else 'in eval mode'},"
    expect_refused(partial(quantizer.encode, z), f"encode of {bad}", "NaN")
    without = copy.deepcopy(quantizer)(z.nan_to_num(0.0, 0.0, 0.0))
    output = quantizer(z.requires_grad_(True))
    expect(output.loss.isnan(), f"the loss {name} is {output.loss.item():.4g}")
    hidden = [metric for metric, value in output.metrics.items() if not value.isnan()]
    expect(not hidden, f"metrics {', '.join(hidden)} {name} are no NaN")
    in_range(quantizer, output)
    expect(output.quantized[2].isnan().any(), f"quantized {name} is finite in the sample that has it")
    good = [sample for sample in range(len(z)) if sample != 2]
    expect_equal(output.quantized[good], without.quantized[good], f"quantized of other samples {name}")
    if output.loss.requires_grad:
        output.loss.backward()
    wrong = [key for key, value in state_of(quantizer).items() if not value.isfinite().all()]
    expect(not wrong, f"{', '.join(wrong)} is not finite after such a batch")


def large_numbers_are_finite(subject: Subject) -> None:
    """Latents of 1e38, whose sum is infinite in float32, have codes and are quantized to finite numbers, in
    training and in eval mode; their gradient of what is quantized is finite as well."""
    for dtype in (torch.float32, torch.float64):
        for training in (False, True):
            quantizer, z = subject.trained(training), torch.full_like(subject.latents(2), 1e38, dtype=dtype)
            expect(quantizer.encode(z).shape[0] == 2, "encode of large numbers")
            quantized = quantizer(z.requires_grad_(True)).quantized
            name = f"of 1e38 in {dtype}, {'in training' if training else 'in eval mode'},"
            expect(quantized.isfinite().all(), f"quantized {name} is not finite")
            quantized.sum().backward()
            expect(z.grad is not None and z.grad.isfinite().all(), f"the gradient {name} is not finite")
