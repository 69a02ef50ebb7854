"""Quantizers each with one fault, by the check that must name it. Ranks import them by this module's name."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.functional.codes import grid_of, rows_of
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput
from ganvas.model.quantizer.vectorwise import RowsOutput
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


class _EMA(EMAVectorQuantizer):
    def __init__(self) -> None:
        super().__init__(num_embeddings=11, embedding_dim=3)


class _VQ(VectorQuantizer):
    def __init__(self) -> None:
        super().__init__(num_embeddings=11, embedding_dim=3)


class _FSQ(FSQ):
    def __init__(self) -> None:
        super().__init__([5, 4, 3], embedding_dim=3)


class NoStraightThrough(_EMA):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        found = super().quantize(rows, weight)
        return found._replace(quantized=found.quantized.detach())


class ForgottenDetach(_EMA):
    """z + (q - z), whose gradients cancel."""

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        found = super().quantize(rows, weight)
        return found._replace(quantized=rows + (found.quantized.detach() - rows))


class SomeVectorsAlone(_EMA):
    """The gradient reaches every second vector."""

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        found = super().quantize(rows, weight)
        odd = torch.arange(len(rows))[:, None] % 2 == 1
        return found._replace(quantized=torch.where(odd, found.quantized.detach(), found.quantized))


class LearnsInEvalMode(_EMA):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        was, self.training = self.training, True
        found = super().quantize(rows, weight)
        self.training = was
        return found


class OffByOne(_EMA):
    def search(self, rows: Tensor) -> Tensor:
        return (super().search(rows) + 1) % self.num_embeddings


class OffByOneInForward(_FSQ):
    """Counts from 1."""

    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        output = super().forward(z, mask)
        return output._replace(indices=output.indices + 1)


class AnotherTable(_EMA):
    """decode reads running sums, not the codes."""

    def look_up(self, indices: Tensor) -> Tensor:
        return F.embedding(indices[:, 0], self.total)


class LastCodeTwice(_VQ):
    def look_up(self, indices: Tensor) -> Tensor:
        return super().look_up(indices.clamp(max=self.num_embeddings - 2))


class GlobalGenerator(_EMA):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        torch.rand(())
        return super().quantize(rows, weight)


class MaskUnread(_EMA):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        return super().quantize(rows)


class MaskUnreadByTheLoss(_VQ):
    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return super().loss(rows, codes, table, None)


class HidesNaN(_EMA):
    def __init__(self) -> None:
        super().__init__()
        self.register_forward_hook(_hide)


def _hide(_module: nn.Module, _inputs: Any, output: QuantizerOutput) -> QuantizerOutput:
    return output._replace(loss=output.loss.nan_to_num())


class KeepsCodesForItself(_EMA):
    """A checkpoint does not hold the codes."""

    def hold(self, codes: Tensor) -> None:
        self.register_buffer("codebook", codes, persistent=False)


class KeepsANumberInPython(_VQ):
    """What it adds to a loss depends on how many batches it has seen, which no checkpoint holds."""

    seen = 0

    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        self.seen += 1
        loss, losses = super().loss(rows, codes, table, weight)
        return loss * (1 + 1 / self.seen), losses


class SumsItsLoss(_VQ):
    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        loss, losses = super().loss(rows, codes, table, weight)
        return loss * len(rows), losses


class ComparesSilently(_EMA):
    """Vectors are taken relative to their batch."""

    def nearest(self, latents: Tensor, table: Tensor) -> Tensor:
        return super().nearest(latents - latents.mean(0), table)


class NearestInHalf(_EMA):
    def nearest(self, latents: Tensor, table: Tensor) -> Tensor:
        codes = table.bfloat16()
        return (latents.bfloat16() @ codes.T - codes.square().sum(1) / 2).argmax(1)


class FollowsAutocast(_EMA):
    def nearest(self, latents: Tensor, table: Tensor) -> Tensor:
        codes = table.to(latents.dtype)
        return (F.linear(latents, codes) - codes.square().sum(1) / 2).argmax(1)


class MovesWhereFrozen(_EMA):
    """torch's requires_grad_ alone, which running means do not hear of."""

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        nn.Module.requires_grad_(self, requires_grad)
        return self


class CountsNats(_FSQ):
    @property
    def bits_per_vector(self) -> float:
        return super().bits_per_vector * 0.6931


class UsageOfOtherIndices(_EMA):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        found = super().quantize(rows, weight)
        return found._replace(usage=self.usage_of(found.indices // 2, weight))


class TakesAnyChannels(_FSQ):
    """Around the contract of ``Quantizer``."""

    def __call__(self, z: Tensor, mask: Tensor | None = None) -> Any:
        return super().__call__(z[:, :3], mask)


class MetricWithAGradient(_VQ):
    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        loss, losses = super().loss(rows, codes, table, weight)
        return loss, losses | {"commitment_loss": loss}


class SaysItStays(_EMA):
    updates_itself = False


class CutsFromTheFront(_FSQ):
    def cut(self, indices: Tensor, levels: int) -> Tensor:
        return indices[:, levels:]


class TakesAnyIndex(_FSQ):
    """Set after the class was made, and so around the contract."""


def _any_index(quantizer: TakesAnyIndex, indices: Tensor, levels: int | None = None) -> Tensor:
    whole = indices.long().clamp(0, 59)
    return grid_of(quantizer.look_up(rows_of(whole)), (len(whole), *whole.shape[2:]))


TakesAnyIndex.decode = _any_index  # type: ignore[method-assign, assignment]


class TakesAnyIndexAndNone(TakesAnyIndex):
    """The same, by its base."""


class DividesByTheVariance(_VQ):
    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        loss, losses = super().loss(rows, codes, table, weight)
        return loss / rows.detach().var(), losses


class SinglePrecisionAlone(_VQ):
    def look_up(self, indices: Tensor) -> Tensor:
        return super().look_up(indices).float()

    def nearest(self, latents: Tensor, table: Tensor) -> Tensor:
        return super().nearest(latents.float(), table)


class RoundsItsLatents(_VQ):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        return super().quantize(rows.float().to(rows.dtype), weight)


class HalfLoss(_VQ):
    def loss(
        self, rows: Tensor, codes: Tensor, table: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        loss, losses = super().loss(rows, codes, table, weight)
        return loss.half(), losses


class Overflows(_VQ):
    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        found, scaled = super().quantize(rows, weight), 1000 * rows
        return found._replace(quantized=found.quantized.detach() + (scaled - scaled.detach()))


class MeansOfTwoKinds(_VQ):
    def mean(self, values: Tensor, weight: Tensor | None) -> Tensor:
        return super().mean(values, weight) if weight is None else (values * weight[:, None]).sum()


class DropsOddMasks(_FSQ):
    """A mask of another shape is as none."""

    def __call__(self, z: Tensor, mask: Tensor | None = None) -> Any:
        fits = mask is not None and mask.shape == (len(z), *z.shape[2:])
        return super().__call__(z, mask if fits else None)


class StartsByAFlag(_VQ):
    """Whether it has started is known to this object alone."""

    begun = False

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        if self.training and not self.begun and not self.is_frozen:
            self.begun = True
            self.set_codes(rows.detach()[: self.num_embeddings])
        return super().quantize(rows, weight)


class MadeOfNumbers(_FSQ):
    """Looks at a buffer while it is made, which has no numbers on the device meta."""

    def __init__(self) -> None:
        super().__init__()
        self.most = int(self.levels.max())


class DiesOfOneSample(_EMA):
    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        if len(z) == 1:
            raise RuntimeError("Expected more than 1 value per channel when training")
        return super().forward(z, mask)


class RowsByReshape(_EMA):
    """[B, D, *positions] taken for rows of D numbers in the order of memory; masks are refused."""

    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        if mask is not None:
            raise ValueError("a mask")
        output = super().forward(_scrambled(z))
        return output._replace(quantized=_scrambled(output.quantized, back=True))

    def encode(self, z: Tensor) -> Tensor:
        return super().encode(_scrambled(z))

    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:
        return _scrambled(super().decode(indices), back=True)


def _scrambled(z: Tensor, back: bool = False) -> Tensor:
    if back:
        return rows_of(z).reshape(z.shape)
    return grid_of(z.reshape(-1, z.shape[1]), (z.shape[0], *z.shape[2:]))


class WarmsUpInPython(_VQ):
    """Other losses from a batch on that no checkpoint knows of."""

    batch = 0

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        self.batch += self.training
        found = super().quantize(rows, weight)
        return found._replace(loss=found.loss * (1 if self.batch < 1000 else 2))


class KeepsAHistory(_FSQ):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[Tensor] = []

    def quantize(self, rows: Tensor, weight: Tensor | None = None) -> RowsOutput:
        found = super().quantize(rows, weight)
        self.history.append(found.indices)
        return found


class CountsWhatItEncodes(_EMA):
    def search(self, rows: Tensor) -> Tensor:
        if self.training:
            self.batches += 1
        return super().search(rows)


class DecodesOtherwiseInTraining(_VQ):
    def look_up(self, indices: Tensor) -> Tensor:
        return super().look_up(indices) * (0.5 if self.training else 1)


class EachRankAlone(_VQ):
    """Codes start at this rank's own vectors."""

    @torch.no_grad()
    def _start(self, rows: Tensor, weight: Tensor | None) -> None:
        if self.batches == 0:
            self.put(rows_of(rows)[: self.num_embeddings])
        self.has_started = True


FAULTS: dict[type[Quantizer], tuple[str, ...]] = {
    NoStraightThrough: ("the_gradient_reaches_the_encoder",),
    ForgottenDetach: ("the_gradient_reaches_the_encoder",),
    SomeVectorsAlone: ("the_gradient_reaches_the_encoder",),
    LearnsInEvalMode: ("eval_mode_leaves_the_state_alone", "torch_func_differentiates_it"),
    OffByOne: ("encode_and_decode_are_the_halves", "codes_encode_to_themselves", "every_float_type"),
    OffByOneInForward: ("shapes_and_types", "a_mask_leaves_vectors_out"),
    AnotherTable: ("encode_and_decode_are_the_halves",),
    LastCodeTwice: ("every_code_has_its_vector",),
    GlobalGenerator: ("global_generators_are_left_alone",),
    MaskUnread: ("a_mask_leaves_vectors_out", "an_empty_mask_teaches_nothing"),
    MaskUnreadByTheLoss: ("a_mask_leaves_vectors_out",),
    HidesNaN: ("what_is_not_finite_shows",),
    KeepsCodesForItself: ("a_checkpoint_holds_all",),
    KeepsANumberInPython: ("a_checkpoint_holds_all",),
    SumsItsLoss: ("parts_of_a_batch_add_up",),
    ComparesSilently: ("a_batch_of_one",),
    NearestInHalf: ("the_nearest_code_in_float64",),
    FollowsAutocast: ("autocast_changes_no_code",),
    MovesWhereFrozen: ("frozen_codes_stay",),
    CountsNats: ("sizes_and_bits",),
    UsageOfOtherIndices: ("usage_of_every_level",),
    TakesAnyChannels: ("other_channels_are_refused", "what_are_no_latents_is_refused"),
    MetricWithAGradient: ("shapes_and_types",),
    SaysItStays: ("what_it_says_of_itself",),
    CutsFromTheFront: ("decode_can_be_cut_short",),
    TakesAnyIndex: ("indices_out_of_range_are_refused", "only_whole_numbers_are_indices"),
    TakesAnyIndexAndNone: ("no_code_decodes_to_zeros",),
    DividesByTheVariance: ("constant_input",),
    SinglePrecisionAlone: ("codes_have_the_type_of_the_module",),
    RoundsItsLatents: ("a_double_is_not_rounded",),
    HalfLoss: ("every_float_type",),
    Overflows: ("large_numbers_are_finite",),
    MeansOfTwoKinds: ("a_full_mask_is_none",),
    DropsOddMasks: ("a_mask_of_another_shape_is_refused",),
    StartsByAFlag: ("a_checkpoint_from_before_the_first_batch",),
    MadeOfNumbers: ("a_quantizer_without_storage_has_a_state",),
    DiesOfOneSample: ("a_batch_of_one",),
    RowsByReshape: ("the_nearest_code_in_float64",),
    WarmsUpInPython: ("a_checkpoint_holds_all",),
    KeepsAHistory: ("a_checkpoint_holds_all",),
    CountsWhatItEncodes: ("eval_mode_leaves_the_state_alone",),
    DecodesOtherwiseInTraining: ("eval_mode_leaves_the_state_alone",),
}
