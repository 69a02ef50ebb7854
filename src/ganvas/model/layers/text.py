"""Convolutions and attention along rows of symbols, for encoders and decoders of texts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import gelu

from ganvas.errors import require, require_whole
from ganvas.model.layers.basic import require_positive
from ganvas.model.layers.transformer import Transformer, learned_vectors


def require_text(sample_shape: Sequence[int], vocabulary: int) -> int:
    """T of samples (T,); raises OptionError where the data are no rows of symbols."""
    rule = "this network takes rows of symbols [T]; choose data=text_files"
    require(len(sample_shape) == 1 and sample_shape[0] >= 1, "sample_shape", list(sample_shape), rule)
    require(vocabulary >= 2, "vocabulary", vocabulary, "must be at least 2 symbols; bytes are 256")
    return sample_shape[0]


def num_positions(length: int, downsamplings: int) -> int:
    """Positions of T symbols whose number was halved so often, the last one filled up."""
    require_whole("downsamplings", downsamplings, 0, "2 is usual")
    rule = f"leaves less than a position of {length} symbols; fewer, or longer texts"
    require(2**downsamplings <= length, "downsamplings", downsamplings, rule)
    return -(-length // 2**downsamplings)


class RowBlock(nn.Module):
    """x + conv1(gelu(conv3(norm x))), over rows [B, width, N]; the norm is of each position's vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        require_positive("width", width)
        self.norm = nn.LayerNorm(width)
        self.see, self.mix = nn.Conv1d(width, width, 3, padding=1), nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return x + self.mix(gelu(self.see(normed)))


class RowAttention(nn.Module):
    """A transformer over rows [B, width, N] with learned positions; the same rows where it has no blocks.

    Args:
        positions: N.
        width: length of a vector.
        depth: blocks; 0: none.
        heads: of each attention.
    """

    def __init__(self, positions: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        require_whole("depth", depth, 0, "0 is without attention")
        self.transformer = Transformer(width, depth, heads) if depth else None
        self.places = learned_vectors(positions, width) if depth else None

    def forward(self, x: Tensor) -> Tensor:
        if self.transformer is None or self.places is None:
            return x
        return self.transformer(x.transpose(1, 2) + self.places).transpose(1, 2)
