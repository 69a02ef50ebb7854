"""The tools that make programs of networks, and run them again: ONNX, and torch.export."""

from __future__ import annotations

import importlib.util
import inspect
import io
import re
from typing import Any

import torch
from torch.export import Dim

from ganvas.errors import OptionError
from ganvas.exporting.check import Runner
from ganvas.exporting.programs import Program, Tensors, Value
from ganvas.functional.quiet import quiet_exporters

EXAMPLES = 3  # samples of the batch that a program is made with
OPSET = 20  # of ONNX
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def require_onnx() -> None:
    """Raises OptionError unless the extra is installed."""
    absent = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        reason = f"needs {', '.join(absent)}, not installed here; pip install 'ganvas[onnx]'"
        raise OptionError("--format", "onnx", reason)


def to_onnx(program: Program) -> tuple[bytes, Runner]:
    """The program as ONNX with a dynamic batch, and what onnxruntime makes of it.

    Raises:
        OptionError: an operator that ONNX lacks, or anything else that the exporter does not take.
    """
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    names = [value.name for value in program.inputs]
    try:
        with quiet_exporters():
            made: Any = torch.onnx.export(
                program.module,
                program.random(EXAMPLES),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes_of(program, Dim("batch")),
                input_names=names,
                output_names=[value.name for value in program.outputs],
                verbose=False,
            )
        content: bytes = made.model_proto.SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever the exporter, its optimizer and the runtime meet
        raise _refused("onnx", program, error) from error

    def run(given: Tensors) -> Tensors:
        feeds = {name: x.numpy() for name, x in zip(names, given, strict=True)}
        return tuple(torch.from_numpy(one) for one in session.run(None, feeds))

    return content, run


def to_torch(program: Program) -> tuple[bytes, Runner]:
    """The program of ``torch.export`` with a dynamic batch, as a .pt2 file holds it, and it read back."""
    try:
        with quiet_exporters(), torch.no_grad():
            made = torch.export.export(
                program.module, program.random(EXAMPLES), dynamic_shapes=shapes_of(program, Dim.DYNAMIC)
            )
            file = io.BytesIO()
            torch.export.save(made, file)
            content = file.getvalue()
            loaded: Any = torch.export.load(io.BytesIO(content)).module()
    except Exception as error:  # likewise
        raise _refused("torch", program, error) from error

    def run(given: Tensors) -> Tensors:
        with torch.no_grad():
            found = loaded(*given)
        return found if isinstance(found, tuple) else (found,)

    return content, run


def shapes_of(program: Program, batch: Any) -> tuple[Any, ...]:
    """Which sizes of the inputs are dynamic, in the form of the module's arguments: the batch, and the
    last side of what may have any length."""
    each = [_dynamic(value, batch) for value in program.inputs]
    own = list(inspect.signature(program.module.forward).parameters.values())
    if own and own[-1].kind is inspect.Parameter.VAR_POSITIONAL:
        first = len(own) - 1
        return (*each[:first], *([tuple(each[first:])] if each[first:] else []))
    return tuple(each)


def _dynamic(value: Value, batch: Any) -> dict[int, Any] | None:
    if value.shape is None:
        return None
    sizes = {0: batch}
    if value.step is not None:
        frames: Any = Dim("frames", min=2)  # torch.export makes a program of its own of a side of 1
        sizes[len(value.shape)] = frames if value.step == 1 else value.step * frames
    return sizes


def _refused(tool: str, program: Program, error: Exception) -> OptionError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lacking = re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", str(cause))
    line = next(iter(str(cause).strip().splitlines()), "")
    why = f"takes {lacking[1]}, which ONNX lacks" if lacking else f"{type(cause).__name__}: {line[:160]}"
    reason = f"cannot hold its {program.name} ({why}); choose another format"
    return OptionError("--format", tool, reason)
