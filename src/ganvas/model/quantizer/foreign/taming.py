"""taming-transformers' VectorQuantizer2 (that of its VQGANs), read from its state dict."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ganvas.model.quantizer.foreign.state import matrix, part_of
from ganvas.model.quantizer.vq import VectorQuantizer


def vector_quantizer2(
    state: Mapping[str, Tensor], *, prefix: str = "", beta: float = 0.25, legacy: bool = True
) -> VectorQuantizer:
    """A ``vq`` with the codes that the state holds; what it encodes and decodes is the same.

    With ``legacy``, their default, beta weighs the term of the codes by mistake, and the commitment has
    weight 1: so has it here. The term of the codes has weight 1 here too, 1/beta of theirs; Adam's steps do
    not depend on that. Without ``legacy``, beta is the weight of the commitment, as it should be, and all is
    the same. No code restarts, as there.

    Args:
        state: of the module, or of a VQModel that holds it.
        prefix: of its names in there; ``quantize.`` in a VQModel.
        beta, legacy: theirs.

    Raises:
        ValueError: indices that are mapped to fewer ones (``remap``), or a state that is no
            VectorQuantizer2's.
    """
    part = part_of(state, prefix, needed=("embedding.weight",), what="VectorQuantizer2")
    codes = matrix(part["embedding.weight"], "embedding.weight")
    quantizer = VectorQuantizer(codes.shape[0], codes.shape[1], 1.0 if legacy else beta, restart_after=0)
    quantizer.set_codes(codes)
    return quantizer
