"""Use counted by hand; what codes decode to against sums of code vectors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.callback.drawing.codes import Codes, decode_codes, measure_use
from ganvas.functional.batch import Batch
from ganvas.model.interface import has_codes
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput

CPU = torch.device("cpu")


class Sums(Quantizer):
    """A vector is the sum of a code of each level: of level i code k stands for (10^i k, i)."""

    levels_may_be_absent = True
    codebook_sizes, embedding_dim = (4, 3), 2

    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        raise NotImplementedError

    def encode(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0].long() % 10, z[:, 0].long() // 10], dim=1)

    def decode(self, indices: Tensor) -> Tensor:  # type: ignore[override]
        terms = [
            torch.stack([10**i * one.float(), torch.full_like(one, i).float()], 1)
            for i, one in enumerate(indices.unbind(1))
        ]
        return torch.stack(terms).sum(0)


class Rows(Sums):
    """The same, but that no level may be left out."""

    @property
    def num_cuts(self) -> int:
        return 1

    def cut(self, indices: Tensor, levels: int) -> Tensor:
        return indices


class Model(nn.Module):
    """Samples are what the quantizer decodes, over 100."""

    def __init__(self, quantizer: Quantizer) -> None:
        super().__init__()
        self.quantizer, self.codebook_sizes = quantizer, getattr(quantizer, "codebook_sizes", ())

    def reconstruct(self, x: Tensor) -> Any: ...

    def encode(self, x: Tensor) -> Tensor:
        return self.quantizer.encode((x * 100).round())

    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:
        return self.quantizer.decode(indices, levels) / 100


def batches(*values: list[list[int]]) -> list[Batch]:
    """Each of [B, positions] values as latents [B, 2, positions] over 100."""
    rows = [torch.tensor(one, dtype=torch.float32) / 100 for one in values]
    return [Batch(torch.stack([one, torch.zeros_like(one)], dim=1), None) for one in rows]


def test_use_is_counted_over_batches_and_positions() -> None:
    use = measure_use(Codes(Model(Sums())), batches([[21, 1], [11, 13]], [[1, 23]]), CPU)
    assert [one.tolist() for one in use.counts] == [[0, 4, 0, 2], [2, 2, 2]]
    assert [one.tolist() for one in use.usual] == [[[[1, 1], [0, 0]]]]
    assert use.samples == 3


@pytest.mark.parametrize("batch_size", [1, 64])
def test_a_code_is_decoded_with_the_levels_before_it_alone(batch_size: int) -> None:
    model = Codes(Model(Sums()))
    use = measure_use(model, batches([[21, 1], [11, 21]]), CPU)  # usual are 1 and 2
    first = decode_codes(model, use, 0, torch.tensor([3, 0]), batch_size=batch_size)
    assert first.vectors.tolist() == [[3, 0], [0, 0]]
    assert torch.equal(first.x, first.vectors[:, :, None].expand(-1, -1, 2) / 100)
    second = decode_codes(model, use, 1, torch.tensor([0, 1, 2]), batch_size=batch_size)
    assert second.vectors.tolist() == [[1, 1], [11, 1], [21, 1]]


def test_levels_that_cannot_be_left_out_hold_their_usual_code() -> None:
    model = Codes(Model(Rows()))
    use = measure_use(model, batches([[21, 1], [11, 21]]), CPU)
    assert decode_codes(model, use, 0, torch.tensor([3, 0])).vectors.tolist() == [[23, 1], [20, 1]]


class Pyramid(nn.Module):
    """Two sizes: the top's code k is 100 k, the bottom's k."""

    def __init__(self) -> None:
        super().__init__()
        self.quantizers, self.codebook_sizes = nn.ModuleList([Sums(), Sums()]), (4, 3, 4, 3)

    def decode(self, codes: tuple[Tensor, ...]) -> Tensor:
        return sum(
            scale * self.quantizers[0].decode(one)[:, :, :1]
            for scale, one in zip((100, 1), codes, strict=False)
        )


class OfSizes(Model):
    def __init__(self) -> None:
        super().__init__(Pyramid())  # type: ignore[arg-type]

    def encode(self, x: Tensor) -> Any:
        top = super_encode(x[:, :, :1])
        return top, super_encode(x)

    def decode(self, codes: Any) -> Tensor:  # type: ignore[override]
        made: Tensor = self.quantizer.decode(codes) / 1000
        return made


def super_encode(x: Tensor) -> Tensor:
    return Sums().encode((x * 100).round())


def test_levels_count_through_codes_of_several_sizes() -> None:
    model = OfSizes()
    assert has_codes(model)
    codes = Codes(model)
    use = measure_use(codes, batches([[21, 3], [21, 3]]), CPU)
    assert [one.tolist() for one in use.counts] == [[0, 2, 0, 0], [0, 0, 2], [0, 2, 0, 2], [2, 0, 2]]
    assert [one.tolist() for one in use.usual] == [[[[1], [2]]], [[[1, 1], [0, 0]]]]
    top = decode_codes(codes, use, 0, torch.tensor([3, 0]))  # with the top's other level, without the bottom
    assert top.vectors.tolist() == [[2300, 100], [2000, 100]]
    bottom = decode_codes(codes, use, 3, torch.tensor([2, 0]))
    assert bottom.vectors.tolist() == [[2121, 101], [2101, 101]]
    assert torch.equal(bottom.x[..., 0], bottom.vectors / 1000)


def test_a_recipe_whose_quantizer_keeps_no_contract_has_no_codes() -> None:
    assert has_codes(Model(Sums()))
    foreign = Model(nn.Linear(2, 2))  # type: ignore[arg-type]
    assert not has_codes(foreign)
