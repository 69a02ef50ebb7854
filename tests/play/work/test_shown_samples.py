"""Samples as a page shows them, and the files that it hands over."""

from __future__ import annotations

import base64
import io
import wave

import numpy
import pytest
import torch

from ganvas.errors import OptionError
from ganvas.modality.image import Image
from ganvas.modality.partial import HIDDEN
from ganvas.modality.points import Points
from ganvas.modality.sound import Sound
from ganvas.modality.text import Text
from ganvas.play.work.shown_samples import (
    RIGHT,
    as_file,
    is_played_or_read,
    own_ending,
    require_shown,
    see,
    see_difference,
    see_part,
)


def test_a_sound_is_a_picture_and_a_wav() -> None:
    x = torch.linspace(-1, 1, 2 * 400).view(2, 1, 400)
    first, second = see(Sound(8000, 1), x)
    assert first.text is None
    assert first.picture.startswith("data:image/png;base64,")
    kind, _, content = second.sound.partition(",")
    assert kind == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(content))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 1, 400)
        heard = numpy.frombuffer(file.readframes(400), "<i2")
    assert numpy.abs(heard / 32767 - x[1, 0].numpy()).max() < 1e-4


def test_a_text_is_text_alone() -> None:
    content = b"<b>a</b>\x00\xff"
    (seen,) = see(Text(), torch.tensor([list(content)]))
    assert seen == (None, None, "<b>a</b>\u2400\\xff")


def test_what_is_neither_heard_nor_read_is_a_picture() -> None:
    seen = see(Image(), torch.zeros(3, 1, 4, 5))
    assert [(one.sound, one.text) for one in seen] == [(None, None)] * 3
    assert not is_played_or_read(Image(), (1, 4, 5))
    assert is_played_or_read(Sound(8000, 1), (1, 300))
    assert is_played_or_read(Text(), (7,))


def test_files_are_the_modality_s_own() -> None:
    assert [own_ending(kind) for kind in (Image(), Sound(8000, 1), Text())] == [".png", ".wav", ".txt"]
    x = torch.tensor([[72, 105], [79, 107]])
    assert as_file(Text(), x, ".txt") == b"--- 0\nHi\n--- 1\nOk\n"
    arrays = numpy.load(io.BytesIO(as_file(Text(), x, ".npz", labels=torch.tensor([3, 1]))))
    assert arrays["texts"].tolist() == x.tolist()
    assert arrays["labels"].tolist() == [3, 1]


def test_samples_that_lie_in_one_plot_are_refused() -> None:
    with pytest.raises(OptionError, match="one by one"):
        require_shown(Points(), (2,), "RUN")


def test_what_is_hidden_is_a_sign_or_not_heard() -> None:
    share = torch.ones(2, 1, 7)
    share[0, 0, :2], share[1, 0, 3:] = 0.5, 0  # of several levels half are known: the symbol is not
    x = torch.tensor([list("h\u00e9llo!".encode()), list(b"<b>abc ")])
    shown = [one.text for one in see_part(Text(), x, share)]
    assert shown == [HIDDEN * 2 + "\\xa9llo!", "<b>" + HIDDEN * 4]
    sounds = torch.full((2, 1, 7), 0.5)
    assert [one.sound is None for one in see_part(Sound(8000, 1), sounds, share, heard=False)] == [True] * 2


def test_a_difference_is_wrong_symbols_what_is_lost_or_an_error_map() -> None:
    original, other = torch.tensor(list(b"a cat\n")), torch.tensor(list(b"a <at\n"))
    seen, told = see_difference(Text(), original, other)
    assert seen.text == f"{RIGHT * 2}<{RIGHT * 3}"
    assert told == f"1 of 6 symbols are wrong; {RIGHT} is right"
    x, y = torch.full((1, 400), 0.5), torch.full((1, 400), 0.75)
    lost, _ = see_difference(Sound(8000, 1), x, y)
    assert lost == see(Sound(8000, 1), (x - y)[None])[0]
    pixels = torch.zeros(1, 4, 5)
    off = pixels.clone()
    off[0, 1, 2] = 1  # half of the range
    seen, told = see_difference(Image(), pixels, off)
    assert told == "error: white is 50% of the range"
    assert seen.sound is None is seen.text
