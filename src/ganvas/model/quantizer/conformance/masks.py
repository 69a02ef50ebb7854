"""Masks: vectors that are left out take no part in anything."""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor

from ganvas.model.quantizer.conformance.expect import (
    NotAsked,
    expect,
    expect_close,
    expect_equal,
    expect_refused,
    expect_state,
    first_line,
    state_of,
)
from ganvas.model.quantizer.conformance.subject import Subject, draws
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput


def a_mask_leaves_vectors_out(subject: Subject) -> None:
    """Vectors that a mask leaves out have index -1, zeros, and no gradient, whatever they hold; the others
    have the codes, loss, metrics and state that they have alone."""
    for training in (False, True):
        _one_mask(subject, training)


def _one_mask(subject: Subject, training: bool) -> None:
    quantizer, z, mask = subject.trained(training), subject.latents(), _half_mask(subject)
    _ask_masks(quantizer, z)
    name = "in training" if training else "in eval mode"
    alone = z.movedim(1, -1)[mask]  # [M, D]
    if draws(quantizer, training) or () not in subject.positions:  # samples stay as they are
        mask = (torch.arange(len(z)) < len(z) - 3).view(-1, *[1] * (z.ndim - 2)).expand_as(z[:, 0])
        alone = z[:-3]
    padded = z.masked_fill(~mask[:, None], torch.nan).requires_grad_(True)
    first, second = copy.deepcopy(quantizer), copy.deepcopy(quantizer)
    output, asked = first(padded, mask), second(alone)
    indices, vectors = output.indices.movedim(1, -1), output.quantized.movedim(1, -1)  # [B, *positions, ...]
    expect((indices[~mask] == -1).all(), f"{name} a vector that is left out has an index")
    expect(not vectors[~mask].any(), f"{name} a vector that is left out is quantized")
    what = f"of vectors that are there, {name},"
    expect_equal(indices[mask], _as_rows(asked.indices), f"indices {what}")
    expect_close(vectors[mask], _as_rows(asked.quantized), f"what is quantized {what}")
    expect_close(output.loss, asked.loss, f"the loss beside that {what}")
    expect_close(output.metrics, asked.metrics, f"a metric beside that {what}")
    expect_close(state_of(first), state_of(second), f"the state beside that {what}")
    _look_at_gradient(output, padded, mask)


def _as_rows(grid: Tensor) -> Tensor:
    """[B, C, *positions] to [N, C]."""
    return grid.movedim(1, -1).reshape(-1, grid.shape[1])


def _look_at_gradient(output: QuantizerOutput, padded: Tensor, mask: Tensor) -> None:
    (output.loss + output.quantized.square().sum()).backward()
    expect(padded.grad is not None and padded.grad.isfinite().all(), "a masked gradient is not finite")
    assert padded.grad is not None
    expect(not padded.grad.movedim(1, -1)[~mask].any(), "a vector that is left out has a gradient")


def an_empty_mask_teaches_nothing(subject: Subject) -> None:
    """Where a mask leaves all out, indices are -1, quantized and loss are 0, and no state moves."""
    for quantizer in (subject.trained(training=True), subject.fresh()):
        before, z = state_of(quantizer), subject.latents()
        _ask_masks(quantizer, z)
        output = quantizer(z, torch.zeros_like(_half_mask(subject)))
        expect((output.indices == -1).all(), "an index of an empty mask is not -1")
        expect(bool(output.loss == 0), f"the loss of an empty mask is {output.loss.item():.4g}")
        expect(not output.quantized.any(), "quantized of an empty mask is not 0")
        expect_state(quantizer, before, "after an empty mask")


def a_full_mask_is_none(subject: Subject) -> None:
    """A mask that leaves nothing out gives what no mask gives."""
    for training in (False, True):
        quantizer, z = subject.trained(training), subject.latents()
        _ask_masks(quantizer, z)
        asked = copy.deepcopy(quantizer)(z)
        found = quantizer(z, torch.ones_like(_half_mask(subject)))
        expect_equal(found.indices, asked.indices, "indices with a full mask")
        expect_close(found.quantized, asked.quantized, "what is quantized with a full mask")
        expect_close(found.loss, asked.loss, "the loss with a full mask")


def a_mask_of_another_shape_is_refused(subject: Subject) -> None:
    """A mask that is not bool [B, *positions] is refused, with the shape that it must have."""
    quantizer, z = subject.trained(), subject.latents()
    good = _half_mask(subject)
    for mask in (good[:-1], good[..., None], good.float()):
        what = f"a mask {mask.dtype} of shape {list(mask.shape)}"
        expect_refused(partial(quantizer, z, mask), what, "mask", str(list(good.shape)))


def _half_mask(subject: Subject) -> Tensor:
    """bool [B, *positions], some of each."""
    mask = torch.rand(subject.batch, *subject.positions[0]) > 0.4
    mask.view(-1)[0], mask.view(-1)[-1] = True, False
    return mask


def _ask_masks(quantizer: Quantizer, z: Tensor) -> None:
    """Raises NotAsked where it refuses masks altogether, which is no fault: they are not left unread."""
    if (why := refuses_masks(quantizer, z)) is not None:
        raise NotAsked(f"it refuses masks ({why})")


def refuses_masks(quantizer: Quantizer, z: Tensor) -> str | None:
    """What it says against any mask; None where it takes them."""
    full = torch.ones(z.shape[0], *z.shape[2:], dtype=torch.bool)
    try:
        copy.deepcopy(quantizer)(z, full)
    except ValueError as error:
        return first_line(error)
    return None
