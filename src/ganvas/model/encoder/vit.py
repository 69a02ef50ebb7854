"""An encoder of patches by a transformer: a grid of latents (ViT-VQGAN: Yu 2022, arXiv:2110.04627), or a row
of them that belong to no place (TiTok: Yu 2024, arXiv:2406.07550)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.functional.padding import pad_to_multiple
from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.image_grid import ImageGrid
from ganvas.model.layers.transformer import Transformer, initialize_transformer, learned_vectors


class ViTEncoder(nn.Module):
    """Patches with learned positions, a transformer that normalizes first, and a linear layer to the latents.

    Args:
        sample_shape: [C, H, W] of an image; sides that the patches do not divide are padded by their edge.
        embedding_dim: D, the length of one latent vector.
        patch_size: side of a patch, pixels.
        width: length of a vector within the transformer.
        depth: blocks.
        heads: of each attention.
        mlp_ratio: hidden units of a block's MLP are so many times the width.
        tokens: None: a latent a patch. A number: so many learned vectors go through the transformer beside
            the patches, and what they have become are the latents.

    Raises:
        OptionError: data that are no images, a size below 1, or heads that do not divide the width.
    """

    def __init__(
        self,
        sample_shape: list[int],
        embedding_dim: int,
        patch_size: int = 4,
        width: int = 256,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: int = 4,
        tokens: int | None = None,
    ) -> None:
        super().__init__()
        require_positive("embedding_dim", embedding_dim)
        require_positive("patch_size", patch_size)
        require_positive("tokens", 1 if tokens is None else tokens)
        self.grid, self.patch_size = ImageGrid(sample_shape, patch_size), patch_size
        self.transformer = Transformer(width, depth, heads, mlp_ratio)
        self.patches = nn.Conv2d(self.grid.channels, width, patch_size, stride=patch_size)
        self.to_latents = nn.Linear(width, embedding_dim)
        initialize_transformer(self)
        self.positions = learned_vectors(self.grid.places, width)
        self.tokens = None if tokens is None else learned_vectors(tokens, width)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in [-1, 1] to latents [B, D, H / patch_size, W / patch_size], the sides rounded
        up, or [B, D, tokens]."""
        require_input(x, self.grid.channels, self.grid.height, self.grid.width)
        patches = self.patches(pad_to_multiple(x, self.patch_size))  # [B, width, h, w]
        seen = patches.flatten(2).mT + self.positions  # [B, h w, width]
        if self.tokens is None:
            latents = self.to_latents(self.transformer(seen)).mT  # [B, D, h w]
            return latents.unflatten(2, self.grid.sides)
        tokens = self.tokens.expand(len(x), -1, -1)  # [B, tokens, width]
        seen = self.transformer(torch.cat([tokens, seen], dim=1))[:, : len(self.tokens)]
        return self.to_latents(seen).mT.contiguous()
