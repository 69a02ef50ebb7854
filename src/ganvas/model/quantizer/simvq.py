"""SimVQ: a frozen codebook behind one linear layer, which moves all codes (Zhu 2024, arXiv:2411.02038).

Symbols: N vectors z of D dimensions, K codes e = C W; C is frozen, W is D x D; sg is stop-gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import require_number, require_whole
from ganvas.functional.codes import straight_through
from ganvas.functional.estimators import rotation_trick
from ganvas.functional.nearest import nearest_code
from ganvas.functional.precision import at_least_float32
from ganvas.model.quantizer.codebook import GRADIENTS, require_gradient
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


class SimVQ(VectorwiseQuantizer):
    """loss = mean((sg z - e)^2) + commitment_cost * mean((z - sg e)^2), with e = C W.

    C is drawn once from N(0, 1/D), whose scale the method needs, and never moves; it is part of the state.
    The gradient of any vector's code moves W, and so every code: none falls out of use for want of vectors,
    and nothing starts or restarts.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        commitment_cost: weight of the second term, which holds the encoder to the codes.
        gradient: of the encoder through the choice, ``straight_through`` or ``rotation`` (see
            :class:`ganvas.model.quantizer.codebook.CodebookQuantizer`).

    Raises:
        OptionError: a size below 1, a weight below 0, or a gradient that there is not.
    """

    # A forward pass sets nothing. But the table is made of W in ``encode`` and ``decode`` as well, where a
    # share of it (accelerator.strategy=fsdp) would not do; it is small.
    updates_itself = True
    takes_nearest = True
    losses = ("codebook_loss", "commitment_loss")
    frozen_codes: Tensor  # C, float32 [K, D]

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        commitment_cost: float = 0.25,
        gradient: str = "straight_through",
    ) -> None:
        super().__init__()
        require_whole("num_embeddings", num_embeddings, 2, "512 is usual")
        require_whole("embedding_dim", embedding_dim, 1, "64 is usual")
        require_number("commitment_cost", commitment_cost, "0.25 is usual")
        require_gradient(gradient, GRADIENTS)
        self.codebook_sizes, self.embedding_dim = (num_embeddings,), embedding_dim
        self.commitment_cost, self.gradient = commitment_cost, gradient
        self.register_buffer("frozen_codes", torch.randn(num_embeddings, embedding_dim) / embedding_dim**0.5)
        self.transform = nn.Linear(embedding_dim, embedding_dim, bias=False)

    def table(self) -> Tensor:
        """The codes e, at least float32 [K, D], with a gradient to W."""
        with torch.autocast(self.frozen_codes.device.type, enabled=False):
            return F.linear(at_least_float32(self.frozen_codes), at_least_float32(self.transform.weight))

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        table = self.table()
        indices = nearest_code(rows, table)  # [N]
        codes = F.embedding(indices, table).to(rows.dtype)  # [N, D]
        codebook_loss = self.mean_square(codes, rows.detach(), weight)
        commitment_loss = self.mean_square(rows, codes.detach(), weight)
        losses = {"codebook_loss": codebook_loss.detach(), "commitment_loss": commitment_loss.detach()}
        estimate = rotation_trick if self.gradient == "rotation" else straight_through
        return RowsOutput(
            estimate(quantized=codes, latent=rows),
            indices[:, None],
            codebook_loss + self.commitment_cost * commitment_loss,
            losses,
            self.usage_of(indices[:, None], weight),
        )

    def search(self, rows: Tensor) -> Tensor:
        return nearest_code(rows, self.table())[:, None]

    def look_up(self, indices: Tensor) -> Tensor:
        return F.embedding(indices[:, 0], self.table()).to(self.frozen_codes.dtype)
