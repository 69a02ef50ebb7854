"""A quantizer between two affine maps, as vector-quantize-pytorch has around most of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from ganvas.functional.precision import at_least_float32
from ganvas.model.quantizer.cosine import affine
from ganvas.model.quantizer.nested import inner_quantizer
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer

PROJECTIONS = ("project_in.weight", "project_in.bias", "project_out.weight", "project_out.bias")


class ProjectedQuantizer(VectorwiseQuantizer):
    """quantized = Q(inner(P z)); P and Q are affine, and learn. The losses are the inner quantizer's.

    It is no option of the configs, where an encoder and a decoder end and begin with such maps themselves.

    Args:
        inner: makes the quantizer of vectors of d dimensions; it is called once.
        embedding_dim: D, the length of one vector.
        bias: whether the maps have one.

    Raises:
        OptionError: an inner part that quantizes no vectors.
    """

    takes_residuals = False
    learns_from_quantized = True

    def __init__(
        self, inner: Callable[[], VectorwiseQuantizer], embedding_dim: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.inner = one = inner_quantizer(inner)
        self.project_in = nn.Linear(embedding_dim, one.embedding_dim, bias=bias)
        self.project_out = nn.Linear(one.embedding_dim, embedding_dim, bias=bias)
        self.embedding_dim, self.codebook_sizes, self.losses = embedding_dim, one.codebook_sizes, one.losses
        self.draws_codes, self.compares_vectors = one.draws_codes, one.compares_vectors
        self.levels_may_be_absent, self.updates_itself = one.levels_may_be_absent, one.updates_itself

    @property
    def num_cuts(self) -> int:
        return self.inner.num_cuts

    def cut(self, indices: Tensor, levels: int) -> Tensor:
        return self.inner.cut(indices, levels)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes the codes and both maps, or lets them move again, by whatever moves them."""
        super().requires_grad_(requires_grad)
        self.inner.requires_grad_(requires_grad)
        return self

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        return self.quantize_batch(rows, weight, len(rows))

    def quantize_batch(self, rows: Tensor, weight: Tensor | None, samples: int) -> RowsOutput:
        found = self.inner.quantize_batch(affine(self.project_in, rows), weight, samples)
        return found._replace(quantized=affine(self.project_out, found.quantized))

    def search(self, rows: Tensor) -> Tensor:
        return self.inner.search(affine(self.project_in, rows))

    def look_up(self, indices: Tensor) -> Tensor:
        codes = self.inner.look_up(indices)
        return affine(self.project_out, at_least_float32(codes)).to(codes.dtype)

    def prepare(self, rows: Tensor, weight: Tensor | None = None) -> None:
        self.inner.prepare(affine(self.project_in, rows), weight)


def projected(
    inner: VectorwiseQuantizer, part: Mapping[str, Tensor], dim: int | None = None
) -> VectorwiseQuantizer:
    """The quantizer between the projections that a part holds; itself where it holds none.

    Raises:
        ValueError: projections that do not fit it, or that are no ``dim``'s.
    """
    found = projected_dim(part, inner.embedding_dim)
    has = inner.embedding_dim if found is None else found
    if dim is not None and dim != has:
        where = "has no projections" if found is None else f"projects from {found}"
        raise ValueError(
            f"dim={dim}: this state {where}, and its codes have {inner.embedding_dim} dimensions"
        )
    if found is None:
        return inner
    quantizer = ProjectedQuantizer(lambda: inner, found, bias="project_in.bias" in part)
    with torch.no_grad():
        for name, value in projections(part).items():
            quantizer.get_parameter(name).copy_(value)
    return quantizer


def projections(part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those tensors of a part that are projections' own."""
    return {name: part[name] for name in PROJECTIONS if name in part}


def projected_dim(part: Mapping[str, Tensor], inner: int) -> int | None:
    """D of projections from D dimensions to ``inner`` and back; None where a part holds none.

    Raises:
        ValueError: one of them is not there, or has another shape.
    """
    found = projections(part)
    if not found:
        return None
    biased = any(name.endswith("bias") for name in found)
    asked = [name for name in PROJECTIONS if biased or name.endswith("weight")]
    if missing := [name for name in asked if name not in found]:
        rule = "both maps have a weight, and both a bias or none (by cosine_sim_project_in one has none)"
        raise ValueError(f"{', '.join(missing)} is not there beside {', '.join(found)}: {rule}")
    dim = found["project_out.weight"].numel() // inner
    shapes = {"project_in.weight": [inner, dim], "project_out.weight": [dim, inner]}
    for name, value in found.items():
        shape = shapes.get(name, [inner if name == "project_in.bias" else dim])
        if list(value.shape) != shape:
            raise ValueError(f"{name} of shape {list(value.shape)}: must be {shape}")
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name} holds numbers that are NaN or infinite")
    return dim
