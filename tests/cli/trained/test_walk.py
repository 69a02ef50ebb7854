"""Round trips through latents, as animations."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageSequence
from refusal import refused

WORDS = ("--num", "4", "--stops", "3", "--frames", "12", "--seed", "6")


def read(path: Path | str) -> tuple[list[numpy.ndarray], list[float], int]:
    with Image.open(path) as image:
        frames = [
            (numpy.array(frame.convert("L")).astype(int), float(frame.info["duration"]))
            for frame in ImageSequence.Iterator(image)
        ]
        return [frame for frame, _ in frames], [duration for _, duration in frames], image.info["loop"]


def test_stops_are_samples_and_the_last_frame_meets_the_first(ganvas, outputs: Path) -> None:
    place = ("--output-dir", str(outputs))
    done = ganvas("walk", "a_gan", *place, *WORDS, "--fps", "25", "--out", "new/x.png")
    assert done.stdout == "new/x.png\n"
    frames, durations, loop = read("new/x.png")
    assert (len(frames), durations, loop) == (12, [40] * 12, 0)
    for stop in range(3):
        ganvas("sample", "a_gan", *place, "--num", str(4 + 4 * stop), "--seed", "6", "--out", "s.npz")
        samples = numpy.load("s.npz")["images"][4 * stop :, ..., 0].astype(int)
        frame = frames[4 * stop]
        assert frame.shape == (2 * 66 + 2, 2 * 66 + 2)
        for i in range(4):
            top, left = 2 + (i // 2) * 66, 2 + (i % 2) * 66
            shown = frame[top : top + 64 : 8, left : left + 64 : 8]
            assert numpy.abs(shown - samples[i]).max() <= 1  # a product's rounding may know the batch
    steps = [numpy.abs(a - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    far = numpy.abs(frames[6] - frames[0]).mean()
    assert 0 < steps[-1] < far / 2  # home in a step like any other
    assert max(steps) < far


def test_a_gif_shows_the_same(ganvas, outputs: Path) -> None:
    for name in ("x.png", "x.gif"):
        ganvas("walk", "a_gan", "--output-dir", str(outputs), *WORDS, "--columns", "4", "--out", name)
    exact, shown = read("x.png"), read("x.gif")
    assert exact[0][0].shape == (68, 4 * 66 + 2)
    assert exact[1:] == shown[1:] == ([50.0] * 12, 0)
    for one, other in zip(exact[0], shown[0], strict=True):  # greys need no palette
        assert numpy.abs(one - other).max() == 0


def test_points_walk_too(ganvas, toy: Path) -> None:
    ganvas("walk", str(toy), "--num", "2", "--frames", "4", "--out", "x.gif")
    frames, durations, _ = read("x.gif")
    assert frames[0].shape == (512, 512)
    assert sum(durations) == 200


def test_without_out_it_lies_in_the_run(ganvas, outputs: Path, tmp_path: Path) -> None:
    done = ganvas("walk", str(outputs / "train" / "a_gan"), *WORDS)
    made = Path(done.stdout.strip())
    assert made == outputs / "train" / "a_gan" / "walk-4-seed6.gif"
    made.unlink()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        ("b_vqvae", "RUN", "has no latents to walk through; it must be the run of a GAN"),
        ("a_gan --stops 1", "--stops", "must be at least 2"),
        ("a_gan --frames 59", "--frames", "must be a multiple of the 4 stops, so that each is a frame; 60"),
        ("a_gan --frames 0", "--frames", "must be a multiple of the 4 stops, so that each is a frame; 4"),
        ("a_gan --fps 0", "--fps", "must be from 1 to 50 frames a second"),
        ("a_gan --fps 60", "--fps", "must be from 1 to 50 frames a second"),
        ("a_gan --columns 0", "--columns", "must be at least 1"),
        ("a_gan --out x.npz", "--out", "must end in .gif, .png or .webp"),
    ],
)
def test_bad_input(words: str, key: str, part: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    line = [*words.split(), "--output-dir", str(outputs)]
    found = [f"={outputs}/train/{words}: "] if key == "RUN" else []
    refused(ganvas, tmp_path, ["walk", *line], key, *found, part)


def test_a_webp_shows_the_same_and_frames_are_scaled(ganvas, outputs: Path) -> None:
    words = ("walk", "a_gan", "--output-dir", str(outputs), *WORDS)
    for name in ("x.png", "x.webp"):
        ganvas(*words, "--scale", "1", "--out", name)
    exact, shown = read("x.png"), read("x.webp")
    assert exact[0][0].shape == (2 * 10 + 2, 2 * 10 + 2)
    assert exact[1:] == shown[1:] == ([50.0] * 12, 0)
    for one, other in zip(exact[0], shown[0], strict=True):
        assert numpy.array_equal(one, other)
    ganvas(*words, "--scale", "3", "--out", "y.webp")
    for one, other in zip(exact[0], read("y.webp")[0], strict=True):
        assert other.shape == (2 * 26 + 2, 2 * 26 + 2)
        assert numpy.array_equal(other[2:26:3, 2:26:3], one[2:10, 2:10])
        assert numpy.array_equal(other[30:54:3, 30:54:3], one[12:20, 12:20])


def test_walks_of_points_are_not_scaled(ganvas, toy: Path, tmp_path: Path) -> None:
    part = "is of images, and these samples have shape [2]; leave it out"
    line = ["walk", str(toy), "--num", "2", "--frames", "4", "--out", "x.gif", "--scale", "2"]
    refused(ganvas, tmp_path, line, "--scale", part)
