"""No part takes a number that is not finite, or a size, an interval or a span that is not whole."""

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

_CONF = Path(__file__).parents[2] / "conf/model"
_GROUPS = ["quantizer", "reconstruction_loss", "adversarial_loss", "gradient_penalty", "regularizer"]
_GROUPS += ["augment", "ema", "head", "schedule"]
_INNER = {"inner": lambda: EMAVectorQuantizer(8, 3)}
_HEAD = {"feature_dim": 8, "num_classes": 3}
_REQUIRED: dict[str, dict[str, Any]] = {
    "quantizer/fsq": {"levels": [5, 4], "embedding_dim": 2},
    "quantizer/grouped": _INNER,
    "quantizer/multiscale": _INNER,
    "quantizer/residual": _INNER,
    "reconstruction_loss/mel": {"rate": 8000},
    "reconstruction_loss/perceptual": {"features": None},
    "schedule/constant": {"value": 1.0},
    "schedule/linear": {"first": 1.0, "last": 0.0, "examples": 100},
    "schedule/cosine": {"first": 1.0, "last": 0.0, "examples": 100},
    "schedule/warmup_cosine": {"first": 0.0, "peak": 1.0, "last": 0.0, "warmup": 10, "examples": 100},
}
_FLOATS = (math.inf, -math.inf, math.nan)
_SIZES = (2.5, 4.0, True)


def _classes() -> Iterator[tuple[str, Any]]:
    for path in [path for group in _GROUPS for path in sorted((_CONF / group).glob("*.yaml"))]:
        written = yaml.safe_load(path.read_text())
        # of a part that stands in a list, its options are under its name
        named = [one for one in written.values() if isinstance(one, dict) and "_target_" in one]
        if target := (named[0] if named and "_target_" not in written else written).get("_target_"):
            module, _, name = target.rpartition(".")
            yield f"{path.parent.name}/{path.stem}", getattr(import_module(module), name)


def _cases() -> Iterator[Any]:
    for part, kind in _classes():
        for name, parameter in inspect.signature(kind).parameters.items():
            taken = str(parameter.annotation).split(" | ")
            values = _FLOATS if "float" in taken else _SIZES if "int" in taken else ()
            for value in values:
                required = _REQUIRED.get(part, _HEAD if part.startswith("head/") else {})
                yield pytest.param(kind, required, name, value, id=f"{part}, {name}={value}")


@pytest.mark.parametrize(("kind", "required", "option", "value"), _cases())
def test_it_is_refused(kind: Any, required: dict[str, Any], option: str, value: float) -> None:
    kind(**required)
    with pytest.raises(OptionError) as refused:
        kind(**{**required, option: value})
    assert refused.value.option == option
