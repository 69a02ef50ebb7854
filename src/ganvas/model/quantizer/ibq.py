"""Index backpropagation quantization (Shi 2024, arXiv:2412.02692, section 3.2).

Symbols: N vectors z of D dimensions, K codes e, p = softmax(<z, e>), sg is stop-gradient; means are over
N * D.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import require_number, require_whole
from ganvas.functional.chunks import Parts, in_chunks
from ganvas.functional.entropy import entropies_of_softmax, entropy_of_mean
from ganvas.functional.precision import for_products
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer


class IBQ(VectorwiseQuantizer):
    """The code with the largest dot product, with a gradient to all codes.

        q = (onehot - sg p + p) e,   h = e of the largest
        loss = mean((q - z)^2) + mean((sg h - z)^2) + codebook_cost * mean((h - sg z)^2)
               + entropy_cost * (E H(p') - H(E p')),   p' = softmax(<z, e> / entropy_temperature)

    The entropies are in nats, the second one over the batch of all ranks. Of N * K numbers neither pass holds
    more than 2^20 at a time (2^24 on an accelerator), some of them 30 times over: on a CPU 120 MiB at
    N = 2048 and K = 65,536, and as much for any N. See :func:`ganvas.functional.chunks.in_chunks`.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        codebook_cost: weight of the loss's third term.
        entropy_cost: weight of both entropies.
        entropy_temperature: of p'.

    Raises:
        OptionError: a size too small, a weight below 0, or a temperature that is not positive.
    """

    losses = ("codebook_loss", "commitment_loss", "entropy_loss")
    learns_from_quantized = True

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        codebook_cost: float = 0.25,
        entropy_cost: float = 0.05,
        entropy_temperature: float = 0.01,
    ) -> None:
        super().__init__()
        require_whole("num_embeddings", num_embeddings, 2, "512 is usual")
        require_whole("embedding_dim", embedding_dim, 1, "64 is usual")
        require_number("codebook_cost", codebook_cost, "0.25 is usual")
        require_number("entropy_cost", entropy_cost, "0.05 is usual")
        require_number("entropy_temperature", entropy_temperature, "0.01 is usual", positive=True)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.codebook_sizes = (num_embeddings,)
        self.codebook_cost, self.entropy_cost = codebook_cost, entropy_cost
        self.entropy_temperature = entropy_temperature
        self.compares_vectors = entropy_cost > 0
        # of length 1 on average: longer ones make products that few codes win
        codes = torch.randn(num_embeddings, embedding_dim) / math.sqrt(embedding_dim)
        self.codebook = nn.Parameter(codes)  # e, [K, D]

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        number = torch.ones_like(rows[:, 0]) if weight is None else weight  # [N]
        codes = self.codebook.to(rows.dtype)
        each = functools.partial(_propagate, temperature=self.entropy_temperature)
        (soft, entropies, indices), (total,) = in_chunks(
            each, (for_products(rows), number), codes, width=self.num_embeddings
        )
        hard = F.embedding(indices, codes)  # [N, D]
        quantized = hard + (soft - soft.detach())
        codebook_loss = self.mean_square(hard, rows.detach(), weight)
        commitment_loss = self.mean_square(rows, hard.detach(), weight)
        both_losses = self.mean_square(quantized, rows, weight)
        loss = both_losses + commitment_loss + self.codebook_cost * codebook_loss
        losses = {"codebook_loss": codebook_loss.detach(), "commitment_loss": commitment_loss.detach()}
        if self.entropy_cost > 0:
            joint = entropy_of_mean(total, number.sum(), over_ranks=self.training)
            entropy = self.mean(entropies, weight) - joint
            loss = loss + self.entropy_cost * entropy
            losses["entropy_loss"] = entropy.detach()
        usage = self.usage_of(indices[:, None], weight)
        return RowsOutput(quantized, indices[:, None], loss, losses, usage)

    def search(self, rows: Tensor) -> Tensor:
        codes = self.codebook.to(rows.dtype)
        (indices,), _ = in_chunks(_largest, (for_products(rows),), codes, width=self.num_embeddings)
        return indices[:, None]

    def look_up(self, indices: Tensor) -> Tensor:
        return F.embedding(indices[:, 0], self.codebook)


def _scores(rows: Tensor, codes: Tensor) -> Tensor:
    """<z, e>, [n, K], in the rows' type whatever the autocast."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows @ codes.T


def _largest(rows: Tensor, codes: Tensor) -> tuple[Parts, Parts]:
    return (_scores(rows, codes).argmax(1),), ()


def _propagate(rows: Tensor, weight: Tensor, codes: Tensor, *, temperature: float) -> tuple[Parts, Parts]:
    """p e with the gradient of p, [n, D]; H(p') [n]; the largest, int64 [n]; and the sum of p', [K]."""
    scores = _scores(rows, codes)
    with torch.autocast(rows.device.type, enabled=False):
        soft = scores.softmax(1) @ codes.detach()
        entropies, total = entropies_of_softmax(scores / temperature, weight)
        return (soft, entropies, scores.argmax(1)), (total,)
