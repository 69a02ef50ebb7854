"""What every recipe that learns the distribution of a tokenizer's codes can do, however it is trained."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from ganvas.errors import OptionError, require
from ganvas.functional.batch import Batch
from ganvas.functional.latents import drawn_labels
from ganvas.functional.modes import eval_mode
from ganvas.functional.next_code import Drawing, DrawnStep
from ganvas.functional.precision import widened
from ganvas.functional.random import Draws
from ganvas.model.ema.interface import WeightAverage
from ganvas.model.prior.interface import Prior
from ganvas.model.symbols import Symbols
from ganvas.model.tokenizer import Tokenizer
from ganvas.model.training.recipe import Recipe


class CodeModel(Recipe):
    """A prior over the codes of a trained autoencoder: it makes new samples, and says how likely codes are.

    Batches of training are codes (``data=codes``): ``x`` int64 [B, N]. Samples are what the tokenizer decodes
    of codes that were drawn.

    Args:
        prior: makes the network of ``layout`` and ``num_classes`` (see the part's interface).
        tokenizer: the autoencoder; of ``data=codes data.tokenizer=RUN``. Of data that are symbols these
            themselves (:class:`ganvas.model.symbols.Symbols`), e.g. of ``data=text_files``.
        conditional: codes are learnt, and samples asked for, by class.
        label_dropout: probability with which a training sample's class is left out, for guidance.
        ema: average of the prior's weights that samples and likelihoods use, or None.
        optimizer: parameters to a torch optimizer.
        grad_clip: largest gradient norm, or None.
        temperature, top_k, top_p, guidance: how samples are drawn where nothing else is asked for (see
            :class:`ganvas.functional.next_code.Drawing`).
        seed: the run's seed.

    Raises:
        OptionError: no tokenizer; classes of data that have none; a ``label_dropout`` that is no probability;
            a prior that sees later codes, or one that does not where all must be seen.
    """

    causal: ClassVar[bool] = True  # whether its network sees earlier codes alone
    _needs_all = "sees earlier codes alone; model/prior=transformer model.prior.causal=false sees all"
    reports: ClassVar[tuple[str, ...]] = (
        *("loss/nats_per_code", "gradient_norm/prior", "learning_rate/prior", "schedule/"),
        *("validation/nats_per_code", "validation/bits_per_dim"),
    )

    def __init__(
        self,
        *,
        prior: Callable[..., Prior],
        tokenizer: Tokenizer | Symbols | None = None,
        conditional: bool,
        label_dropout: float,
        ema: WeightAverage | None,
        optimizer: Callable[[Any], Optimizer],
        grad_clip: float | None,
        temperature: float,
        top_k: int | None,
        top_p: float,
        guidance: float,
        seed: int,
    ) -> None:
        super().__init__(seed=seed)
        rule = "learns codes; choose data=codes data.tokenizer=RUN, or data of symbols: data=text_files"
        if tokenizer is None:
            raise OptionError("_target_", f"{type(self).__module__}.{type(self).__name__}", rule)
        require(0 <= label_dropout < 1, "label_dropout", label_dropout, "must be in [0, 1); 0.1 is usual")
        classes = tokenizer.num_classes if conditional else None
        rule = "asks for classes, and the tokenizer's data have no labels; model.conditional=false"
        require(not conditional or classes is not None, "conditional", conditional, rule)
        guided = guidance == 1 or (conditional and label_dropout > 0)
        rule = "needs model.conditional=true and model.label_dropout above 0; 1 is no guidance"
        require(guided, "guidance", guidance, rule)
        self.num_classes: int | None = classes if conditional else None
        self.label_dropout = label_dropout if conditional else 0.0
        self.tokenizer = tokenizer
        try:
            self.prior = prior(layout=tokenizer.layout, num_classes=self.num_classes)
        except OptionError as error:
            raise error.under("prior") from error
        require(isinstance(self.prior, Prior), "prior", type(self.prior).__name__, "must make a Prior")
        rule = "sees later codes; model=masked takes it" if self.causal else self._needs_all
        require(self.prior.causal == self.causal, "prior", type(self.prior).__name__, rule)
        self.ema = ema
        self.drawing = Drawing(temperature, top_k, top_p, guidance)
        self.add_optimizer("prior", optimizer, ["prior"], grad_clip=grad_clip, average=ema)

    def rests_on(self) -> dict[str, object]:
        return {"tokenizer": self.tokenizer.sha256}

    def network(self, *, ema: bool = True) -> Prior:
        """The prior, or where there is one its average."""
        averaged: Any = self.ema.average if ema and self.ema is not None else self.prior
        found: Prior = averaged
        return found

    def labels_for_training(self, batch: Batch, draws: Draws) -> Tensor | None:
        """The classes int64 [B] of a batch, some of them ``num_classes``, which is none; None without."""
        if self.num_classes is None or batch.label is None:
            return None
        if not self.label_dropout:
            return batch.label
        left_out = draws.uniform("label_dropout", len(batch.x)) < self.label_dropout
        return batch.label.masked_fill(left_out, self.num_classes)

    def sample_labels(self, num: int, seed: int, *, start: int = 0) -> Tensor | None:
        """The classes int64 [num] that these samples are asked for; None where they are not."""
        return drawn_labels(self.num_classes, num, seed, start=start, device=self.device)

    def sample(
        self,
        num: int,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        truncation: float | None = None,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> Tensor:
        """See :class:`ganvas.model.interface.DrawsCodes`; in [-1, 1].

        Raises:
            OptionError: ``truncation``, which is of latents.
        """
        require(truncation is None, "truncation", truncation, "is of latents; a prior takes a temperature")
        codes = self.draw(num, seed, ema=ema, start=start, label=label, drawing=drawing)
        return self.tokenizer.decode(codes)

    @torch.no_grad()
    def draw(
        self,
        num: int,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> Tensor:
        """The codes int64 [num, N] of samples start, start + 1, ...

        Args:
            label: classes int64 [num]; drawn by the seed without, where the prior has classes.
            drawing: how; the recipe's own without.

        Raises:
            OptionError: a ``drawing`` that this model cannot do.
        """
        drawing, label = self.drawing_and_label(num, seed, start, label, drawing)
        return self._drawn(self.all_hidden(num), seed, start, label, drawing, ema=ema)

    @torch.no_grad()
    def complete(
        self,
        codes: Tensor,
        known: Tensor,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> Tensor:
        """Codes int64 [B, N] of which those that are known stay, and the others are drawn given them.

        Args:
            codes: int64 [B, N]; where they are not known anything may stand.
            known: bool [N], the same for all.
            seed: completion number ``start + b`` is a function of (seed, its number), its known codes and
                its class alone.
            label: classes int64 [B]; drawn by the seed without, where the prior has classes.
            drawing: how; the recipe's own without.

        Raises:
            OptionError: a ``drawing`` or ``known`` that this model cannot do.
            ValueError: known codes that the tokenizer does not have, or shapes that do not fit.
        """
        codes, drawing, label = self._asked(codes, known, seed, start, label, drawing)
        return self._drawn(codes, seed, start, label, drawing, ema=ema)

    @torch.no_grad()
    def complete_in_steps(
        self,
        codes: Tensor,
        known: Tensor,
        seed: int,
        *,
        ema: bool = True,
        start: int = 0,
        label: Tensor | None = None,
        drawing: Drawing | None = None,
    ) -> Iterator[DrawnStep]:
        """As :meth:`complete`, what stands after each step; the last one's codes are what that gives.

        Raises:
            OptionError, ValueError: as :meth:`complete`, when the first step is asked for.
        """
        codes, drawing, label = self._asked(codes, known, seed, start, label, drawing)
        network = self.network(ema=ema)
        with eval_mode(network):
            yield from self.drawn_steps(network, codes.to(self.device), seed, start, label, drawing)

    def _asked(
        self,
        codes: Tensor,
        known: Tensor,
        seed: int,
        start: int,
        label: Tensor | None,
        drawing: Drawing | None,
    ) -> tuple[Tensor, Drawing, Tensor | None]:
        """The codes with those hidden that are not known; how, and of which classes, the others are drawn."""
        drawing, label = self.drawing_and_label(len(codes), seed, start, label, drawing)
        layout = self.tokenizer.layout
        if known.dtype != torch.bool or known.shape != (layout.length,):
            raise ValueError(f"known is {known.dtype} {tuple(known.shape)}: must be bool [{layout.length}]")
        self.check_known(known)
        known = known.to(codes.device)
        layout.require_codes(codes.where(known, torch.zeros_like(codes)))
        return codes.masked_fill(~known, layout.vocabulary), drawing, label

    def drawing_and_label(
        self, num: int, seed: int, start: int, label: Tensor | None, drawing: Drawing | None
    ) -> tuple[Drawing, Tensor | None]:
        """How samples are drawn, and of which classes int64 [num] on the device: as asked, else the recipe's.

        Raises:
            OptionError: a ``drawing`` that this model cannot do.
        """
        drawing = self.drawing if drawing is None else drawing
        self.check_drawing(drawing)
        if label is None:
            return drawing, self.sample_labels(num, seed, start=start)
        return drawing, label.to(self.device)

    def all_hidden(self, num: int) -> Tensor:
        """Codes int64 [num, N] of which none is known."""
        layout = self.tokenizer.layout
        return torch.full((num, layout.length), layout.vocabulary, device=self.device)

    def _drawn(
        self, codes: Tensor, seed: int, start: int, label: Tensor | None, drawing: Drawing, *, ema: bool
    ) -> Tensor:
        network = self.network(ema=ema)
        with eval_mode(network):
            return self.drawn(network, codes.to(self.device), seed, start, label, drawing)

    def check_known(self, known: Tensor) -> None:
        """Raises OptionError where codes cannot be drawn given those that are ``known``, bool [N]."""

    def check_drawing(self, drawing: Drawing) -> None:
        """Raises OptionError for a way of drawing that this model does not have."""
        guided = drawing.guidance == 1 or self.label_dropout > 0
        rule = "needs a prior with classes that was trained with label_dropout; 1 is no guidance"
        require(guided, "guidance", drawing.guidance, rule)

    def drawn(
        self, network: Prior, codes: Tensor, seed: int, start: int, label: Tensor | None, drawing: Drawing
    ) -> Tensor:
        """The codes int64 [num, N] of the last of :meth:`drawn_steps`."""
        for step in self.drawn_steps(network, codes, seed, start, label, drawing):
            codes = step.codes
        return codes

    @abstractmethod
    def drawn_steps(
        self, network: Prior, codes: Tensor, seed: int, start: int, label: Tensor | None, drawing: Drawing
    ) -> Iterator[DrawnStep]:
        """What stands after each step, one at least, by this network, which is in eval mode.

        A step may change what the one before gave; what is to be kept is copied.

        Args:
            codes: int64 [num, N]; ``layout.vocabulary`` where a code is to be drawn, at the same places in
                each row. The others stay.
        """

    @abstractmethod
    def nats(self, network: Prior, codes: Tensor, label: Tensor | None, number: Tensor) -> Tensor:
        """-log p of codes [B, N], float32 [B], by this network, which is in eval mode.

        Args:
            number: int64 [B], each sample's number, of which what is drawn for an estimate is a function.
        """

    @torch.no_grad()
    def bits(self, codes: Tensor, label: Tensor | None, *, start: int = 0, ema: bool = True) -> Tensor:
        """Bits [B] in which the prior says the codes int64 [B, N]; of a masked model an upper bound.

        Args:
            label: classes int64 [B]; ignored by a prior without.
            start: number of the first sample.
        """
        network, own = self.network(ema=ema), None if self.num_classes is None else label
        number = torch.arange(start, start + len(codes), device=codes.device)
        with eval_mode(network):
            return self.nats(network, codes, own, number) / math.log(2)

    def validation_sums(self, batch: Batch) -> dict[str, Tensor]:
        return {"bits": widened(self.bits(batch.x, batch.label)).sum()}

    def validation_metrics(self, sums: Mapping[str, Tensor], count: int) -> dict[str, float]:
        return self.describe_bits(sums["bits"].item() / count)

    def describe_bits(self, bits: float) -> dict[str, float]:
        """A mean of bits a sample, by the names under which it is reported.

        ``bits_per_dim`` divides by the values of a sample (Theis 2016, arXiv:1511.01844); it counts the codes
        alone, so that it says something beside the decoder's PSNR only.
        """
        return {
            "bits_per_dim": bits / math.prod(self.tokenizer.sample_shape),
            "nats_per_code": bits * math.log(2) / self.tokenizer.layout.length,
        }


def nats_of(logits: Tensor, codes: Tensor) -> Tensor:
    """-log p of each code, at least float32 [B, N], by logits [B, N, V]."""
    half = logits.dtype in (torch.float16, torch.bfloat16)
    return cross_entropy((logits.float() if half else logits).transpose(1, 2), codes, reduction="none")


def guide(by_class: Tensor, without: Tensor, guidance: float) -> Tensor:
    """u + s (c - u) of logits; -inf where a level has no such code (Ho & Salimans 2022, equation 6)."""
    there = by_class > -torch.inf
    mixed = without + guidance * (by_class - without).where(there, by_class.new_zeros(()))
    return mixed.where(there, by_class.new_full((), -torch.inf))
