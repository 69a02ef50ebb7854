"""Animations, read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.modality.drawing.animation import save_animation


def frames(channels: int, count: int = 6) -> list[Tensor]:
    """Smooth ramps that move; more than 256 colours where there are three channels."""
    ramp = torch.arange(40).float()
    made = []
    for i in range(count):
        levels = torch.stack([ramp[:, None] * 3 + ramp * (c + 1) + 9 * i * (c + 1) for c in range(channels)])
        made.append(levels.remainder(256).to(torch.uint8))
    return made


def read(path: Path) -> tuple[list[np.ndarray], list[float], int]:
    with Image.open(path) as file:
        mode = "L" if file.mode == "L" else "RGB"
        images = [
            (np.array(frame.convert(mode)), float(frame.info["duration"]))
            for frame in ImageSequence.Iterator(file)
        ]
        loop = file.info["loop"]
    return [image for image, _ in images], [duration for _, duration in images], loop


def as_read(frame: Tensor) -> np.ndarray:
    return frame[0].numpy() if len(frame) == 1 else frame.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["x.png", "x.webp"])
def test_png_and_webp_hold_the_frames_as_they_are(name: str, channels: int, tmp_path: Path) -> None:
    drawn = frames(channels)
    save_animation(tmp_path / "new" / name, drawn, fps=20)
    images, durations, loop = read(tmp_path / "new" / name)
    assert loop == 0  # without end
    assert durations == [50] * 6
    assert len(images) == 6
    for image, frame in zip(images, drawn, strict=True):
        expected = as_read(frame)
        if image.ndim > expected.ndim:  # a WebP has three equal channels
            expected = expected[..., None].repeat(3, axis=2)
        assert np.array_equal(image, expected)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_a_gif_keeps_greys(tmp_path: Path) -> None:
    drawn = frames(1)
    save_animation(tmp_path / "x.gif", drawn, fps=25)
    images, durations, loop = read(tmp_path / "x.gif")
    assert (durations, loop) == ([40] * 6, 0)
    for image, frame in zip(images, drawn, strict=True):
        assert np.array_equal(image if image.ndim == 2 else image[..., 0], frame[0].numpy())


def test_a_gif_of_colours_comes_close(tmp_path: Path) -> None:
    drawn = frames(3)
    assert len(torch.stack(drawn).movedim(1, -1).flatten(0, 2).unique(dim=0)) > 256
    save_animation(tmp_path / "x.gif", drawn, fps=30)
    images, durations, _ = read(tmp_path / "x.gif")
    assert durations == [30] * 6  # hundredths of a second
    errors = [image.astype(float) - as_read(frame) for image, frame in zip(images, drawn, strict=True)]
    assert 0 < float(np.sqrt(np.mean(np.square(errors)))) < 12  # of 255 levels


def test_frames_that_stand_still_are_shown_longer(tmp_path: Path) -> None:
    a, b = frames(1, 2)
    save_animation(tmp_path / "x.png", [a, b, b, a], fps=20)
    images, durations, _ = read(tmp_path / "x.png")
    assert (len(images), durations) == (3, [50, 100, 50])


@pytest.mark.parametrize("fps", [0, 51])
def test_rates_that_viewers_change_are_refused(fps: int, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"fps={fps}: must be from 1 to 50"):
        save_animation(tmp_path / "x.gif", frames(1), fps=fps)
    assert not list(tmp_path.iterdir())
