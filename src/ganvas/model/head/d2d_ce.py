"""Data-to-data cross-entropy (ReACGAN: Kang 2021, arXiv:2111.01118)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.errors import require
from ganvas.model.head.embedding import EmbeddingHead


class D2DCEHead(EmbeddingHead):
    """A sample is drawn to its class and away from the samples of other classes, each up to a margin:

        -log [ e^{p_i} / (e^{p_i} + sum_{y_j != y_i} e^{n_ij}) ]
        p_i = min(c_i - m_p, 0) / temperature, n_ij = max(s_ij - m_n, 0) / temperature

    c_i: cosine of a sample's embedding with its class's, s_ij: with another sample's. What is nearer to its
    class than m_p is not drawn on, and what is less near to a sample of another class than m_n is not pushed.
    The discriminator descends it on real samples, and the generator on those that it made.

    Args:
        feature_dim: F, length of the network's feature vector.
        num_classes: K; None where the model is not conditional, and the head is the logit's layer alone.
        weight: of this loss, in both networks' losses.
        temperature: cosines are divided by it.
        positive_margin: m_p, a cosine.
        negative_margin: m_n, a cosine; None: 1 - m_p.
        embedding_dim: length of an embedding.
        init_std: standard deviation of all weights at the start, biases being 0; None: torch's own.

    Raises:
        OptionError: a margin that is no cosine; a number that must be positive and is not.
    """

    def __init__(
        self,
        feature_dim: int,
        num_classes: int | None = None,
        weight: float = 0.5,
        temperature: float = 0.5,
        positive_margin: float = 0.98,
        negative_margin: float | None = None,
        embedding_dim: int = 512,
        init_std: float | None = None,
    ) -> None:
        super().__init__(
            feature_dim,
            num_classes,
            weight=weight,
            temperature=temperature,
            embedding_dim=embedding_dim,
            init_std=init_std,
        )
        rule = "must be a cosine, in [-1, 1]; "
        fits = -1 <= positive_margin <= 1
        require(fits, "positive_margin", positive_margin, f"{rule}1 asks for all that there is")
        negative = 1 - positive_margin if negative_margin is None else negative_margin
        require(-1 <= negative <= 1, "negative_margin", negative_margin, f"{rule}null: 1 - positive_margin")
        self.positive_margin, self.negative_margin = positive_margin, negative

    def contrast(self, *, to_class: Tensor, to_sample: Tensor, same_class: Tensor) -> Tensor:
        own = (to_class - self.positive_margin).clamp(max=0) / self.temperature  # [N]
        other = (to_sample - self.negative_margin).clamp(min=0) / self.temperature  # [N, N]
        every = torch.cat([own[:, None], other.masked_fill(same_class, -torch.inf)], dim=1)  # [N, 1 + N]
        return every.logsumexp(1) - own
