"""Entropies of soft assignments to codes, in nats: of each vector's, and of their mean over a batch.

Symbols: N vectors, n of them, K codes, d bits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.functional.chunks import Parts, in_chunks
from ganvas.functional.distributed import mean_of_global_batch, sum_over_ranks

_FLAT = 1000.0  # logits beyond it have an entropy of 0 in any float type, and 0 times infinity is NaN


def entropy_of_bits(logits: Tensor) -> Tensor:
    """H of a bit that is 1 with probability sigmoid(logit), in nats; any shape, elementwise."""
    size = logits.abs().clamp(max=_FLAT)
    return F.softplus(-size) + size * torch.sigmoid(-size)


def entropies_of_softmax(scores: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """H(p) of each p = softmax(scores) [n, K], in nats, [n]; and the sum of p by a weight [n], [K]."""
    log_p = scores.log_softmax(1)
    p = scores.softmax(1)  # exp(log_p) would keep what is below the smallest normal number, and is slow there
    return -(p * log_p).sum(1), weight @ p


def entropy_of_mean(total: Tensor, number: Tensor, *, over_ranks: bool) -> Tensor:
    """H(p) of the mean distribution p = total / number, a scalar; 0 where the number is 0.

    Args:
        total: float [K], the sum of this rank's distributions over K codes, with its graph.
        number: float scalar, how many they are.
        over_ranks: p is over all ranks. Then every rank calls it, and the mean over ranks of its gradients is
            that of one process on the joint batch.
    """
    if over_ranks:
        total = sum_over_ranks(total) + (total - total.detach())
        number = sum_over_ranks(number)
    share = total / number.clamp(min=1)
    least = torch.finfo(share.dtype).tiny
    # at 0 its slope is infinite, and 0 times that is NaN
    entropy = (torch.special.entr(share.clamp(min=least)) * (share > least)).sum()
    return mean_of_global_batch(entropy) if over_ranks else entropy


def entropy_of_mean_bits(
    logits: Tensor, weight: Tensor | None, *, group_bits: int, over_ranks: bool
) -> Tensor:
    """H of the mean over N vectors of the distribution of d independent bits over 2^d codes; a scalar.

    Exact where one group holds all d bits. Else the sum of the groups' entropies, which is at least H, and
    equal to it where the groups' bits are independent over the batch. The bits are dealt out evenly, in their
    order. Neither pass holds N * 2^group numbers: the group's mean distribution is a product of two
    matrices, N by the square root of its codes.

    Args:
        logits: float [N, d], of each bit being 1.
        weight: float [N], 0 for vectors that do not count; None: all do.
        group_bits: most bits of one group.
        over_ranks: see :func:`entropy_of_mean`.
    """
    weight = torch.ones_like(logits[:, 0]) if weight is None else weight
    number = weight.sum()
    groups = logits.tensor_split(-(-logits.shape[1] // group_bits), dim=1)
    entropies = []
    for group in groups:
        width = 2 ** (-(-group.shape[1] // 2) + 1)
        _, (total,) = in_chunks(_sum_over_codes, (group, weight), width=width)
        entropies.append(entropy_of_mean(total, number, over_ranks=over_ranks))
    return torch.stack(entropies).sum()


def _sum_over_codes(logits: Tensor, weight: Tensor) -> tuple[Parts, Parts]:
    """The weighted sum of the distributions over 2^g codes of g bits [n, g]: [2^g], in some order."""
    with torch.autocast(logits.device.type, enabled=False):
        first, second = (_product(half) for half in logits.tensor_split(2, dim=1))
        return (), ((first.T @ (second * weight[:, None])).flatten(),)


def _product(logits: Tensor) -> Tensor:
    """Probabilities [n, 2^g] of all values of g independent bits [n, g]; [n, 1] of ones where g is 0."""
    codes = logits.new_ones(logits.shape[0], 1)
    for one in logits.unbind(1):
        is_one, is_zero = torch.sigmoid(one)[:, None], torch.sigmoid(-one)[:, None]
        codes = torch.cat([codes * is_zero, codes * is_one], dim=1)
    return codes
