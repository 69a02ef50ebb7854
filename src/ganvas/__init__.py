"""ganvas: experiments with GANs and vector-quantized autoencoders.

A Python program finds here what the commands do (docs/python.md); nothing is imported before it is asked for.
"""

from typing import TYPE_CHECKING, Any

from ganvas.version import __version__

if TYPE_CHECKING:
    from ganvas.api.config import Config, compose
    from ganvas.api.evaluation import evaluate
    from ganvas.api.exporting import export
    from ganvas.api.files_of_codes import decode, encode
    from ganvas.api.loading import load, runs
    from ganvas.api.run import Run
    from ganvas.api.training import resume, train
    from ganvas.compare.side_by_side import compare_runs as compare
    from ganvas.errors import NonFiniteError, OptionError, RankError

__all__ = [
    "Config",
    "NonFiniteError",
    "OptionError",
    "RankError",
    "Run",
    "__version__",
    "compare",
    "compose",
    "decode",
    "encode",
    "evaluate",
    "export",
    "load",
    "resume",
    "runs",
    "train",
]

_HOMES = {
    "Config": "api.config",
    "compose": "api.config",
    "decode": "api.files_of_codes",
    "encode": "api.files_of_codes",
    "evaluate": "api.evaluation",
    "export": "api.exporting",
    "Run": "api.run",
    "load": "api.loading",
    "runs": "api.loading",
    "resume": "api.training",
    "train": "api.training",
    "NonFiniteError": "errors",
    "OptionError": "errors",
    "RankError": "errors",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "compare":  # a package that can be called
        return importlib.import_module("ganvas.compare")
    if name not in _HOMES:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ganvas.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
