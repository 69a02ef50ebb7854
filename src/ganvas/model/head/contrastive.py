"""The conditional contrastive loss, 2C (ContraGAN: Kang & Park 2020, arXiv:2006.12681)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.model.head.embedding import EmbeddingHead


class ContrastiveHead(EmbeddingHead):
    """A sample is drawn to its class and to the samples of its class, away from all others:

        -log [ (e^{c_i} + sum_{j != i, y_j = y_i} e^{s_ij}) / (e^{c_i} + sum_{j != i} e^{s_ij}) ]

    c_i: cosine of a sample's embedding with its class's, s_ij: with another sample's, both divided by the
    temperature. The discriminator descends it on real samples, and the generator on those that it made.

    Args: see :class:`ganvas.model.head.embedding.EmbeddingHead`.
    """

    def contrast(self, *, to_class: Tensor, to_sample: Tensor, same_class: Tensor) -> Tensor:
        itself = torch.eye(len(to_class), dtype=torch.bool, device=to_class.device)
        near, nothing = to_sample / self.temperature, -torch.inf
        own = (to_class / self.temperature)[:, None]  # [N, 1]
        positive = torch.cat([own, near.masked_fill(itself | ~same_class, nothing)], dim=1)  # [N, 1 + N]
        every = torch.cat([own, near.masked_fill(itself, nothing)], dim=1)
        return every.logsumexp(1) - positive.logsumexp(1)
