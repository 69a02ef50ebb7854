"""Bits a value that general codecs take without loss, beside which `ganvas encode --lossless` is to be seen.

    python benchmarks/lossless_sheet.py

Fashion-MNIST's 10,000 test images on one sheet, 100 x 100 of 28 x 28, so that they share one header.
"""

from __future__ import annotations

import io
import lzma

from PIL import Image

from ganvas.data.fashion_mnist import FashionMNIST

_SIDE = 100  # images a side of the sheet


def main() -> None:
    images = FashionMNIST(root="data/fashion_mnist", image_size=28, channels=1).split("test").x
    sheet = images.view(_SIDE, _SIDE, 28, 28).permute(0, 2, 1, 3).reshape(28 * _SIDE, 28 * _SIDE).numpy()
    for name, options in (
        ("PNG", {"optimize": True}),
        ("WebP", {"lossless": True, "quality": 100, "method": 6}),
    ):
        file = io.BytesIO()
        Image.fromarray(sheet).save(file, name, **options)
        print(f"{name:5} {8 * file.tell() / sheet.size:.3f} bits/dim")
    print(f"xz    {8 * len(lzma.compress(images.numpy().tobytes(), preset=9)) / sheet.size:.3f} bits/dim")


if __name__ == "__main__":
    main()
