"""An encoder of texts: vectors of symbols, strided convolutions, and attention among the positions left."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.text import RowAttention, RowBlock, num_positions, require_text


class TextEncoder(nn.Module):
    """Symbols to latents at T / 2^downsamplings positions.

    Each halving is a convolution of 4 positions with stride 2 behind a residual block; zeros fill up what it
    does not divide.

    Args:
        sample_shape: (T,), symbols of a sample.
        vocabulary: V, symbols that there are.
        embedding_dim: D, the length of one latent vector.
        width: channels inside.
        downsamplings: halvings of the number of positions.
        depth: blocks of a transformer over the positions left; 0: none.
        heads: of each attention.

    Raises:
        OptionError: a size below 1, samples that are no rows, or more halvings than symbols.
    """

    def __init__(
        self,
        sample_shape: list[int],
        vocabulary: int,
        embedding_dim: int,
        width: int = 128,
        downsamplings: int = 1,
        depth: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.length = require_text(sample_shape, vocabulary)
        require_positive("embedding_dim", embedding_dim)
        require_positive("width", width)
        positions = num_positions(self.length, downsamplings)
        self.padding = positions * 2**downsamplings - self.length
        self.symbols = nn.Embedding(vocabulary, width)
        halvings = [[RowBlock(width), nn.Conv1d(width, width, 4, 2, 1)] for _ in range(downsamplings)]
        self.down = nn.Sequential(*(layer for pair in halvings for layer in pair), RowBlock(width))
        self.attention = RowAttention(positions, width, depth, heads)
        self.out = nn.Conv1d(width, embedding_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Symbols int64 [B, T] to latents [B, D, positions]."""
        require_input(x, self.length)
        if x.is_floating_point():
            raise ValueError(f"x is {x.dtype}: must be symbols int64 [B, {self.length}]")
        rows = self.symbols(x).transpose(1, 2)  # [B, width, T]
        return self.out(self.attention(self.down(pad(rows, (0, self.padding)))))
