"""No quantizer and no reconstruction loss takes a number that is not finite, or a size that is not whole."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganvas.errors import OptionError
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

_CONF = Path(__file__).parents[3] / "conf/model"
_INNER = {"inner": lambda: EMAVectorQuantizer(8, 3)}
_REQUIRED: dict[str, dict[str, Any]] = {
    "fsq": {"levels": [5, 4], "embedding_dim": 2},
    "grouped": _INNER,
    "multiscale": _INNER,
    "residual": _INNER,
    "mel": {"rate": 8000},
    "perceptual": {"features": None},
}
_FLOATS = (math.inf, -math.inf, math.nan)
_SIZES = (2.5, 4.0, True)


def _classes() -> Iterator[tuple[str, Any]]:
    for group in ("quantizer", "reconstruction_loss"):
        for path in sorted((_CONF / group).glob("*.yaml")):
            written = yaml.safe_load(path.read_text())
            if group == "reconstruction_loss":  # a sum of one term
                written = next(
                    (one for one in written.values() if isinstance(one, dict) and "_target_" in one), {}
                )
            module, _, name = written["_target_"].rpartition(".")
            yield path.stem, getattr(import_module(module), name)


def _cases() -> Iterator[Any]:
    for stem, kind in _classes():
        for name, parameter in inspect.signature(kind).parameters.items():
            taken = str(parameter.annotation).split(" | ")
            values = _FLOATS if "float" in taken else _SIZES if "int" in taken else ()
            for value in values:
                yield pytest.param(kind, _REQUIRED.get(stem, {}), name, value, id=f"{stem}, {name}={value}")


@pytest.mark.parametrize(("kind", "required", "option", "value"), _cases())
def test_it_is_refused(kind: Any, required: dict[str, Any], option: str, value: float) -> None:
    kind(**required)
    with pytest.raises(OptionError) as refused:
        kind(**{**required, option: value})
    assert refused.value.option == option
