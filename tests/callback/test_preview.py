"""Which previews a run leaves, and what is in them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn import draw, draw_codes, draw_pairs
from PIL import Image

from ganvas.callback.preview import Preview
from ganvas.errors import OptionError
from ganvas.modality.image import Image as Images


def preview(folder: Path, **options: Any) -> Preview:
    settings = {"every_examples": 8, "num": 6, "num_points": 5, "seed": 2} | options
    return Preview(run_dir=str(folder), **settings)


def names(folder: Path) -> list[int]:
    return [int(path.stem) for path in sorted((folder / "samples").iterdir())]


def read(folder: Path, examples: int) -> torch.Tensor:
    pixels = np.array(Image.open(folder / "samples" / f"{examples:012d}.png"))
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None]).permute(2, 0, 1)


def test_a_gan_shows_the_same_latents(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], events: Callable[[], Any]
) -> None:
    recipe = sampler((1, 8, 8))
    fit(recipe, [preview(tmp_path)], batches=5)
    assert names(tmp_path) == [0, 8, 16, 20]
    first = sampler((1, 8, 8))
    assert torch.equal(read(tmp_path, 0), draw(first.sample(6, 2)))
    assert torch.equal(read(tmp_path, 20), draw(recipe.sample(6, 2)))
    assert not torch.equal(read(tmp_path, 0), read(tmp_path, 20))
    assert [event.step for event in events().Images("samples")] == [0, 8, 16, 20]
    assert "codes/usage" not in events().Tags()["histograms"]
    assert events().Tags()["images"] == ["samples"]


def test_early_previews_are_made_and_a_resumed_run_makes_the_same(
    tmp_path: Path,
    fit: Callable[..., Any],
    sampler: Callable[..., Any],
    interrupter: Callable[..., Any],
) -> None:
    options = {"every_examples": 24, "first_examples": 3}  # at 3, 6 and 15 examples, then at 24
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    fit(sampler((1, 8, 8)), [preview(tmp_path / "whole", **options)], batches=7)
    assert names(tmp_path / "whole") == [0, 4, 8, 16, 24, 28]
    for stop in range(1, 7):  # a stop after each batch; its last image is one of a run that ends there
        first = preview(tmp_path / "parts", **options)
        recipe, again = sampler((1, 8, 8)), preview(tmp_path / "parts", **options)
        interrupted = fit(recipe, [first, interrupter(stop)], batches=7)
        assert interrupted.stopped_by_signal
        again.load_state_dict(first.state_dict())
        fit(recipe, [again], batches=7 - stop)
        for name in names(tmp_path / "whole"):
            assert torch.equal(read(tmp_path / "parts", name), read(tmp_path / "whole", name)), (stop, name)
        assert names(tmp_path / "parts") == names(tmp_path / "whole")
        for path in (tmp_path / "parts" / "samples").iterdir():
            path.unlink()


def test_a_vqvae_shows_pairs_and_its_codes(
    tmp_path: Path,
    fit: Callable[..., Any],
    autoencoder: Callable[[], Any],
    data: Callable[..., Any],
    events: Callable[[], Any],
) -> None:
    recipe = autoencoder()
    fit(recipe, [preview(tmp_path, every_examples=0)], batches=3)
    assert names(tmp_path) == [0, 12]
    x = data((1, 8, 8)).parts["val"][:6]
    assert torch.equal(read(tmp_path, 12), draw_pairs(x, -x))
    shown = events().Images("codes")[-1]
    assert shown.step == 12
    pixels = np.array(Image.open(io.BytesIO(shown.encoded_image_string)))
    codes = (x.flatten(1)[:, :2] > 0).long() * 5 + 1
    assert np.array_equal(pixels, draw_codes(x, -x, [codes], [8]).permute(1, 2, 0).numpy())
    histogram = events().Histograms("codes/usage")[-1]
    assert histogram.step == 12
    positive = int((x.flatten(1)[:, :2] > 0).sum())
    counts = dict(
        zip(
            histogram.histogram_value.bucket_limit,
            histogram.histogram_value.bucket,
            strict=True,
        )
    )
    assert {limit: count for limit, count in counts.items() if count} == {2.0: 12 - positive, 7.0: positive}


def test_points_are_scattered_over_real_ones(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], data: Callable[..., Any]
) -> None:
    fit(sampler((2,)), [preview(tmp_path, every_examples=0)], batches=1, shape=(2,))
    background = data((2,)).parts["val"][:5]
    assert torch.equal(read(tmp_path, 0), draw(sampler((2,)).sample(5, 2), background=background))


def test_a_continuation_goes_on_at_the_next_multiple(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    recipe = sampler((1, 8, 8))
    recipe.examples_seen = 12
    fit(recipe, [preview(tmp_path)], batches=2)  # to 20 examples
    assert names(tmp_path) == [16, 20]


def test_without_held_out_samples_training_samples_are_shown(
    tmp_path: Path, data: Callable[..., Any]
) -> None:
    class Trainer:
        datamodule = data((1, 8, 8))

    Trainer.datamodule.parts["val"] = torch.zeros(0, 1, 8, 8)
    shown = preview(tmp_path)._first_samples(Trainer(), Images())  # type: ignore[arg-type]
    assert torch.equal(shown, Trainer.datamodule.parts["train"][:6])


@pytest.mark.parametrize(
    ("option", "value"), [("every_examples", -1), ("first_examples", -1), ("num", 0), ("num_points", 0)]
)
def test_sizes_are_checked(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        preview(tmp_path, **{option: value})
