"""Files of TensorBoard's projector: vectors, a table of what they are, and a picture of each.

``SummaryWriter.add_embedding`` writes a new folder at every call and lists them all; here the newest takes
the place of the one before.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ganvas.files.read import read_bytes
from ganvas.files.write import write_bytes, write_text
from ganvas.modality.drawing.files import save_into, to_image

_ENTRY = "projector.pbtxt"  # an embedding's part of TensorBoard's one file
_MAX_BYTES = 10_000


def write_projector(
    logs: Path, name: str, vectors: Tensor, table: Mapping[str, Sequence[object]], images: Tensor | None
) -> None:
    """Writes ``logs/name/`` and ``logs/projector_config.pbtxt``, which TensorBoard reads, with all names.

    Args:
        logs: the folder of the event files.
        name: of the embedding, letters alone.
        vectors: [N, D].
        table: columns of labels by their titles, at least two, N of each.
        images: uint8 [N, 1 or 3, H, W], shown in place of dots; None: dots.

    Raises:
        OSError: something cannot be written.
    """
    (logs / name).mkdir(parents=True, exist_ok=True)
    write_text(logs / name / "vectors.tsv", _tsv(vectors.tolist()))
    write_text(logs / name / "labels.tsv", _tsv([tuple(table), *zip(*table.values(), strict=True)]))
    lines = [f'tensor_name: "{name}"', f'tensor_path: "{name}/vectors.tsv"']
    lines += [f'metadata_path: "{name}/labels.tsv"']
    if images is not None:
        height, width = images.shape[2:]
        stream = io.BytesIO()
        save_into(stream, ".png", to_image(sprite(images)))
        write_bytes(logs / name / "sprite.png", stream.getvalue())
        size = f"single_image_dim: {width} single_image_dim: {height}"
        lines.append(f'sprite {{ image_path: "{name}/sprite.png" {size} }}')
    write_text(logs / name / _ENTRY, "embeddings {\n  " + "\n  ".join(lines) + "\n}\n")
    every = sorted(logs.glob(f"*/{_ENTRY}"))  # of what other callbacks wrote, too
    entries = [read_bytes(path, _MAX_BYTES).decode() for path in every]
    write_text(logs / "projector_config.pbtxt", "".join(entries))


def sprite(images: Tensor) -> Tensor:
    """Images [N, C, H, W] row by row without gaps, black at the end: [C, rows H, columns W].

    As many columns as make a square of their numbers, as the projector counts them.
    """
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    board = images.new_zeros(rows * columns, channels, height, width)
    board[:count] = images
    tiles = board.view(rows, columns, channels, height, width)
    return tiles.permute(2, 0, 3, 1, 4).reshape(channels, rows * height, columns * width)


def _tsv(rows: Sequence[Sequence[object]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)
