"""What both networks of BigGAN do to their layers (Brock 2019, arXiv:1809.11096, appendix B)."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.layers.resnet import Wrap, wrapper


def orthogonal(layer: nn.Module) -> nn.Module:
    """Weights [N, ...] whose N rows, or else columns, are orthonormal; biases zero (Saxe 2014)."""
    weight: Tensor = layer.weight  # type: ignore[assignment]  # of a convolution, a linear layer, an embedding
    nn.init.orthogonal_(weight)
    bias = getattr(layer, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
    return layer


def orthogonal_wrapper(*, spectral: bool) -> Wrap:
    """What is done to every layer with weights: orthogonal initialization, then spectral norm or nothing."""
    divide = wrapper(spectral=spectral, eps=1e-6)
    return lambda layer: divide(orthogonal(layer))
