"""Codes to files and back: round trips, length, processes, foreign models."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy_prior import ToyPrior

from ganvas.codec.account import account, model_hash
from ganvas.codec.codes import decode_codes, encode_codes
from ganvas.codec.container import Coder, parse, read_container, write_container
from ganvas.errors import OptionError
from ganvas.functional.code_layout import CodeLayout

pytest.importorskip("constriction", reason="the extra ganvas[codec] is not installed")

MODEL = bytes(range(16))
GRID = CodeLayout(((11,),), ((3, 4),))
DEEP = CodeLayout(((5, 9), (300,)), ((2, 2), (3,)))


def codes_of(layout: CodeLayout, images: int, seed: int) -> Tensor:
    draws = np.random.default_rng(seed)
    sizes = layout.element_sizes().numpy()
    return torch.from_numpy(draws.integers(0, sizes, (images, len(sizes))))


def random_case(seed: int) -> tuple[CodeLayout, Tensor, ToyPrior | None, dict]:
    """A layout, codes, a prior or none, and options."""
    draws = np.random.default_rng(seed)
    maps = int(draws.integers(1, 3))
    sizes = tuple(
        tuple(int(size) for size in draws.integers(2, 2 + int(draws.integers(1, 60)), draws.integers(1, 4)))
        for _ in range(maps)
    )
    at = tuple(tuple(int(side) for side in draws.integers(1, 4, draws.integers(0, 3))) for _ in range(maps))
    layout, images = CodeLayout(sizes, at), int(draws.integers(1, 12))
    classes = [None, 3, 10][draws.integers(0, 3)]
    prior = ToyPrior(layout, classes, seed, float(draws.uniform(0, 8))) if draws.random() < 0.6 else None
    options: dict = {"sizes": [(int(h), int(w)) for h, w in draws.integers(1, 40, (images, 2))]}
    if draws.random() < 0.5:
        options["sizes"] = options["sizes"][:1]
    if classes and draws.random() < 0.7:
        options |= {"label": torch.from_numpy(draws.integers(0, classes + 1, images)), "num_classes": classes}
    if draws.random() < 0.5:
        options["block"] = int(draws.integers(1, 6))
    options |= {"channels": int(draws.integers(1, 4)), "are_counted": bool(draws.random() < 0.7)}
    return layout, codes_of(layout, images, seed), prior, options


def round_trips(seed: int) -> None:
    layout, codes, prior, options = random_case(seed)
    content = encode_codes(codes, layout=layout, model=MODEL, prior=prior, **options).to_bytes()
    found = decode_codes(parse(content), layout=layout, model=MODEL, prior=prior)
    assert torch.equal(found.codes, codes), seed
    label = options.get("label")
    assert found.label is None if label is None else torch.equal(found.label, label), seed
    sizes = options["sizes"]
    assert found.sizes == (sizes * len(codes) if len(sizes) == 1 else sizes), seed
    assert content == encode_codes(codes, layout=layout, model=MODEL, prior=prior, **options).to_bytes()


def test_random_codes_come_back() -> None:
    for seed in range(60):
        round_trips(seed)


@pytest.mark.slow
def test_a_thousand_random_files_come_back() -> None:
    for seed in range(1000, 2000):
        round_trips(seed)


@pytest.mark.parametrize("classes", [None, 4])
def test_the_stream_is_as_long_as_the_models_entropy_says(classes: int | None) -> None:
    layout = CodeLayout(((64,),), ((4, 4),))
    prior = ToyPrior(layout, classes).double()
    label = None if classes is None else torch.arange(400) % classes
    codes, bits = prior.sample(400, label)
    file = encode_codes(
        codes, layout=layout, model=MODEL, sizes=[(28, 28)], prior=prior, label=label, block=400
    )
    bits += 0 if classes is None else 400 * np.log2(classes + 1)
    found = account(file)
    assert bits - 64 < found.codes < bits * 1.01 + 64
    assert found.header < 8 * 64
    assert found.dimensions == 400 * 784
    assert found.header + found.codes == 8 * len(file.to_bytes())
    assert found.bits_per_dim == pytest.approx(8 * len(file.to_bytes()) / 400 / 784)


def test_a_prior_is_told_the_label() -> None:
    prior = ToyPrior(GRID, 3, sharpness=8.0)
    label = torch.arange(200) % 3
    codes, _ = prior.sample(200, label)
    kept = {"layout": GRID, "model": MODEL, "sizes": [(8, 8)], "prior": prior}
    told = account(encode_codes(codes, label=label, **kept))
    assert told.codes < 0.9 * account(encode_codes(codes, **kept)).codes


def test_a_header_is_small() -> None:
    one = encode_codes(codes_of(DEEP, 1, 0), layout=DEEP, model=MODEL, sizes=[(28, 28)], prior=ToyPrior(DEEP))
    assert account(one).header < 8 * 64
    many = encode_codes(
        codes_of(GRID, 10_000, 0), layout=GRID, model=MODEL, sizes=[(28, 28)], are_counted=False
    )
    assert account(many).header < 8 * 64
    assert account(many).codes == pytest.approx(10_000 * GRID.bits, abs=64)


def test_counts_learn_what_comes_often_and_what_lies_beside_it() -> None:
    draws = np.random.default_rng(0)
    rows = draws.integers(0, 11, (600, 1)).repeat(12, axis=1)  # all codes of an image alike
    rows = np.where(draws.random(rows.shape) < 0.1, draws.integers(0, 11, rows.shape), rows)
    file = encode_codes(torch.from_numpy(rows), layout=GRID, model=MODEL, sizes=[(8, 8)])
    assert file.coder is Coder.COUNTS
    assert account(file).codes < 0.6 * 600 * GRID.bits
    noise = encode_codes(codes_of(GRID, 600, 1), layout=GRID, model=MODEL, sizes=[(8, 8)])
    assert 0.99 * 600 * GRID.bits < account(noise).codes < 1.05 * 600 * GRID.bits


class Noisy(ToyPrior):
    """The prior on another machine: its logits differ in their last bits."""

    noise = 1e-12

    def following(self, state: list, previous: Tensor | None) -> Tensor:
        logits = super().following(state, previous)
        return logits + self.noise * torch.randn_like(logits)


def test_float_noise_changes_nothing() -> None:
    prior, elsewhere = ToyPrior(GRID), Noisy(GRID)
    codes, _ = prior.sample(500)
    kept = {"layout": GRID, "model": MODEL}
    file = encode_codes(codes, sizes=[(8, 8)], prior=prior, **kept)
    assert torch.equal(decode_codes(file, prior=elsewhere, **kept).codes, codes)
    assert encode_codes(codes, sizes=[(8, 8)], prior=elsewhere, **kept) == file


class OnAnEdge(ToyPrior):
    """Logits on the very edge of the unmoved grid."""

    def following(self, state: list, previous: Tensor | None) -> Tensor:
        logits = super().following(state, previous)
        return (logits * 16).round() / 16 + 1 / 32 + self.noise * torch.randn_like(logits)

    noise = 0.0


def test_a_block_on_an_edge_gets_another_shift_of_the_grid() -> None:
    prior, elsewhere = OnAnEdge(GRID), OnAnEdge(GRID)
    elsewhere.noise = 1e-12
    codes, _ = prior.sample(100)
    kept = {"layout": GRID, "model": MODEL}
    file = encode_codes(codes, sizes=[(8, 8)], prior=prior, **kept)
    assert file.blocks[0].shift != 0
    assert torch.equal(decode_codes(parse(file.to_bytes()), prior=elsewhere, **kept).codes, codes)
    unmoved = replace(file, blocks=[replace(file.blocks[0], shift=0)])
    with pytest.raises(ValueError, match=r"CRC of block 0|other probabilities"):
        decode_codes(unmoved, prior=elsewhere, **kept)


def test_another_model_is_refused_by_name() -> None:
    prior, codes = ToyPrior(GRID), codes_of(GRID, 5, 0)
    file = encode_codes(codes, layout=GRID, model=MODEL, sizes=[(8, 8)], prior=prior)
    with pytest.raises(ValueError, match="another model: 0001"):
        decode_codes(file, layout=GRID, model=bytes(16), prior=prior)
    with pytest.raises(ValueError, match="with a prior"):
        decode_codes(file, layout=GRID, model=MODEL)
    with pytest.raises(ValueError, match="holds codes of"):
        decode_codes(file, layout=DEEP, model=MODEL, prior=prior)
    with pytest.raises(ValueError, match="the prior is of codes"):
        decode_codes(file, layout=GRID, model=MODEL, prior=ToyPrior(DEEP))
    with pytest.raises(ValueError, match=r"CRC of block 0|other probabilities"):
        decode_codes(file, layout=GRID, model=MODEL, prior=ToyPrior(GRID, seed=1))


def test_a_hash_knows_every_bit_of_the_weights() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    first = model_hash(net.state_dict())
    assert len(first) == 16
    assert model_hash(dict(reversed(net.state_dict().items()))) == first
    with torch.no_grad():
        net[0].bias[1] = torch.nextafter(net[0].bias[1], torch.tensor(9.0))
    assert model_hash(net.state_dict()) != first
    assert model_hash({"a": torch.zeros(2)}, {}) != model_hash({}, {"a": torch.zeros(2)})
    text = b"a torch.float32 (2,)\n" + bytes(8) + b"\n"
    assert model_hash({"a": torch.zeros(2)}) == hashlib.sha256(text).digest()[:16]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codes": torch.full((2, 12), 11)}, "codes hold 11"),
        ({"codes": torch.zeros(0, 12, dtype=torch.int64)}, "at least one image"),
        ({"codes": torch.zeros(2, 12)}, "must be int64"),
        ({"model": b"short"}, "16 bytes"),
        ({"sizes": [(1, 1)] * 3}, "3 sizes for 2 images"),
        ({"sizes": [(8, 8)], "tile": (4, 4)}, "1 sizes for 2 images cut into tiles of 4 x 4"),
        ({"sizes": [(8, 8)] * 2, "tile": (4, 8)}, "2 sizes for 2 images cut"),
        ({"sizes": [(8, 8)] * 2, "tile": (1 << 17, 8)}, "height of 131072"),
        ({"sizes": [(0, 1)]}, "height of 0"),
        ({"sizes": [(1, 1), (2, 1 << 20)]}, "width of 1048576"),
        ({"channels": 0}, "number of channels of 0"),
        ({"label": torch.tensor([0, 5]), "num_classes": 4}, r"\[0, 4\]"),
        ({"label": torch.tensor([0, 1])}, "labels of None classes"),
        ({"prior": ToyPrior(DEEP)}, "the prior is of codes"),
        ({"prior": ToyPrior(GRID, 3), "label": torch.tensor([0, 1]), "num_classes": 4}, "for a prior of 3"),
        ({"block": 0}, "blocks of 0 images"),
        ({"images": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}, "reconstruct must be given"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, reason: str) -> None:
    given = {"codes": codes_of(GRID, 2, 0), "layout": GRID, "model": MODEL, "sizes": [(8, 8)], **change}
    with pytest.raises(ValueError, match=reason):
        encode_codes(given.pop("codes"), **given)


def test_a_prior_that_is_not_finite_is_refused() -> None:
    prior = ToyPrior(GRID)
    with torch.no_grad():
        prior.out[0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        encode_codes(codes_of(GRID, 2, 0), layout=GRID, model=MODEL, sizes=[(8, 8)], prior=prior)


def test_without_constriction_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(OptionError, match=r"^EXTRA=codec: .*; pip install 'ganvas\[codec\]'"):
        encode_codes(codes_of(GRID, 2, 0), layout=GRID, model=MODEL, sizes=[(8, 8)])


SCRIPT = """
import sys, torch
torch.set_num_threads(int(sys.argv[1]))
from toy_prior import ToyPrior
from ganvas.codec.codes import decode_codes, encode_codes
from ganvas.codec.container import read_container, write_container
from ganvas.functional.code_layout import CodeLayout
layout, model = CodeLayout(((512,),), ((4, 4),)), bytes(16)
prior = ToyPrior(layout, 3)
codes, label = torch.arange(200 * 16).view(200, 16) ** 2 % 512, torch.arange(200) % 4
if len(sys.argv) > 3:
    found = decode_codes(read_container(sys.argv[3]), layout=layout, model=model, prior=prior)
    assert torch.equal(found.codes, codes) and torch.equal(found.label, label)
file = encode_codes(codes, layout=layout, model=model, sizes=[(8, 8)], prior=prior, label=label)
write_container(sys.argv[2], file)
"""


@pytest.mark.slow
def test_processes_of_one_and_two_threads_write_the_same_and_read_each_other(tmp_path: Path) -> None:
    run: Callable[..., object] = lambda *args: subprocess.run(  # noqa: E731
        [sys.executable, "-c", SCRIPT, *map(str, args)], check=True, cwd=Path(__file__).parents[1] / "helpers"
    )
    one, two, again = (tmp_path / name for name in ("one.gvq", "two.gvq", "again.gvq"))
    run(1, one)
    run(2, two, one)
    run(1, again, two)
    assert one.read_bytes() == two.read_bytes() == again.read_bytes()


def test_a_file_is_written_and_read(tmp_path: Path) -> None:
    file = encode_codes(codes_of(GRID, 3, 0), layout=GRID, model=MODEL, sizes=[(8, 8), (7, 8), (1, 9)])
    assert write_container(tmp_path / "a.gvq", file) == (tmp_path / "a.gvq").stat().st_size
    assert read_container(tmp_path / "a.gvq") == file
    with pytest.raises(OptionError, match=r"^FILE=.*b.gvq: cannot be read"):
        read_container(tmp_path / "b.gvq")
    with pytest.raises(OptionError, match="is no regular file"):
        read_container(tmp_path)
