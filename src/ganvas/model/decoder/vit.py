"""A decoder to patches by a transformer: of a grid of latents (ViT-VQGAN: Yu 2022, arXiv:2110.04627), or of a
row of them that belong to no place (TiTok: Yu 2024, arXiv:2406.07550)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.image_grid import ImageGrid, output_layers
from ganvas.model.layers.transformer import Transformer, initialize_transformer, learned_vectors


class ViTDecoder(nn.Module):
    """The mirror of :class:`ganvas.model.encoder.vit.ViTEncoder`; a linear layer makes pixels of a patch.

    Attributes:
        is_bounded: whether what it makes lies in [-1, 1].

    Args:
        sample_shape: [C, H, W] of an image; by what the encoder pads it is cut off.
        embedding_dim: D, the length of one latent vector.
        patch_size: side of a patch, pixels.
        width: length of a vector within the transformer.
        depth: blocks.
        heads: of each attention.
        mlp_ratio: hidden units of a block's MLP are so many times the width.
        tokens: None: a latent a patch. A number: so many latents, which go through the transformer beside
            one learned vector at every patch's position, and what this has become is the patch.
        output: ``linear``, or ``tanh``.

    Raises:
        OptionError: data that are no images, a size below 1, heads that do not divide the width, or an output
            that there is not.
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
        output: str = "linear",
    ) -> None:
        super().__init__()
        require_positive("embedding_dim", embedding_dim)
        require_positive("patch_size", patch_size)
        require_positive("tokens", 1 if tokens is None else tokens)
        self.grid, self.patch_size = ImageGrid(sample_shape, patch_size), patch_size
        self.is_bounded = output == "tanh"
        self.latent_shape = embedding_dim, *(self.grid.sides if tokens is None else (tokens,))
        self.transformer = Transformer(width, depth, heads, mlp_ratio)
        self.from_latents = nn.Linear(embedding_dim, width)
        self.to_pixels = nn.Linear(width, self.grid.channels * patch_size**2)
        self.output = nn.Sequential(*output_layers(output))
        initialize_transformer(self)
        self.positions = learned_vectors(self.grid.places, width)
        self.token_positions = None if tokens is None else learned_vectors(tokens, width)
        self.patch = None if tokens is None else learned_vectors(1, width)

    def forward(self, z: Tensor) -> Tensor:
        """Latents [B, D, h, w] or [B, D, tokens] to images [B, C, H, W], about [-1, 1]."""
        require_input(z, *self.latent_shape)
        latents = self.from_latents(z.flatten(2).mT)  # [B, h w or tokens, width]
        if self.patch is None or self.token_positions is None:
            seen = self.transformer(latents + self.positions)
        else:
            patches = (self.patch + self.positions).expand(len(z), -1, -1)  # [B, h w, width]
            seen = torch.cat([latents + self.token_positions, patches], dim=1)
            seen = self.transformer(seen)[:, len(self.token_positions) :]
        pixels = self.to_pixels(seen).mT.unflatten(2, self.grid.sides)  # [B, C patch_size^2, h, w]
        return self.grid.cut(self.output(pixel_shuffle(pixels, self.patch_size)))
