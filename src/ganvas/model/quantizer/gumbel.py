"""Gumbel-softmax quantization (Jang 2017, arXiv:1611.01144; Maddison 2017, arXiv:1611.00712).

Symbols: N vectors z of D dimensions, K codes e, logits l, p their softmax, tau the temperature.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import require_number, require_whole
from ganvas.functional.chunks import Parts, in_chunks
from ganvas.functional.keyed_random import keyed_uniform
from ganvas.functional.precision import for_products
from ganvas.functional.schedule import Schedule, Scheduled
from ganvas.model.quantizer.noisy import NoisyQuantizer
from ganvas.model.quantizer.vectorwise import RowsOutput


class GumbelQuantizer(NoisyQuantizer, Scheduled):
    """A code is drawn by logits that are a learned linear map of the vector, as DALL-E's is (Ramesh 2021).

        l = W z + b,  y = softmax((l + g) / tau),  g = -log(-log u),  u uniform on (0, 1)
        hard:  q = (onehot argmax y - sg y + y) e,   else q = y e;   the loss is kl_cost * KL(p || uniform),
        the mean over vectors of sum p log(p K)

    In eval mode, and where it is frozen, g = 0 and q is the code of the largest logit, with hard's gradient.
    Codes get the gradient of the vectors that drew them, of all vectors by y where it is not hard. Vectors
    and codes need not be near each other: there is no commitment. Of N * K numbers neither pass holds more
    than 2^20 at a time (2^24 on an accelerator), some of them 30 times over: on a CPU 130 MiB at N = 2048 and
    K = 65,536, and as much for any N. See :func:`ganvas.functional.chunks.in_chunks`.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        temperature: tau, positive; the less, the nearer is y to one code, and the wilder its gradient.
        hard: whether one code is passed on in training (straight-through), or the mean of all by y.
        kl_cost: weight of the divergence from equal use, in nats.

    Raises:
        OptionError: a size too small, a temperature that is not positive, or a weight below 0.
    """

    losses = ("kl_loss",)
    takes_residuals = False  # a code is drawn by logits of z, and need not be near to it
    temperature: float

    def __init__(
        self,
        num_embeddings: int = 512,
        embedding_dim: int = 64,
        temperature: float | Schedule = 1.0,
        hard: bool = True,
        kl_cost: float = 5e-4,
    ) -> None:
        super().__init__()
        require_whole("num_embeddings", num_embeddings, 2, "512 is usual")
        require_whole("embedding_dim", embedding_dim, 1, "64 is usual")
        rule = "must be positive; 1 is usual, 0.5 where it falls"
        self.set_number("temperature", temperature, lambda value: value > 0, rule)
        require_number("kl_cost", kl_cost, "0.0005 is usual")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.codebook_sizes = (num_embeddings,)
        self.hard, self.kl_cost = hard, kl_cost
        self.logits = nn.Linear(embedding_dim, num_embeddings)
        self.codebook = nn.Parameter(torch.randn(num_embeddings, embedding_dim))  # e, [K, D]
        self.start_noise()

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        keys = self.next_keys(rows, weight)
        codes, *maps = self._in_type_of(rows)
        is_one = self.hard or keys is None  # one code is passed on
        (quantized, kl, indices), _ = in_chunks(
            functools.partial(_soften, temperature=self.temperature, draws=keys is not None),
            (for_products(rows),) if keys is None else (for_products(rows), keys),
            codes.detach() if is_one else codes,
            *maps,
            width=self.num_embeddings,
        )
        if is_one:  # exactly, and a zero that has the gradient of y
            quantized = F.embedding(indices, codes) + (quantized - quantized.detach())
        loss = self.mean(kl, weight)
        return RowsOutput(
            quantized,
            indices[:, None],
            self.kl_cost * loss,
            {"kl_loss": loss.detach()},
            self.usage_of(indices[:, None], weight),
        )

    def search(self, rows: Tensor) -> Tensor:
        codes, *maps = self._in_type_of(rows)
        each = functools.partial(_soften, temperature=1.0, draws=False)
        (_, _, indices), _ = in_chunks(each, (for_products(rows),), codes, *maps, width=self.num_embeddings)
        return indices[:, None]

    def look_up(self, indices: Tensor) -> Tensor:
        return F.embedding(indices[:, 0], self.codebook)

    def _in_type_of(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """e, W and b in the rows' type, in which all is computed whatever the autocast."""
        return (
            self.codebook.to(rows.dtype),
            self.logits.weight.to(rows.dtype),
            self.logits.bias.to(rows.dtype),
        )


def _soften(rows: Tensor, *others: Tensor, temperature: float, draws: bool) -> tuple[Parts, Parts]:
    """y e [n, D], KL [n] and the largest of y, int64 [n], of rows [n, D] and their keys, if it draws."""
    *keys, codes, weight, bias = others
    with torch.autocast(rows.device.type, enabled=False):
        logits = F.linear(rows, weight, bias)  # [n, K]
        log_p = logits.log_softmax(1)
        kl = (log_p.exp() * (log_p + math.log(len(codes)))).sum(1)
        if draws:
            uniform = keyed_uniform(keys[0], "gumbel", len(codes)).clamp(min=2.0**-25)
            logits = logits - (-uniform.log()).log()
        soft = (logits / temperature).softmax(1) @ codes
        return (soft, kl, logits.argmax(1)), ()
