"""encode and decode: the two halves of forward, and the indices between them."""

from __future__ import annotations

from functools import partial

import torch

from ganvas.model.quantizer.conformance.expect import NotAsked, expect, expect_equal, expect_refused
from ganvas.model.quantizer.conformance.subject import Subject

_SOME = 500  # codes of a level
_ALL = 4096  # codes that a vector is compared with


def encode_and_decode_are_the_halves(subject: Subject) -> None:
    """In eval mode encode gives forward's indices, and decode of these what forward quantizes, exactly."""
    quantizer = subject.trained()
    for positions in subject.positions:
        z = subject.latents(positions=positions)
        output = quantizer(z)
        expect_equal(quantizer.encode(z), output.indices, "encode beside forward's indices")
        expect_equal(
            quantizer.decode(output.indices), output.quantized, "decode beside what forward quantizes"
        )


def every_code_has_its_vector(subject: Subject) -> None:
    """Indices that differ in one level decode to other vectors, before training, and always to the same."""
    quantizer = subject.fresh().eval()
    some = subject.indices(quantizer, 1)
    for level, size in enumerate(quantizer.codebook_sizes):
        evenly = torch.arange(0, size, max(1, size // _SOME))
        codes = torch.cat([evenly, torch.tensor([size - 1])]).unique()
        indices = some.repeat(len(codes), *[1] * (some.ndim - 1))
        indices[:, level] = codes.view(-1, *[1] * (some.ndim - 2))
        vectors = quantizer.decode(indices)
        expect(vectors.shape[:2] == (len(codes), subject.dim), f"codes of shape {list(vectors.shape)}")
        expect_equal(quantizer.decode(indices), vectors, "decode once more")
        others = len(vectors.unique(dim=0))
        what = f"{len(codes):,} codes of level {level + 1}, of {size:,}, decode to {others:,} vectors"
        expect(others == len(codes), what)


def codes_encode_to_themselves(subject: Subject) -> None:
    """Where vectors take their nearest code, encode of a code's vector gives the code."""
    quantizer = subject.fresh().eval()
    _ask_nearest(quantizer.takes_nearest)
    indices = subject.all_indices(quantizer)
    expect_equal(quantizer.encode(quantizer.decode(indices)), indices, "encode(decode(indices))")


def the_nearest_code_in_float64(subject: Subject) -> None:
    """Where vectors take their nearest code, no code is nearer by a search in float64 over all of them, and
    wherever a vector stands."""
    quantizer = subject.trained()
    _ask_nearest(quantizer.takes_nearest)
    (size,) = quantizer.codebook_sizes
    if size > _ALL:
        raise NotAsked("there are too many codes to look at all")
    for positions in subject.positions:
        z = 2 * torch.randn(200, subject.dim, *positions)
        indices = quantizer.encode(z)
        expect(indices.shape[2:] == z.shape[2:], f"indices of shape {list(indices.shape)}, not one a vector")
        everywhere = [
            some.view(-1, 1, *[1] * len(positions)).expand(-1, 1, *positions)
            for some in torch.arange(size).split(64)
        ]
        shown = [quantizer.decode(some).reshape(len(some), subject.dim, -1) for some in everywhere]
        codes = torch.cat([some[:, :, 0] for some in shown]).double()  # [K, D]
        vectors = _vectors(z)
        least = torch.cdist(vectors, codes, compute_mode="donot_use_mm_for_euclid_dist").amin(1)
        taken = (vectors - _vectors(quantizer.decode(indices))).norm(dim=1)
        farther = int((taken > least * (1 + 1e-5) + 1e-6).sum())
        what = f"{farther} of {len(vectors)} vectors take a code that is not the nearest"
        expect(not farther, f"{what}, of latents {list(z.shape)}")


def _vectors(z: torch.Tensor) -> torch.Tensor:
    """[B, D, *positions] to float64 [B * positions, D]."""
    return z.double().movedim(1, -1).flatten(0, -2)


def _ask_nearest(takes_nearest: bool) -> None:
    if not takes_nearest:
        raise NotAsked("it does not say takes_nearest: its vectors may take other codes than the nearest")


def indices_out_of_range_are_refused(subject: Subject) -> None:
    """An index that is no code of its level's, nor -1, is refused by decode, with the number in the error."""
    quantizer = subject.trained()
    good = subject.indices(quantizer, 2)
    for level, size in enumerate(quantizer.codebook_sizes):
        for number in (-2, size, 2**62):
            indices = good.clone()
            indices[1, level] = number
            expect_refused(partial(quantizer.decode, indices), f"index {number} of {size} codes", str(number))


def only_whole_numbers_are_indices(subject: Subject) -> None:
    """decode refuses floats and bools, takes all types of whole numbers alike, and a batch of none."""
    quantizer = subject.trained()
    indices = subject.indices(quantizer, 3) % 2
    for wrong in (indices.float(), indices.bool()):
        expect_refused(partial(quantizer.decode, wrong), f"indices of type {wrong.dtype}", "whole numbers")
    codes = quantizer.decode(indices)
    for kind in (torch.uint8, torch.int8, torch.int16, torch.int32):
        expect_equal(quantizer.decode(indices.to(kind)), codes, f"decode of {kind}")
    none = quantizer.decode(indices[:0])
    expect(none.shape == codes[:0].shape, f"no indices decode to shape {list(none.shape)}")


def no_code_decodes_to_zeros(subject: Subject) -> None:
    """-1 at all levels decodes to zeros and leaves the other codes as they are; where levels may be absent,
    -1 at all after the first decodes to what the first one says."""
    quantizer = subject.trained()
    if () not in subject.positions:
        raise NotAsked("it takes whole maps, in which a code stands for more than one place")
    indices = subject.all_indices(quantizer)[:20]
    codes = quantizer.decode(indices)
    absent = torch.arange(len(indices)) % 3 == 1
    found = quantizer.decode(indices.masked_fill(absent[:, None], -1))
    expect(not found[absent].any(), "-1 decodes to other vectors than zeros")
    expect_equal(found[~absent], codes[~absent], "decode beside -1")
    if quantizer.levels_may_be_absent:
        first = quantizer.cut(indices, 1)
        short = indices.clone()
        short[:, first.shape[1] :] = -1
        expect_equal(quantizer.decode(short), quantizer.decode(first), "decode with -1 after the first level")


def decode_can_be_cut_short(subject: Subject) -> None:
    """decode takes 1 to num_cuts levels, by levels= or of the first indices alone, and refuses others."""
    quantizer = subject.trained()
    indices, most = subject.indices(quantizer), quantizer.num_cuts
    for shape in [(2,), (2, 0), (2, len(quantizer.codebook_sizes) + 1)]:
        wrong = torch.zeros(shape, dtype=torch.int64)
        expect_refused(partial(quantizer.decode, wrong), f"indices of shape {list(shape)}", "levels")
    for levels in (0, most + 1):
        say = f"levels={levels}"
        expect_refused(partial(quantizer.decode, indices, levels=levels), say, say)
    whole = quantizer.decode(indices)
    for levels in range(1, most + 1):
        short = quantizer.decode(quantizer.cut(indices, levels))
        expect(short.shape == whole.shape, f"levels={levels} decodes to shape {list(short.shape)}")
        expect_equal(quantizer.decode(indices, levels=levels), short, f"decode with levels={levels}")
    expect_equal(short, whole, "decode of all levels")
