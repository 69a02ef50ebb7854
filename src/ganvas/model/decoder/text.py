"""A decoder of texts: from latents at few positions to logits of every symbol."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.text import RowAttention, RowBlock, num_positions, require_text


class TextDecoder(nn.Module):
    """The mirror of :class:`ganvas.model.encoder.text.TextEncoder`; what was filled up is cut off.

    All symbols are said at once, each by itself given the latents.

    Args:
        sample_shape: (T,), symbols of a sample.
        vocabulary: V, symbols that there are.
        embedding_dim: D, the length of one latent vector.
        width: channels inside.
        downsamplings: the encoder's halvings; here doublings.
        depth: blocks of a transformer over the latents; 0: none.
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
        self.latent_shape = embedding_dim, positions
        self.begin = nn.Conv1d(embedding_dim, width, 1)
        self.attention = RowAttention(positions, width, depth, heads)
        doublings = [
            [RowBlock(width), nn.ConvTranspose1d(width, width, 4, 2, 1)] for _ in range(downsamplings)
        ]
        self.up = nn.Sequential(*(layer for pair in doublings for layer in pair), RowBlock(width))
        self.to_logits = nn.Conv1d(width, vocabulary, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, positions] to logits [B, V, T]."""
        require_input(z, *self.latent_shape)
        rows = self.up(self.attention(self.begin(z)))[:, :, : self.length]
        return self.to_logits(rows)
