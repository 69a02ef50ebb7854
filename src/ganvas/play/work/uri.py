"""Images as data URIs: small ones as they are, for the browser to enlarge."""

from __future__ import annotations

import io

from torch import Tensor

from ganvas.files.text import data_uri
from ganvas.modality.drawing.files import save_into, to_image
from ganvas.modality.image import Image

EMPTY = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # one clear pixel


def uri_of(pixels: Tensor) -> str:
    """An image uint8 [1 or 3, H, W] as a PNG in a data URI."""
    file = io.BytesIO()
    save_into(file, ".png", to_image(pixels))
    return data_uri("image/png", file.getvalue())


def uri_of_sample(x: Tensor) -> str:
    """An image float [C, H, W] in [-1, 1]; of other than 1 or 3 channels their mean."""
    return uri_of(Image().pictures(x[None])[0])


def uri_of_grid(x: Tensor, columns: int | None = None) -> str:
    """Images float [N, C, H, W] in [-1, 1] as a grid, such as ``ganvas sample`` writes."""
    return uri_of(Image().draw(x, columns=columns))
