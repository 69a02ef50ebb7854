"""Images of any mode as 8 bits and opaque."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageColor

from ganvas.errors import OptionError, require

Colour = tuple[int, int, int]
_ALPHA_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
_SPREAD = {"L;2": 85, "L;4": 17}  # 8-bit levels a level of 2 or 4 bits
_LEVELS = 257  # 16-bit levels a level of 8 bits: 65535 / 255


def parse_colour(colour: str | int | list[int], option: str) -> Colour:
    """A colour as (red, green, blue), each from 0 to 255.

    Raises:
        OptionError: ``option``: neither a name, nor ``#rrggbb``, nor three levels. A number is what YAML
            and Hydra make of digits without ``#``.
    """
    rule = "must be black, white, another name of CSS, '#rrggbb' or [red, green, blue] from 0 to 255"
    if isinstance(colour, int):
        digits = f"{colour:06}" if 0 <= colour < 1_000_000 else "rrggbb"
        shell = f"\"data.{option}='#{digits}'\""
        rule = f"is a number; a colour by its digits is '#{digits}' with these quotes, in a shell {shell}"
        raise OptionError(option, colour, rule)
    if isinstance(colour, list):
        require(len(colour) == 3 and all(0 <= level <= 255 for level in colour), option, colour, rule)
        return colour[0], colour[1], colour[2]
    try:
        levels = ImageColor.getrgb(colour)
    except ValueError as error:
        raise OptionError(option, colour, rule) from error
    require(len(levels) == 3, option, colour, f"is transparent itself; it {rule}")
    return levels[0], levels[1], levels[2]


def raw_mode(image: Image.Image) -> str:
    """How the pixels lie in the file, e.g. ``L;4``; empty once they are loaded, or where there is no file."""
    tile = getattr(image, "tile", None)
    arguments = tile[0][3] if tile else ""
    return arguments if isinstance(arguments, str) else ""


def eight_bits(image: Image.Image, background: Colour, raw: str = "") -> Image.Image:
    """Any mode as L or RGB-like, opaque; what is transparent shows ``background``.

    Levels of 16 bits are divided by 257; of colour images Pillow reads the high byte, and so of their key.

    Args:
        raw: :func:`raw_mode` before the pixels were loaded.

    Raises:
        ValueError: levels whose range is not known, or more than 16 bits.
    """
    key = image.info.get("transparency")
    if image.mode.startswith("I"):  # I;16 and kin; I holds 16-bit PNGs in some versions of Pillow
        levels = np.asarray(image).astype(np.float64)
        if levels.size and not (levels.min() >= 0 and levels.max() <= 65535):
            raise ValueError(f"levels from {levels.min():g} to {levels.max():g}, and 16 bits end at 65535")
        plain = Image.fromarray((levels / _LEVELS).round().astype(np.uint8))
        return plain if key is None else _on(background, _with_alpha(plain, levels != key))
    if image.mode == "F":
        raise ValueError("floating-point levels have no known range")
    if isinstance(key, int) and image.mode in ("1", "L"):
        plain = image.convert("L")
        # The key is a level of the file's own depth, as the pixels were before Pillow spread them to 8 bits.
        level = (255 if key else 0) if image.mode == "1" else key * _SPREAD.get(raw, 1)
        return _on(background, _with_alpha(plain, np.asarray(plain) != level))
    if isinstance(key, tuple) and raw.startswith("RGB;16"):
        image.info["transparency"] = tuple(level >> 8 for level in key)
    if image.mode in _ALPHA_MODES or key is not None:
        return _on(background, image.convert("RGBA"))
    return image.convert("RGB") if image.mode == "P" else image


def _with_alpha(grey: Image.Image, opaque: Any) -> Image.Image:
    """An 8-bit grey image with the mask bool [H, W] of what is opaque."""
    alpha = Image.fromarray(np.where(opaque, np.uint8(255), np.uint8(0)))
    return Image.merge("LA", (grey, alpha)).convert("RGBA")


def _on(background: Colour, image: Image.Image) -> Image.Image:
    opaque = Image.new("RGBA", image.size, (*background, 255))
    opaque.alpha_composite(image)
    return opaque.convert("RGB")
