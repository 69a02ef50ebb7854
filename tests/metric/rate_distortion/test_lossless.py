from __future__ import annotations

import math

import pytest

from ganvas.metric.rate_distortion.lossless import bits_of_a_sample, lossless_bits
from ganvas.modality.text import Text


def test_bits_of_a_known_law():
    """Codes z of 1 of 4 at 5 bits in all; given them each of 8 symbols has probability 1/2, 1/4 or 1/8."""
    law = [1 / 2] * 4 + [1 / 4] * 3 + [1 / 8]
    nats = -sum(math.log(p) for p in law)  # 4 + 6 + 3 = 13 bits
    found = lossless_bits(5.0, nats, Text(), (8,))
    assert found == pytest.approx(
        {
            "bits_per_text": 18.0,
            "bits_per_byte": 18 / 8,
            "code_bits_per_byte": 5 / 8,
            "decoder_bits_per_byte": 13 / 8,
        },
        rel=1e-12,
    )


def test_units_of_ids_are_bytes_of_their_texts():
    found = bits_of_a_sample(12.0, Text(1000, None, 3.0), (4,))
    assert found == {"bits_per_text": 12.0, "bits_per_byte": 1.0}
    assert bits_of_a_sample(12.0, Text(1000, None, None), (4,)) == {"bits_per_text": 12.0}
