"""What both networks of WaveGAN share (Donahue 2018, arXiv:1802.04208, appendix D), and its phase shuffle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganvas.errors import require
from ganvas.functional.distributed import rank
from ganvas.functional.random import hash_index
from ganvas.model.layers.seanet import require_sound_shape

KERNEL = 25  # samples, of every convolution


def start_of(sample_shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int, int]:
    """Channels and samples of a sound, and the samples that the strides make it of.

    Raises:
        OptionError: data that are no sounds, a stride outside of 2 to 25, or a length that is no multiple of
            their product.
    """
    channels, length = require_sound_shape(sample_shape)
    fits = len(strides) > 0 and all(2 <= stride <= KERNEL for stride in strides)
    require(
        fits, "strides", list(strides), f"must be from 2 to {KERNEL} each; [4, 4, 4, 4, 4] is the paper's"
    )
    factor = math.prod(strides)
    nearest = max(1, round(length / factor)) * factor
    fit = f"{nearest} is the nearest to {length}"
    rule = f"must have a multiple of {factor} samples, the strides' product; {fit}"
    require(length % factor == 0, "sample_shape", list(sample_shape), rule)
    return channels, length, length // factor


def strided(inputs: int, outputs: int, stride: int) -> nn.Conv1d:
    """[B, inputs, n stride] to [B, outputs, n]."""
    return nn.Conv1d(inputs, outputs, KERNEL, stride, padding=(KERNEL + 1 - stride) // 2)


def transposed(inputs: int, outputs: int, stride: int) -> nn.ConvTranspose1d:
    """The mirror of :func:`strided`: [B, inputs, n] to [B, outputs, n stride]."""
    padding = (KERNEL + 1 - stride) // 2
    more = 2 * padding - KERNEL + stride
    return nn.ConvTranspose1d(inputs, outputs, KERNEL, stride, padding=padding, output_padding=more)


@torch.no_grad()
def initialize(network: nn.Module) -> None:
    """Weights by Glorot's uniform law and biases zero, as in the authors' TensorFlow."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class PhaseShuffle(nn.Module):
    """Moves each sample of a batch in training by k steps, k uniform in -n, ..., n; the gap is mirrored.

    Section 3.3 of the paper. The shift is a function of the number of forward passes in training so far,
    which is in the checkpoint, and of the sample's number in the global batch. In eval mode nothing moves.

    Args:
        n: largest shift, at least 0.
        number: of this layer in its network; each has shifts of its own.
    """

    passes: Tensor  # int64 scalar: forward passes in training

    def __init__(self, n: int, number: int) -> None:
        super().__init__()
        self.n, self.purpose = n, f"phase shuffle {number}"
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] with T > n to the same shape."""
        if not self.training or self.n == 0:
            return x
        places = torch.arange(len(x), device=x.device) + rank() * len(x)
        keys = places ^ hash_index(self.passes, self.purpose)
        self.passes += 1
        shift = hash_index(keys, "shift") % (2 * self.n + 1)  # [B] in 0, ..., 2n: k = shift - n
        mirrored = pad(x, (self.n, self.n), mode="reflect")  # [B, C, T + 2n]
        index = torch.arange(x.shape[2], device=x.device) + shift[:, None]  # [B, T]
        return mirrored.gather(2, index[:, None].expand(-1, x.shape[1], -1))
