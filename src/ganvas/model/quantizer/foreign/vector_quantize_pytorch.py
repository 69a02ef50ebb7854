"""vector-quantize-pytorch's VectorQuantize and SimVQ (as of 1.32), read from their state dicts.

A state dict holds tensors alone. What else their constructors were given must be said again; the defaults
here are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganvas.model.quantizer.codebook import CodebookQuantizer
from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.foreign.state import matrix, part_of
from ganvas.model.quantizer.simvq import SimVQ
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

_PROJECTIONS = ("project_in.weight", "project_in.bias", "project_out.weight", "project_out.bias")


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
) -> CodebookQuantizer:
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

    Raises:
        ValueError: several heads' codebooks, affine parameters, a normalization after a projection, a
            projection without ``use_cosine_sim``, or a state that is no VectorQuantize's.
    """
    codes_of = tuple(f"_codebook.{name}" for name in ("embed", "embed_avg", "cluster_size", "initted"))
    part = part_of(state, prefix, needed=codes_of, optional=_PROJECTIONS, what="VectorQuantize")
    codes = matrix(part["_codebook.embed"], "_codebook.embed")
    gradient = "rotation" if rotation_trick else "straight_through"
    projections = {name: part[name] for name in _PROJECTIONS if name in part}
    if projections and not use_cosine_sim:
        raise ValueError("this VectorQuantize projects to its codes, which vq and vq_ema do not; cosine does")
    number, length = codes.shape
    quantizer: CodebookQuantizer
    if use_cosine_sim:
        quantizer = _cosine(number, length, projections, commitment_weight, gradient)
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
    return quantizer


def _cosine(
    number: int, length: int, projections: dict[str, Tensor], commitment_weight: float, gradient: str
) -> CosineQuantizer:
    if not projections:
        return CosineQuantizer(number, length, None, commitment_weight, 0.0, gradient)
    shape = list(projections["project_in.weight"].shape)
    if shape[0] != length:
        raise ValueError(f"project_in.weight of shape {shape}: one head's is [{length}, D]")
    quantizer = CosineQuantizer(number, shape[1], length, commitment_weight, 0.0, gradient)
    quantizer.load_state_dict(quantizer.state_dict() | projections)
    return quantizer


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
