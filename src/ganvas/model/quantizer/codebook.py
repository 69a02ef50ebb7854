"""What quantizers with a codebook share: how it is made, looked up, and kept in use.

Symbols: N vectors z of D dimensions, K codes e of d, which is D where nothing projects them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.errors import OptionError, require, require_number, require_whole
from ganvas.functional.code_usage import count_codes, usage
from ganvas.functional.codes import first_codes, spread_rows, straight_through
from ganvas.functional.distributed import sum_over_ranks, world_size
from ganvas.functional.estimators import rotation_trick
from ganvas.functional.kmeans import kmeans
from ganvas.functional.nearest import nearest_code
from ganvas.model.quantizer.vectorwise import RowsOutput, VectorwiseQuantizer

GRADIENTS = ("straight_through", "rotation")
STARTS = ("batch", "kmeans")


class CodebookQuantizer(VectorwiseQuantizer):
    """Each vector takes the nearest of K codes.

    A subclass holds ``codebook``, says the loss, and moves the codes in training. They start from the vectors
    of the first training batch, and the subclass restarts those that fall out of use at vectors of a batch:
    from a random start and left alone, most codes are never nearest to anything and get no gradient (23 of
    512 in use at the end of a public code).

    Codes that were set otherwise (``set_codes``, a checkpoint's codebook, a copy into ``codebook`` before the
    first batch) are not overwritten by the start. ``requires_grad_(False)`` freezes the codes: no gradient,
    no start, no running mean and no restart moves them, also in training. It is the quantizer's own method:
    torch's, of a module around it, reaches parameters alone, and so no codes that are running means.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: D, the length of one vector.
        commitment_cost: weight of mean((z - sg e)^2), which holds the encoder to the codes.
        gradient: of the encoder through the choice: ``straight_through`` hands that of the code on,
            ``rotation`` turns and scales it as the code is to the vector
            (:func:`ganvas.functional.estimators.rotation_trick`).
        start: ``batch``, vectors of the first batch with a little noise, or ``kmeans``, their k-means
            (:func:`ganvas.functional.kmeans.kmeans`).

    Raises:
        OptionError: a size below 1, a weight below 0, a choice that there is not; in the first training
            batch, fewer vectors over all ranks than codes for k-means.
    """

    gradients: ClassVar[tuple[str, ...]] = GRADIENTS
    never_negative: ClassVar[tuple[str, ...]] = ("batches",)
    takes_nearest = True
    codebook: Tensor  # e, float32 [K, d]; a parameter or a buffer
    batches: Tensor  # int64 scalar: training batches so far; with none the codes are not made yet
    restarts: Tensor  # int64 scalar: restarts of codes since the module was made; no checkpoint holds it

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        commitment_cost: float,
        *,
        gradient: str = "straight_through",
        start: str = "batch",
    ) -> None:
        super().__init__()
        require_whole("num_embeddings", num_embeddings, 2, "512 is usual")
        require_whole("embedding_dim", embedding_dim, 1, "64 is usual")
        require_number("commitment_cost", commitment_cost, "0.25 is usual")
        require_gradient(gradient, self.gradients)
        require(start in STARTS, "start", start, f"must be one of {', '.join(STARTS)}; batch is usual")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.gradient, self.start = gradient, start
        self.learns_from_quantized = gradient == "diveq"
        self.codebook_sizes = (num_embeddings,)
        self.commitment_cost = commitment_cost
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.register_buffer("restarts", torch.zeros((), dtype=torch.int64), persistent=False)
        codes = torch.randn(num_embeddings, embedding_dim)
        self.hold(codes)
        # until the codes are started; tells whether a user set them
        self._unstarted: Tensor | None = codes.clone()
        self._is_frozen = False
        # asked until it is so, and then no more: an answer makes the host wait for the device; a recipe that
        # undoes a forward pass puts it back with the buffers (model/training/snapshot.py)
        self.has_started = False
        for register, hook in (
            (self.register_state_dict_pre_hook, _adopt),
            (self.register_load_state_dict_pre_hook, _before_loading),
            (self.register_load_state_dict_post_hook, _after_loading),
        ):
            register(hook)  # type: ignore[no-untyped-call]  # torch's

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        learns = self.training and not self.is_frozen and len(rows) > 0
        # a batch of which nothing is there teaches nothing: here it starts no codes, later ``update`` sees it
        if learns and weight is not None and not self.has_started:
            learns = bool(self.are_any(weight))
        latents = self.inward(rows)  # [N, d], d the length of a code
        if learns:
            self._start(latents.detach(), weight)
        table = self.table()  # [K, d]
        indices = self.nearest(latents, table)  # [N]
        codes = F.embedding(indices, table).to(latents.dtype)  # [N, d], a copy that no update reaches
        loss, losses = self.loss(latents, codes, table, weight)
        quantized = self.outward(self.estimate(latents, codes, learns))
        counts = count_codes(indices, self.num_embeddings, weight)
        if learns:
            counts = self.update(latents.detach(), codes.detach(), indices, counts, weight)
        elif self.training:  # in eval mode a rank may be alone
            counts = sum_over_ranks(counts)
        return RowsOutput(quantized, indices[:, None], loss, losses, (usage(counts),))

    def inward(self, rows: Tensor) -> Tensor:
        """Rows [N, D] to what codes are compared with, [N, d]; the rows themselves without a subclass."""
        return rows

    def outward(self, codes: Tensor) -> Tensor:
        """Codes [N, d] to quantized rows [N, D]."""
        return codes

    def table(self) -> Tensor:
        """The codes as they are compared and given out, [K, d]."""
        return self.codebook

    def nearest(self, latents: Tensor, table: Tensor) -> Tensor:
        """Indices int64 [N] of the codes [K, d] that latents [N, d] take."""
        return nearest_code(latents, table)

    def estimate(self, latents: Tensor, codes: Tensor, learns: bool) -> Tensor:
        """Codes [N, d] with a gradient to the latents [N, d].

        ``learns``: whether codes move in this forward pass.
        """
        if self.gradient == "rotation":
            return rotation_trick(quantized=codes, latent=latents)
        return straight_through(quantized=codes, latent=latents)

    def prepare(self, rows: Tensor, weight: Tensor | None = None) -> None:
        if not self.training or self.is_frozen or self.has_started:
            return
        if weight is None or bool(self.are_any(weight)):
            self._start(self.inward(rows).detach(), weight)
            self.batches.clamp_(min=1)  # this batch's ``quantize`` leaves them alone

    @abstractmethod
    def hold(self, codes: Tensor) -> None:
        """Makes ``codebook`` of the initial codes, float32 [K, d]: a parameter or a buffer."""

    @abstractmethod
    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of vectors and their codes, both [N, d], of a table; a scalar, and its terms, detached."""

    @abstractmethod
    def update(
        self, rows: Tensor, codes: Tensor, indices: Tensor, counts: Tensor, weight: Tensor | None
    ) -> Tensor:
        """Counts a training batch in ``batches`` and moves the codes, the same way on every rank.

        Where ``weight`` leaves out the vectors of all ranks it does neither, and asks that of the device.

        Args:
            rows: this rank's vectors, float32 [N, d], detached, N > 0.
            codes: theirs, copies, float32 [N, d], detached.
            indices: of the codes, int64 [N].
            counts: how often this rank chose each code, float32 [K].
            weight: as in ``quantize``.

        Returns:
            The counts over all ranks, float32 [K].
        """

    def search(self, rows: Tensor) -> Tensor:
        return self.nearest(self.inward(rows), self.table())[:, None]

    def look_up(self, indices: Tensor) -> Tensor:
        return self.outward(F.embedding(indices[:, 0], self.table()))

    @property
    def is_frozen(self) -> bool:
        """Whether nothing moves the codes in training: see ``requires_grad_``."""
        learnt = isinstance(self.codebook, nn.Parameter)
        return self._is_frozen or (learnt and not self.codebook.requires_grad)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freezes the codes, or lets them move again, by whatever moves them."""
        self._is_frozen = not requires_grad
        return super().requires_grad_(requires_grad)

    @torch.no_grad()
    def set_codes(self, codes: Tensor) -> None:
        """Replaces the codes by [K, d], e.g. another model's; the first training batch leaves them alone.

        Raises:
            ValueError: another shape.
        """
        if codes.shape != self.codebook.shape:
            raise ValueError(f"codes of shape {list(codes.shape)}: must be {list(self.codebook.shape)}")
        self.put(codes)
        self.batches.clamp_(min=1)

    @torch.no_grad()
    def _start(self, rows: Tensor, weight: Tensor | None) -> None:
        """Makes the codes from the first training batch."""
        if self.has_started:
            return
        self.adopt_set_codes()
        # from the second batch on: the recipe puts the first one back where its loss is not finite
        self.has_started = bool(self.batches > 0)
        if self.has_started:
            self._unstarted = None
        elif self.start == "kmeans":
            self._require_enough(rows, weight)
            self.put(*kmeans(rows, self.num_embeddings, there=weight))
        else:
            self.put(first_codes(rows, self.num_embeddings, weight))

    def _require_enough(self, rows: Tensor, weight: Tensor | None) -> None:
        there = len(rows) * world_size() if weight is None else int(sum_over_ranks(weight.sum()))
        self.require_vectors(there)

    def require_vectors(self, number: int) -> None:
        rule = (
            f"needs as many vectors in the first batch as there are codes, {self.num_embeddings}, and has "
            f"{number}; take start=batch, fewer codes (num_embeddings), or a larger batch"
        )
        is_enough = self.start != "kmeans" or number >= self.num_embeddings
        require(is_enough, f"{self.place}start", self.start, rule)

    @torch.no_grad()
    def adopt_set_codes(self) -> None:
        """Counts codes that somebody copied into ``codebook`` before the first batch as started."""
        if self._unstarted is None or self.codebook.is_meta or bool(self.batches > 0):
            return
        now = self.codebook.cpu().float()
        # within what a cast to half and back leaves of them, they are the ones that nobody set
        if not torch.allclose(now, self._unstarted.float(), rtol=2.0**-7, atol=2.0**-14):
            self.set_codes(self.codebook)

    def put(self, codes: Tensor, counts: Tensor | None = None) -> None:
        """Replaces the codebook by other codes, [K, d], and what the subclass keeps beside it.

        ``counts``: float32 [K], how many vectors of a batch each is the mean of, where that is known.
        """
        self.codebook.copy_(codes)

    def _loading(self, state: Mapping[str, Any], prefix: str) -> None:
        """Notes what a checkpoint says of the codes, before it is loaded."""
        says = [name for name in ("codebook", "batches") if f"{prefix}{name}" in state]
        self._loads_codes_alone, self._loads_start = says == ["codebook"], "batches" in says

    def _loaded(self) -> None:
        self.has_started = False  # a checkpoint may be from before the first batch, or from after it
        if self._loads_start:
            self._unstarted = self.codebook.detach().cpu().clone() if self.batches == 0 else None
        elif self._loads_codes_alone:  # as other programs keep them
            self.set_codes(self.codebook)

    def restart(self, dead: Tensor, rows: Tensor, codes: Tensor, weight: Tensor | None) -> Tensor | None:
        """Puts the codes that are ``dead``, bool [K], onto vectors of this batch.

        These are drawn by their squared error, as k-means++ does (Arthur & Vassilvitskii 2007): drawn evenly,
        most would come from where the vectors, and so the codes, are dense already.

        Returns:
            A vector for every code, float32 [K, d]; None where no code is dead, as far as the host knows.
        """
        if dead.device.type == "cpu" and not dead.any():  # an accelerator would wait for the answer
            return None
        error = (rows - codes).square().sum(1)  # [N]
        fresh = spread_rows(rows, self.num_embeddings, self.batches, weight=error, there=weight)  # [K, d]
        fresh = fresh.to(self.codebook.dtype)
        self.codebook.copy_(torch.where(dead[:, None], fresh, self.codebook))
        self.restarts += dead.sum()
        return fresh


def require_gradient(gradient: str, known: tuple[str, ...]) -> None:
    """Raises OptionError where ``gradient`` is not one of the ``known``."""
    if gradient in known:
        return
    rule = f"must be one of {', '.join(known)}; straight_through is usual"
    if gradient == "diveq":
        rule = f"moves the codes by its own gradient alone, and these move otherwise; take vq, or {known[-1]}"
    raise OptionError("gradient", gradient, rule)


def _adopt(quantizer: CodebookQuantizer, _prefix: str, _keep_vars: bool) -> None:
    quantizer.adopt_set_codes()


def _before_loading(quantizer: CodebookQuantizer, state: Mapping[str, Any], prefix: str, *_: object) -> None:
    quantizer._loading(state, prefix)


def _after_loading(quantizer: CodebookQuantizer, _incompatible_keys: object) -> None:
    quantizer._loaded()
