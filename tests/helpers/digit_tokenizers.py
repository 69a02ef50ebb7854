"""Tokenizers of digits that nobody has trained: codes are codes all the same."""

from __future__ import annotations

import torch

from ganvas.cli.compose.experiment import compose
from ganvas.data.codes import Codes
from ganvas.data.digits import Digits
from ganvas.model.tokenizer import Tokenizer
from ganvas.run.config.build import build

_SMALL = (
    *("model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8"),
    *("model.embedding_dim=4", "model.num_embeddings=16"),
)
WORDS = {
    "row": ["model=mlp_vqvae", "model.num_embeddings=16"],
    "grid": ["model=vqvae", *_SMALL],
    "residual": ["model=vqvae", "model/quantizer=residual", "model.quantizer.levels=2", *_SMALL],
    "pyramid": ["model=vqvae2", "model.hidden_dim=8", "model.embedding_dim=4", "model.num_embeddings=16"],
}


def tokenizer(kind: str = "grid") -> Tokenizer:
    """Of 8 x 8 digits; the codes are a row of 8, a grid of 2 x 2, one of 2 levels each, or two grids."""
    torch.manual_seed(1)
    recipe = build(compose([*WORDS[kind], "data=digits"]).config["model"], "model")
    data = Digits(batch_size=16, channels=1, image_size=8, num_classes=10)
    with torch.no_grad():  # codes begin as latents of a first batch
        recipe.train().autoencode(next(iter(data.batches("train", 256))).x)
    return Tokenizer(recipe, data, sha256="0" * 64, place="outputs/a_tokenizer")


def codes(kind: str = "grid", batch_size: int = 16) -> Codes:
    return Codes(tokenizer=tokenizer(kind), batch_size=batch_size)
