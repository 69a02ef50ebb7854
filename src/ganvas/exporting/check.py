"""Whether what another tool computes is what ganvas computes; nothing is written before it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.exporting.programs import Program, Tensors, Value

TOLERANCE = 1e-5  # of the range of an output
BATCHES = (1, 5)  # none of them is the one that programs are made with
FRAMES = (2, 7)  # codes of samples that are shorter and longer, where a program takes any length

Runner = Callable[[Tensors], Tensors]  # an exported program, loaded by the tool that is to run it


def check_program(program: Program, run: Runner, tool: str) -> dict[str, Any]:
    """Holds an exported program against what ganvas computes, on random and on real inputs.

    Returns:
        What was compared, for the contract: ``inputs``, ``batches``, ``tolerance`` and of each output
        the largest difference ``max_error``, as a share of its range (of indices 0: they are equal).

    Raises:
        OptionError: ``--format``: an output is another one.
    """
    errors: dict[str, float] = {}
    kinds = {"random": program.random, "real": program.real}
    lengths = {f"random, {frames} frames of": partial(program.random, frames=frames) for frames in FRAMES}
    kinds |= lengths if program.takes_lengths else {}
    done, left_out = [], {}
    for kind, make in kinds.items():
        for batch in BATCHES:
            try:
                given = make(batch)
            except (OptionError, OSError) as error:
                if kind != "real":
                    raise
                left_out[kind] = str(error)
                break
            asked = program.reference(*given)
            try:
                found = run(given)
            except Exception as error:  # the tool's own, e.g. a batch of another size that it does not take
                reason = f"{program.name} of {batch} {kind} inputs fails in {tool} ({type(error).__name__})"
                reason += "; nothing is written, choose another format"
                raise OptionError("--format", tool, reason) from error
            for value, one, other in zip(program.outputs, asked, found, strict=True):
                error_here = _difference(value, one, other)
                if error_here > (0 if value.dtype == "int64" else TOLERANCE):
                    where = f"{program.name}'s {value.name} of {batch} {kind} inputs"
                    reason = f"by {tool} {where} differ by {error_here:.1e} of the range"
                    raise OptionError(
                        "--format", tool, f"{reason}; nothing is written, choose another format"
                    )
                errors[value.name] = max(errors.get(value.name, 0.0), error_here)
        else:
            done += [] if kind in lengths else [kind]
    return {
        "by": tool,
        "inputs": done,
        **({"left_out": left_out} if left_out else {}),
        "batches": list(BATCHES),
        **({"frames": list(FRAMES)} if program.takes_lengths else {}),
        "tolerance": TOLERANCE,
        "max_error": errors,
    }


def _difference(value: Value, asked: Tensor, found: Tensor) -> float:
    """The largest difference as a share of the range, of indices the share that differs; inf: other shape."""
    if asked.shape != found.shape or asked.dtype != found.dtype:
        return float("inf")
    if value.dtype == "int64":
        return float((asked != found).double().mean())
    there = asked.isfinite()
    if not torch.equal(there, found.isfinite()) or not torch.equal(asked[~there], found[~there]):
        return float("inf")
    wide, other = asked[there].double(), found[there].double()
    if not wide.numel():
        return 0.0
    declared = value.low is not None and value.high is not None
    span = (value.high - value.low) if declared else float(wide.max() - wide.min())  # type: ignore[operator]
    return float((wide - other).abs().max()) / max(span, 1e-12)
