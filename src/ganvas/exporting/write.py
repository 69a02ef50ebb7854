"""A folder of programs with the contract of each: all of it, each checked, or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.exporting.check import Runner, check_program
from ganvas.exporting.programs import Program, Value, programs_of
from ganvas.exporting.tools import OPSET, require_onnx, to_onnx, to_torch
from ganvas.files.write import new_folder
from ganvas.modality.interface import Modality
from ganvas.modality.points import Values
from ganvas.version import __version__

CONTRACT = "contract.json"
_Make = Callable[[Program], tuple[bytes, Runner]]
TOOLS: dict[str, tuple[_Make, str, str]] = {  # format -> what makes it, its files' ending, who checks it
    "onnx": (to_onnx, ".onnx", "onnxruntime"),
    "torch": (to_torch, ".pt2", "torch"),
}


def write_programs(out: Path, form: str, model: Any, data: Any, record: dict[str, Any], *, raw: bool) -> None:
    """Writes the programs of a run and contract.json into a new folder.

    Args:
        form: ``onnx`` or ``torch``.
        model, data, record: see ``ganvas.run.load.load_run``.
        raw: the trained weights instead of their average.

    Raises:
        OptionError: ``--format``: a program cannot be made, or computes something else than ganvas does.
        OSError: the folder cannot be written.
    """
    if form == "onnx":
        require_onnx()
    make, suffix, tool = TOOLS[form]
    programs = programs_of(model, data, raw=raw)
    require(bool(programs), "--format", form, "holds nothing of this run; choose another format")
    files, entries = {}, {}
    for wanted in programs:
        program, content, checked = _made(wanted, make, tool)
        files[f"{program.name}{suffix}"] = content
        entries[program.name] = {
            "file": f"{program.name}{suffix}",
            "sha256": hashlib.sha256(content).hexdigest(),
            "inputs": [_described(value) for value in program.inputs],
            "outputs": [_described(value) for value in program.outputs],
            **program.notes,
            "checked": checked,
        }
    contract = describe(model, data, record) | {"format": form, "programs": entries}
    if form == "onnx":
        contract["opset"] = OPSET
    with new_folder(out) as place:
        for name, content in files.items():
            place.write(name, content)
        place.write(CONTRACT, (json.dumps(contract, indent=2) + "\n").encode())


def describe(model: Any, data: Any, record: dict[str, Any]) -> dict[str, Any]:
    """What everybody may know who takes the weights: recipe, data, classes, how samples are normalized."""
    trained: dict[str, Any] = record["ganvas"]
    environment = trained.get("environment")
    facts = environment.get("data") if isinstance(environment, dict) else None
    source = getattr(getattr(model, "tokenizer", None), "data", None) or getattr(data, "source", data)
    names = getattr(source, "class_names", None) or None
    return {
        "ganvas": __version__,
        "recipe": type(model).__name__,
        "examples_seen": model.examples_seen,
        "data": {"name": type(source).__name__, **(facts if isinstance(facts, dict) else {})},
        "num_classes": getattr(source, "num_classes", None),
        "class_names": None if names is None else [str(name) for name in names],
        "normalization": _kind(source).normalization,
    }


def _made(program: Program, make: _Make, tool: str) -> tuple[Program, bytes, dict[str, Any]]:
    """A checked program: for samples of any length, or of one where the tool cannot hold the former."""
    try:
        content, run = make(program)
        return program, content, check_program(program, run, tool)
    except OptionError:
        if not program.takes_lengths:
            raise
    return _made(program.of_one_length(), make, tool)


def _kind(data: Any) -> Modality | type[Modality]:
    """What the data's samples are, also where the data are not there."""
    if data.modality_kind is not None:
        return data.modality_kind  # type: ignore[no-any-return]
    try:
        return data.modality  # type: ignore[no-any-return]
    except (OptionError, OSError):
        return Values


def _described(value: Value) -> dict[str, Any]:
    ranged = {} if value.low is None else {"range": [value.low, value.high]}
    shape: list[Any] = [] if value.shape is None else ["batch", *value.shape]
    if value.step is not None:
        shape[-1] = "frames" if value.step == 1 else f"{value.step} * frames"
    return {"name": value.name, "dtype": value.dtype, "shape": shape, **ranged, "about": value.about}
