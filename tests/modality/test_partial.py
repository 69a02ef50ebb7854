"""What is seen of samples that are known in part."""

from __future__ import annotations

import torch

from ganvas.modality.image import Image
from ganvas.modality.partial import HIDDEN, readings_of, veiled, with_signs
from ganvas.modality.sound import Sound
from ganvas.modality.text import Text


def test_what_is_hidden_is_grey_silent_or_blank() -> None:
    share = torch.ones(2, 1, 7)
    share[0, 0, :2], share[1, 0, 3:] = 0.5, 0  # of several levels half are known
    sounds = torch.full((2, 1, 7), 0.5)
    assert torch.equal(veiled(Sound(8000, 1), sounds, share), 0.5 * share)
    stereo = torch.full((2, 2, 7), -0.25)
    assert torch.equal(veiled(Sound(8000, 2), stereo, share), -0.25 * share.expand(2, 2, 7))
    images = torch.full((1, 3, 2, 2), 0.5)
    grey = torch.tensor([[0.0, 1], [0.5, 1]])
    assert torch.equal(veiled(Image(), images, grey[None, None])[0], 0.5 * grey.expand(3, 2, 2))
    texts = torch.arange(65, 79).view(2, 7)
    known = share[:, 0] == 1  # a symbol of which half is known is not
    assert veiled(Text(), texts, share)[0].tolist() == [32, 32, 67, 68, 69, 70, 71]
    assert torch.equal(veiled(Text(), texts, share), texts.masked_fill(~known, 32))
    assert not veiled(Text(30), texts % 30, share)[~known].any()  # without a space it is the first symbol


def test_texts_have_signs_and_others_no_readings() -> None:
    share = torch.ones(2, 1, 7)
    share[0, 0, :2], share[1, 0, 3:] = 0.5, 0
    x = torch.tensor([list("h\u00e9llo!".encode()), list(b"<b>abc ")])
    assert readings_of(Text(), x, share) == [HIDDEN * 2 + "\\xa9llo!", "<b>" + HIDDEN * 4]
    assert readings_of(Sound(8000, 1), torch.zeros(2, 1, 7), share) == ()
    shown = torch.tensor([True, False, False, True, True, True, True])
    assert with_signs(Text(), x[1], shown, ".") == "<..abc "
