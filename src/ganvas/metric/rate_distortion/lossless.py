"""What symbols cost without loss: the bits of their codes, and those that say the symbols given the codes.

A code of x is a code z and what a decoder says of x given z, so that

    bits(x) = bits(z) - log2 p(x | z)

is the length of a message from which x comes back (up to 2 bits by arithmetic coding of all of them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ganvas.modality.interface import Modality

MEANS = "bits of the codes, and -log2 of the decoder's probability of each symbol given them"


def bits_of_a_sample(bits: float, modality: Modality, shape: Sequence[int]) -> dict[str, float]:
    """Bits of a sample of this shape, and what that is in each of the modality's units, by their names."""
    return {f"bits_per_{modality.name}": bits} | {
        name: bits / divisor for name, divisor in modality.units(shape).items()
    }


def lossless_bits(
    code_bits: float, nats_left: float, modality: Modality, shape: Sequence[int]
) -> dict[str, float]:
    """The same of codes and what is left beside them, and by each unit the two parts.

    Args:
        code_bits: of a sample's codes.
        nats_left: -log p(x | codes) of a sample.

    Returns:
        e.g. ``bits_per_text``, ``bits_per_byte``, ``code_bits_per_byte``, ``decoder_bits_per_byte``.
    """
    left = nats_left / math.log(2)
    found = bits_of_a_sample(code_bits + left, modality, shape)
    for name, divisor in modality.units(shape).items():
        found |= {f"code_{name}": code_bits / divisor, f"decoder_{name}": left / divisor}
    return found
