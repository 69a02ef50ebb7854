"""The weights of a run as a safetensors file, without a pickle: ``ganvas export --format folder``.

It holds what :mod:`ganvas.run.load` takes of a checkpoint, the state of the recipe and its counters, and
nothing of optimizers, callbacks and loops: a run is read from it, and never resumed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganvas.files.schema import is_count
from ganvas.functional.checked_values import MAX_COUNT

_CLOCK = "ganvas_clock"
_LONGEST = 4096  # letters of the counters


def weights_file(model: Any, version: str) -> bytes:
    """The file of a recipe's weights, all of them: those of averages too.

    Args:
        version: of ganvas.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    return save(tensors, {"format": "pt", "ganvas": version, _CLOCK: json.dumps(model.clock())})


def read_weights(path: Path) -> dict[str, Any]:
    """The entries ``state_dict`` and ``ganvas_clock`` of a checkpoint, from such a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no safetensors file, or its counters are none.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file: {error}") from error
    written = metadata.get(_CLOCK, "")
    try:
        clock = json.loads(written) if len(written) <= _LONGEST else None
    except (ValueError, RecursionError):
        clock = None
    fits = isinstance(clock, dict) and all(is_count(one) and one < MAX_COUNT for one in clock.values())
    if not fits:
        raise ValueError(f"its metadata hold no counters under {_CLOCK}")
    return {"state_dict": tensors, _CLOCK: clock}
