"""vector-quantize-pytorch's VectorQuantize, ResidualVQ, SimVQ, FSQ and LFQ (as of 1.32), read from their
state dicts.

A state dict holds tensors alone. What else their constructors were given must be said again; the defaults
here are theirs. What is no argument here is not there in ours, and what a state holds of it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ganvas.model.quantizer.bsq import BSQ
from ganvas.model.quantizer.codebook import CodebookQuantizer
from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.foreign.projected import PROJECTIONS, projected, projected_dim, projections
from ganvas.model.quantizer.foreign.state import matrix, part_of
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.grouped import GroupedQuantizer
from ganvas.model.quantizer.lfq import LFQ
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.simvq import SimVQ
from ganvas.model.quantizer.vectorwise import VectorwiseQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

_CODES = tuple(f"_codebook.{name}" for name in ("embed", "embed_avg", "cluster_size", "initted"))
_MARGIN = -1e-3  # of their FSQ, whose half-width is (L - 1)(1 + 1e-3)/2


def vector_quantize(
    state: Mapping[str, Tensor],
    *,
    prefix: str = "",
    use_cosine_sim: bool = False,
    learnable_codebook: bool = False,
    rotation_trick: bool = True,
    commitment_weight: float = 1.0,
    decay: float = 0.8,
    eps: float = 1e-5,
) -> VectorwiseQuantizer:
    """A VectorQuantize with the codes, running means and projections that the state holds.

    Its codes and what they decode to are the same. In training it differs where the two do: codes with
    ``use_cosine_sim`` move by running means there and by their gradient here, whatever ``decay``; dead codes
    restart by a number of vectors there (``threshold_ema_dead_code``), and here not at all until
    ``restart_threshold`` or ``restart_after`` is set.

    Args:
        state: of the module, or of one that holds it.
        prefix: of its names in there, e.g. ``quantizer.``.
        use_cosine_sim: makes a ``cosine``; without it a ``vq_ema``.
        learnable_codebook: makes a ``vq`` in place of that.
        rotation_trick: theirs is on unless switched off, and then the gradient is ``rotation``.
        commitment_weight, decay, eps: theirs; of a learnable codebook the first weighs both terms there, and
            here the commitment alone.

    Returns:
        a ``cosine``, ``vq_ema`` or ``vq``; of the last two with projections a
        :class:`ganvas.model.quantizer.foreign.projected.ProjectedQuantizer` around it.

    Raises:
        ValueError: several heads' codebooks, affine parameters, a normalization after a projection, or a
            state that is no VectorQuantize's.
    """
    part = part_of(state, prefix, needed=_CODES, optional=PROJECTIONS, what="VectorQuantize")
    codes = matrix(part["_codebook.embed"], "_codebook.embed")
    gradient = "rotation" if rotation_trick else "straight_through"
    number, length = codes.shape
    quantizer: CodebookQuantizer
    if use_cosine_sim:
        dim = projected_dim(part, length)
        code_dim = None if dim is None else length
        quantizer = CosineQuantizer(number, dim or length, code_dim, commitment_weight, 0.0, gradient)
        quantizer.load_state_dict(quantizer.state_dict() | projections(part))
    elif learnable_codebook:
        quantizer = VectorQuantizer(number, length, commitment_weight, restart_after=0, gradient=gradient)
    else:
        quantizer = EMAVectorQuantizer(
            number, length, commitment_weight, decay, eps, restart_threshold=0, gradient=gradient
        )
    if bool(part["_codebook.initted"]):  # else they are zeros, and start here as they would there
        quantizer.set_codes(codes)
        if isinstance(quantizer, EMAVectorQuantizer):
            quantizer.count.copy_(part["_codebook.cluster_size"].flatten())
            quantizer.total.copy_(matrix(part["_codebook.embed_avg"], "_codebook.embed_avg"))
    return quantizer if use_cosine_sim else projected(quantizer, part)


def residual_vq(
    state: Mapping[str, Tensor],
    *,
    prefix: str = "",
    shared_codebook: bool = False,
    quantize_dropout: bool = False,
    learnable_codebook: bool = False,
    commitment_weight: float = 1.0,
    decay: float = 0.8,
    eps: float = 1e-5,
) -> VectorwiseQuantizer:
    """A ResidualVQ with the codes, running means and projections that the state holds.

    Its codes and what they decode to are the same, also of the first levels alone. In training: the loss is
    the mean of the levels', which there are handed out one by one; the sum's gradient is straight-through
    once, where theirs adds up that of each level, with or without their ``rotation_trick``; a shared codebook
    moves after each level, theirs after the last one; each sample of a batch drops levels of its own, theirs
    all the same ones.

    Args:
        state, prefix, learnable_codebook, commitment_weight, decay, eps: see
            :func:`vector_quantize`; of every level.
        shared_codebook: theirs.
        quantize_dropout: theirs, with its cutoff at 0 and multiples of 1.

    Returns:
        a ``residual`` of ``vq_ema`` or ``vq``; with projections a
        :class:`ganvas.model.quantizer.foreign.projected.ProjectedQuantizer` around it.

    Raises:
        ValueError: levels of different sizes, codes of implicit networks (QINCo's ``mlps``), a shared
            codebook whose levels differ, or a state that is no ResidualVQ's.
    """
    under = f"{prefix}layers."
    found = {name.removeprefix(under).partition(".")[0] for name in state if name.startswith(under)}
    levels = max(1, len(found))
    names = [f"layers.{level}.{name}" for level in range(levels) for name in _CODES]
    part = part_of(state, prefix, needed=names, optional=PROJECTIONS, what="ResidualVQ")
    tables = [part[f"layers.{level}._codebook.embed"] for level in range(levels)]
    sizes = [table.shape[-2] for table in tables]
    if len({*sizes}) > 1:
        raise ValueError(f"this ResidualVQ has codebook_size {tuple(sizes)}: residual has levels of one size")
    if shared_codebook and not all(torch.equal(table, tables[0]) for table in tables):
        raise ValueError("this ResidualVQ has a codebook of its own for each level: shared_codebook=False")
    made = iter(
        vector_quantize(
            part,
            prefix=f"layers.{level}.",
            learnable_codebook=learnable_codebook,
            rotation_trick=False,
            commitment_weight=commitment_weight,
            decay=decay,
            eps=eps,
        )
        for level in range(levels)
    )
    dropout = 1.0 if quantize_dropout and levels > 1 else 0.0
    return projected(ResidualQuantizer(lambda: next(made), levels, shared_codebook, dropout), part)


def fsq(
    state: Mapping[str, Tensor],
    levels: Sequence[int],
    *,
    prefix: str = "",
    dim: int | None = None,
    num_codebooks: int = 1,
    preserve_symmetry: bool = False,
) -> VectorwiseQuantizer:
    """An FSQ with the projections that the state holds; nothing else of it is in there.

    Codes, indices and gradients are the same: of ``preserve_symmetry`` the cells are symmetric, without it
    ``margin`` is -1e-3, for their half-width is (L - 1)(1 + 1e-3)/2. Their ``noise_dropout`` adds up to half
    of the codes' range whatever L; ``noise`` here up to half a cell, as in the paper.

    Args:
        state: of the module, or of one that holds it.
        levels, preserve_symmetry: theirs.
        prefix: of its names in there, e.g. ``quantizer.``.
        dim: theirs; said, it shows that a prefix is wrong, for without projections the state holds nothing.
        num_codebooks: theirs; indices of several stand side by side here too, as levels.

    Returns:
        an ``fsq``, a ``grouped`` of several codebooks, and with projections a
        :class:`ganvas.model.quantizer.foreign.projected.ProjectedQuantizer` around it.

    Raises:
        ValueError: levels that ours does not take, an ``orthogonal_rotation``, projections that are no
            ``dim``'s, or a state that is no FSQ's.
    """
    part = part_of(state, prefix, needed=(), optional=PROJECTIONS, what="FSQ")
    own = [int(count) for count in levels]

    def one() -> FSQ:
        if preserve_symmetry:
            return FSQ(own, len(own), "symmetric")
        return FSQ(own, len(own), margin=_MARGIN)

    return projected(_side_by_side(one, num_codebooks), part, dim)


def lfq(
    state: Mapping[str, Tensor],
    *,
    prefix: str = "",
    dim: int | None = None,
    num_codebooks: int = 1,
    spherical: bool = False,
    entropy_loss_weight: float = 0.1,
    commitment_loss_weight: float = 0.0,
    diversity_gamma: float = 1.0,
    inv_temperature: float = 100.0,
) -> VectorwiseQuantizer:
    """An LFQ with the projections that the state holds.

    Codes, indices (the first bit is the highest digit) and gradients are the same, and so is the loss, but
    that probabilities below 1e-5 are taken for 1e-5 in the logarithms there. What changes training alone
    (``soft_clamp_input_value``, ``straight_through_activation``, the softplus of the entropies) is not there
    in ours.

    Args:
        state: of the module, or of one that holds it.
        prefix: of its names in there, e.g. ``quantizer.``.
        dim, entropy_loss_weight, commitment_loss_weight, diversity_gamma: theirs.
        num_codebooks: theirs; indices of several stand side by side here too, as levels.
        spherical: theirs; makes a ``bsq``.
        inv_temperature: that of their calls.

    Returns:
        an ``lfq`` or ``bsq``, a ``grouped`` of several codebooks, and with projections a
        :class:`ganvas.model.quantizer.foreign.projected.ProjectedQuantizer` around it.

    Raises:
        ValueError: an ``orthogonal_rotation``, a projection by cosine, projections that are no ``dim``'s, or
            a state that is no LFQ's.
    """
    part = part_of(state, prefix, needed=("mask",), optional=PROJECTIONS, what="LFQ")
    bits = part["mask"].numel()
    if part["mask"].tolist() != [2**bit for bit in reversed(range(bits))]:
        raise ValueError(f"mask of {part['mask'].tolist()}: an LFQ's is powers of 2, the highest first")
    # theirs is a mean over dimensions, and bsq's a sum
    commitment_cost = commitment_loss_weight / (bits if spherical else 1)

    def one() -> BSQ | LFQ:
        return (BSQ if spherical else LFQ)(
            bits,
            commitment_cost,
            entropy_loss_weight,
            diversity_gamma,
            1 / inv_temperature,
            min(bits, 20),
            first_bit="highest",
        )

    return projected(_side_by_side(one, num_codebooks), part, dim)


def sim_vq(
    state: Mapping[str, Tensor],
    *,
    prefix: str = "",
    rotation_trick: bool = True,
    input_to_quantize_commit_loss_weight: float = 0.25,
) -> SimVQ:
    """A SimVQ with the frozen codes and the transformation that the state holds; its loss is the same.

    Raises:
        ValueError: a transformation that is not one square linear layer without bias, or a state that is no
            SimVQ's.
    """
    part = part_of(state, prefix, needed=("frozen_codebook", "code_transform.weight"), what="SimVQ")
    codes, weight = matrix(part["frozen_codebook"], "frozen_codebook"), part["code_transform.weight"]
    if list(weight.shape) != [codes.shape[1]] * 2:
        raise ValueError(
            f"code_transform.weight of shape {list(weight.shape)}: must be square, of the codes' length"
        )
    gradient = "rotation" if rotation_trick else "straight_through"
    quantizer = SimVQ(codes.shape[0], codes.shape[1], input_to_quantize_commit_loss_weight, gradient)
    quantizer.load_state_dict({"frozen_codes": codes, "transform.weight": weight})
    return quantizer


def _side_by_side(make: Callable[[], VectorwiseQuantizer], number: int) -> VectorwiseQuantizer:
    return GroupedQuantizer(make, number) if number > 1 else make()
