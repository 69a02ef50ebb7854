"""The weights of a run as a safetensors file, without a pickle: ``ganvas export --format folder``.

It holds what :mod:`ganvas.run.load` takes of a checkpoint, the state of the recipe and its counters, and
nothing of optimizers, callbacks and loops: a run is read from it, and never resumed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganvas.files.plain import parse_json
from ganvas.files.read import read_bytes
from ganvas.files.schema import is_count
from ganvas.functional.cache import in_order
from ganvas.functional.checked_values import MAX_COUNT

_CLOCK = "ganvas_clock"
_MOST = 1 << 36  # bytes of a file
_LONGEST = 4096  # letters of the counters


def weights_file(model: Any, version: str) -> bytes:
    """The file of a recipe's weights, all of them: those of averages too.

    Args:
        version: of ganvas.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    return in_order(save(tensors, {"format": "pt", "ganvas": version, _CLOCK: json.dumps(model.clock())}))


def read_weights(path: Path) -> dict[str, Any]:
    """The entries ``state_dict`` and ``ganvas_clock`` of a checkpoint, from such a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no safetensors file, or its counters are none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = read_bytes(path, _MOST)  # not mapped: a file that is written over would end the process
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file: {error}") from error
    metadata = parse_json(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__")
    written = metadata.get(_CLOCK, "") if isinstance(metadata, dict) else ""
    try:
        clock = parse_json(written) if isinstance(written, str) and len(written) <= _LONGEST else None
    except ValueError:
        clock = None
    fits = isinstance(clock, dict) and all(is_count(one) and one < MAX_COUNT for one in clock.values())
    if not fits:
        raise ValueError(f"its metadata hold no counters under {_CLOCK}")
    return {"state_dict": tensors, _CLOCK: clock}
