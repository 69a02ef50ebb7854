"""Uses, ages and restarts of codes that are known in advance, also over stops; pictures of all codes."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from drawn import draw
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from ganvas.callback.codebook import Codebook
from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.model.quantizer.interface import Quantizer, QuantizerOutput
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


class Counting(Quantizer):
    """Code k of level i stands for (k + 1) / 10 there."""

    levels_may_be_absent = True

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.codebook_sizes, self.embedding_dim = sizes, 2
        self.register_buffer("restarts", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> QuantizerOutput:
        raise NotImplementedError

    def encode(self, z: Tensor) -> Tensor:
        return z.long()

    def decode(self, indices: Tensor) -> Tensor:  # type: ignore[override]
        filled = torch.zeros(len(indices), 2, *indices.shape[2:])
        filled[:, : indices.shape[1]] = (indices + 1) / 10
        return filled


class Interplay:
    """What a recipe with codes adds to a recipe of the tests: all samples use one code at a time.

    That of level 1 is the number of eights of examples seen, modulo 4; the second level's is 1.
    """

    quantizer: Counting
    examples_seen: int

    def reconstruct(self, x: Tensor) -> Any: ...

    def encode(self, x: Tensor) -> Tensor:
        if self.examples_seen == self.fails_at:
            raise ValueError("z holds 3 numbers that are NaN")
        code = self.examples_seen // 8 % 4
        return torch.tensor([code, 1])[: len(self.codebook_sizes)].expand(len(x), -1)[..., None]

    def decode(self, indices: Tensor, levels: int | None = None) -> Tensor:
        return self.quantizer.decode(indices, levels).sum((1, 2)).view(-1, 1, 1, 1).expand(-1, 1, 2, 3)

    def training_step(self, x: Tensor, batch_idx: int) -> Tensor:
        self.quantizer.restarts += 1
        return super().training_step(x, batch_idx)  # type: ignore[misc]

    fails_at = -1
    codebook_sizes: tuple[int, ...]


@pytest.fixture
def coded(autoencoder: Callable[[], Any]) -> Callable[..., Any]:
    base = type(autoencoder())

    def make(*sizes: int) -> Any:
        recipe = type("Coded", (Interplay, base), {})()
        recipe.quantizer, recipe.codebook_sizes = Counting(*sizes), sizes
        return recipe

    return make


def codebook(**options: Any) -> Codebook:
    return Codebook(**({"every_examples": 8, "num": 3, "most": 8} | options))


def scalars(events: Any, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(tag)]


def ages(events: Any, tag: str = "codebook/age") -> list[tuple[int, float, float, float]]:
    found = [(event.step, event.histogram_value) for event in events.Histograms(tag)]
    return [(step, value.min, value.max, value.sum) for step, value in found]


def labels(folder: Path) -> list[list[str]]:
    return [
        line.split("\t") for line in (folder / "tensorboard/codebook/labels.tsv").read_text().splitlines()
    ]


def test_uses_ages_and_restarts(
    tmp_path: Path, fit: Callable[..., Any], coded: Callable[..., Any], events: Callable[[], Any]
) -> None:
    fit(coded(4), [codebook()], batches=5)  # looks after 8, 16 and 20 examples
    found = events()
    assert scalars(found, "codebook/used") == [(8, 1), (16, 1), (20, 1)]
    assert scalars(found, "codebook/perplexity") == [(8, 1), (16, 1), (20, 1)]
    assert scalars(found, "codebook/restarts") == [(8, 2), (16, 2), (20, 1)]
    uses = [event.histogram_value for event in found.Histograms("codebook/uses")]
    assert [(one.min, one.max, one.num, one.sum) for one in uses] == [(0, 3, 4, 3)] * 3
    # used at 8 is code 1, at 16 and 20 code 2
    assert ages(found) == [(8, 0, 8, 24), (16, 0, 16, 40), (20, 0, 20, 52)]
    rows = [["code", "uses", "age"], *(["0", "0", "20"], ["1", "0", "12"], ["2", "3", "0"], ["3", "0", "20"])]
    assert labels(tmp_path) == rows


def test_every_code_is_shown_as_what_it_decodes_to(
    tmp_path: Path, fit: Callable[..., Any], coded: Callable[..., Any], events: Callable[[], Any]
) -> None:
    fit(coded(4), [codebook(every_examples=0)], batches=2)
    shown = events().Images("codebook/decoded")
    assert [one.step for one in shown] == [8], "the untrained networks' codes are not shown"
    pixels = np.array(Image.open(io.BytesIO(shown[0].encoded_image_string)))
    expected = (torch.arange(4) + 1).view(4, 1, 1, 1).expand(-1, 1, 2, 3) / 10
    assert np.array_equal(pixels[..., 0], draw(expected)[0].numpy())
    vectors = np.loadtxt(tmp_path / "tensorboard/codebook/vectors.tsv", delimiter="\t")
    assert vectors == pytest.approx(np.array([[k / 10, 0] for k in (1, 2, 3, 4)]), abs=1e-6)
    with Image.open(tmp_path / "tensorboard/codebook/sprite.png") as image:
        assert np.array(image)[::2, ::3].tolist() == [[140, 153], [166, 178]]


def test_a_large_codebook_is_sampled_and_levels_have_their_own_curves(
    tmp_path: Path, fit: Callable[..., Any], coded: Callable[..., Any], events: Callable[[], Any]
) -> None:
    callback = codebook(most=3)
    fit(coded(9, 70_000), [callback], batches=3)
    assert [row[0] for row in labels(tmp_path)] == ["code", "0", "3", "6"]
    found = events()
    assert "codebook/used" not in found.Tags()["scalars"]
    for level in (1, 2):
        assert scalars(found, f"codebook/used_level_{level}") == [(8, 1), (12, 1)]
    assert ages(found, "codebook/age_level_1") == [(8, 0, 8, 64), (12, 0, 12, 96)]
    assert "codebook/age_level_2" not in found.Tags()["histograms"], "too many codes to keep their ages"
    assert [len(one) for one in callback.state_dict()["last_used"]] == [9, 0]


def test_of_codes_that_no_table_holds_the_used_ones_are_shown(
    tmp_path: Path, fit: Callable[..., Any], coded: Callable[..., Any]
) -> None:
    fit(coded(2**40), [codebook(most=2)], batches=7)
    assert labels(tmp_path) == [["code", "uses"], ["0", "0"], ["3", "3"]]


def test_a_resumed_run_tells_the_same(
    tmp_path: Path,
    fit: Callable[..., Any],
    coded: Callable[..., Any],
    interrupter: Callable[..., Any],
) -> None:
    def told() -> list[list[Any]]:
        files = (tmp_path / "tensorboard").glob("events.*")  # those of one second have no order
        found = [EventAccumulator(str(path), {"histograms": 0}).Reload() for path in files]
        found = [one for one in found if "codebook/used" in one.Tags()["scalars"]]
        shutil.rmtree(tmp_path / "tensorboard")
        curves = [[scalars(one, f"codebook/{name}") for one in found] for name in ("used", "restarts")]
        return [
            sorted(point for part in parts for point in part)
            for parts in (*curves, [ages(one) for one in found])
        ]

    options = {"every_examples": 12, "first_examples": 5}
    whole = codebook(**options)
    fit(coded(4), [whole], batches=7)
    expected = told()
    assert expected[1] == [(8, 2), (12, 1), (24, 3), (28, 1)]
    for stop in range(1, 7):
        first, again, recipe = codebook(**options), codebook(**options), coded(4)
        fit(recipe, [first, interrupter(stop)], batches=7)
        again.load_state_dict(first.state_dict())
        recipe.quantizer.restarts.zero_()  # a process of its own
        fit(recipe, [again], batches=7 - stop)
        assert told() == expected, stop
        assert str(again.state_dict()) == str(whole.state_dict())


def test_a_run_that_diverged_goes_on(
    fit: Callable[..., Any], coded: Callable[..., Any], events: Callable[[], Any]
) -> None:
    recipe = coded(4)
    recipe.fails_at = 8
    fit(recipe, [codebook()], batches=4)
    assert scalars(events(), "codebook/restarts") == [(16, 2)]


def test_recipes_without_codes_are_left_alone(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], autoencoder: Callable[[], Any]
) -> None:
    for recipe in (sampler((1, 8, 8)), autoencoder()):
        callback = codebook()
        fit(recipe, [callback], batches=3)
        assert callback.next_due().examples == math.inf
        assert callback.state_dict() == {"shown_at": 12, "last_used": [], "restarts": 0}
    assert not (tmp_path / "tensorboard" / "projector_config.pbtxt").exists()


@pytest.mark.parametrize("has_codes", [False, True])
def test_a_resume_before_the_first_look_changes_no_state(has_codes: bool, coded: Callable[..., Any]) -> None:
    recipe: Any = coded(4) if has_codes else SimpleNamespace()
    recipe.examples_seen = 0
    first, second = codebook(every_examples=1000), codebook(every_examples=1000)
    first.on_train_start(None, recipe)  # type: ignore[arg-type]  # asks the trainer nothing
    recipe.examples_seen = 64
    second.load_state_dict(first.state_dict())
    second.on_train_start(None, recipe)  # type: ignore[arg-type]
    assert second.state_dict() == first.state_dict()


@pytest.mark.parametrize(
    ("option", "value"), [("every_examples", -1), ("first_examples", -1), ("num", 0), ("most", 1)]
)
def test_bad_options(option: str, value: int) -> None:
    with pytest.raises(OptionError, match=f"^{option}={value}: must be"):
        codebook(**{option: value})


@pytest.mark.parametrize("kind", ["vq", "vq_ema"])
def test_a_quantizer_counts_its_restarts(kind: str) -> None:
    """All vectors are one point: a single one of four codes is used, and the other three restart."""
    torch.manual_seed(0)
    quantizer: nn.Module = (
        VectorQuantizer(4, 2, restart_after=2.0)  # 8 vectors are an expected use of each code at most
        if kind == "vq"
        else EMAVectorQuantizer(4, 2, decay=0.5, restart_threshold=0.3)  # N of the others: 1, 1/2, 1/4
    )
    z = torch.ones(8, 2)
    told = []
    for _ in range(2):
        quantizer(z)
        told.append(int(quantizer.restarts))
    assert told == [0, 3]
    quantizer.eval()
    quantizer(z)
    assert int(quantizer.restarts) == 3
    assert "restarts" not in quantizer.state_dict()


def test_batches_are_of_the_held_out_samples(data: Callable[..., Any]) -> None:
    class Trainer:
        datamodule = data((1, 8, 8))

    def taken() -> Tensor:
        parts: list[Batch] = list(codebook(num=5)._samples(Trainer()))  # type: ignore[arg-type]
        return torch.cat([part.x for part in parts])

    assert torch.equal(taken(), Trainer.datamodule.parts["val"][:5])
    Trainer.datamodule.parts["val"] = torch.zeros(0, 1, 8, 8)
    assert torch.equal(taken(), Trainer.datamodule.parts["train"][:5])
