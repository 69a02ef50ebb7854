"""Autoencoders of every layout in the hands of a user; quality and bits by hand."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from digit_tokenizers import tokenizer

from ganvas.errors import OptionError
from ganvas.functional.colours import code_colours
from ganvas.functional.images import to_float
from ganvas.model.autoregressive import Autoregressive
from ganvas.model.optimizer.adam import adam
from ganvas.model.prior.transformer import TransformerPrior
from ganvas.play.work.autoencoder import Autoencoder
from ganvas.play.work.codes import cells_of, levels_of, moved, paint

KINDS = ("row", "grid", "residual", "pyramid")


def desk(kind: str = "grid") -> tuple[Autoencoder, Any]:
    made = tokenizer(kind)
    return Autoencoder(made.recipe, made.data, "RUN"), made


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_goes_through_its_codes_as_through_the_model(kind: str) -> None:
    bench, own = desk(kind)
    picture = bench.source.take("test", 3)
    expected = own.data.split("test")
    assert torch.equal(picture.x, to_float(expected.x[3]))
    assert picture.label == int(expected.label[3])
    maps = bench.encode(picture.x)
    made = own.recipe.reconstruct(picture.x[None])
    assert torch.allclose(bench.decode(maps), made.x[0], atol=1e-6)
    for level, indices in zip(bench.levels, made.indices, strict=True):
        assert torch.equal(cells_of(maps, level).flatten(), indices[0].flatten())
        colours = bench.colours(maps, level)
        assert colours.shape == (3, level.rows, level.columns)
        assert torch.equal(colours[:, 0, 0], code_colours(cells_of(maps, level)[0, 0], level.size))
    assert bench.levels == levels_of(own.layout)


@pytest.mark.parametrize("kind", KINDS)
def test_a_painted_code_changes_what_is_decoded(kind: str) -> None:
    bench, _ = desk(kind)
    maps = bench.encode(bench.source.take("test", 0).x)
    level = bench.levels[-1]
    new = (int(cells_of(maps, level)[0, 0]) + 1) % level.size
    painted = paint(maps, level, [(0, 0)], new)
    assert not torch.equal(bench.decode(painted), bench.decode(maps))
    same = bench.everywhere(maps, level, new)
    cells = [(row, column) for row in range(level.rows) for column in range(level.columns)]
    assert torch.equal(same, bench.decode(paint(maps, level, cells, new)))


@pytest.mark.parametrize(("kind", "cuts"), [("residual", 2), ("pyramid", 2)])
def test_first_parts_decode_alone(kind: str, cuts: int) -> None:
    bench, own = desk(kind)
    maps = bench.encode(bench.source.take("test", 1).x)
    assert bench.num_cuts == cuts
    last = bench.levels[-1]
    other = paint(maps, last, [(0, 0)], (int(cells_of(maps, last)[0, 0]) + 1) % last.size)
    assert moved(maps, other, last) == 1
    assert torch.equal(bench.decode(maps, cuts), bench.decode(maps))
    assert torch.equal(bench.decode(maps, 1), bench.decode(other, 1))  # the last part is left out
    assert not torch.equal(bench.decode(maps, 1), bench.decode(maps))
    levels = bench.levels[:-1] if kind == "residual" else [one for one in bench.levels if one.map == 0]
    first = sum(one.rows * one.columns * math.log2(one.size) for one in levels)
    assert bench.bits(maps, cut=1) == (first, None, False, None)
    assert bench.bits(maps, cut=cuts).fixed == own.layout.bits > first


def test_quality_is_that_of_the_image() -> None:
    bench, _ = desk()
    x = bench.source.take("test", 0).x
    off = (x * 0.9).clamp(-1, 1)
    mse = ((x - off) / 2).double().square().mean().item()
    found = bench.quality(x, off)
    assert list(found) == ["psnr", "ssim"]
    assert found["psnr"] == pytest.approx(-10 * math.log10(mse), abs=1e-5)
    assert 0.5 < found["ssim"] < 1
    assert bench.quality(x, x) == {"psnr": math.inf, "ssim": pytest.approx(1)}


def prior_over(kind: str = "grid", **options: Any) -> tuple[Autoregressive, Any]:
    made = tokenizer(kind)
    torch.manual_seed(5)
    own: dict[str, Any] = {
        **{"prior": partial(TransformerPrior, width=16, depth=1, heads=2), "tokenizer": made},
        **{"conditional": True, "label_dropout": 0.1, "ema": None, "grad_clip": None, "seed": 3},
        **{"temperature": 1.0, "top_k": None, "top_p": 1.0, "guidance": 1.0},
        "optimizer": partial(adam, lr=1e-3),
    }
    model = Autoregressive(**(own | options))
    for parameter in model.prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval(), made


def test_bits_are_those_of_equal_codes_and_of_the_prior_by_class() -> None:
    bench, own = desk()
    maps = bench.encode(bench.source.take("test", 2).x)
    assert bench.bits(maps) == (4 * math.log2(16), None, False, None)
    model, own = prior_over()
    bench = Autoencoder(model, own.data, "RUN")
    codes = own.layout.flatten(maps[0][None])
    for label in (None, 4, 7):
        expected = model.bits(codes, None if label is None else torch.tensor([label]))
        assert bench.bits(maps, label).prior == pytest.approx(float(expected))
    assert bench.bits(maps, 4) != bench.bits(maps, 7)
    model, own = prior_over(label_dropout=0.0)
    assert Autoencoder(model, own.data, "RUN").bits(maps).prior is None  # it knows no image without a class


def test_refusals_are_one_line() -> None:
    bench, own = desk()
    with pytest.raises(OptionError, match="number"):
        bench.source.take("test", -1)
    with pytest.raises(OptionError, match="take one from 0 to"):
        bench.source.take("test", 10**6)
    with pytest.raises(OptionError, match="has no codes"):
        Autoencoder(object(), own.data, "RUN")
    assert bench.source.upload("a.png", _png()).x.shape == (1, 8, 8)


def _png() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (30, 20), (9, 200, 3)).save(file, "PNG")
    return file.getvalue()
