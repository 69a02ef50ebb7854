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
from ganvas.modality.points import Points
from ganvas.modality.sound import Sound
from ganvas.modality.text import Text
from ganvas.play.work.shown_samples import as_file, is_played_or_read, own_ending, require_shown, see


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
