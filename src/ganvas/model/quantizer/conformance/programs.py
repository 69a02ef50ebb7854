"""Programs that torch makes of a quantizer: traced, exported, compiled, and of ONNX."""

from __future__ import annotations

import copy
import importlib.util
import os
import re
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, export

from ganvas.functional.quiet import quiet_exporters
from ganvas.model.quantizer.conformance.expect import NotAsked, expect, expect_close, expect_equal
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.interface import Quantizer


class _Call(nn.Module):
    """One method of a quantizer, as a module."""

    def __init__(self, quantizer: Quantizer, call: Callable[[Quantizer, Tensor], Any]) -> None:
        super().__init__()
        self.quantizer, self.call = quantizer, call

    def forward(self, x: Tensor) -> Any:
        return self.call(self.quantizer, x)


def _encode(quantizer: Quantizer, z: Tensor) -> Tensor:
    return quantizer.encode(z)


def _decode(quantizer: Quantizer, indices: Tensor) -> Tensor:
    return quantizer.decode(indices)


def _all(quantizer: Quantizer, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    indices = quantizer.encode(z)
    return quantizer(z).quantized, indices, quantizer.decode(indices)


def a_traced_program(subject: Subject) -> None:
    """torch.jit.trace of forward and of encode, in eval mode, holds for other batches and other latents."""
    quantizer = subject.trained()
    quantizer.requires_grad_(False)
    z = 3 * subject.latents(9)

    def encode(x: Tensor) -> Tensor:  # torch traces no methods
        return quantizer.encode(x)

    def quantize(x: Tensor) -> Tensor:
        return quantizer(x).quantized

    for call in (encode, quantize):
        with quiet_exporters():
            program: Any = torch.jit.trace(call, (subject.latents(2),), check_trace=False)
        expect_equal(program(z), call(z), f"traced {call.__name__}")


def an_exported_program(subject: Subject) -> None:
    """torch.export of forward, encode and decode in eval mode, with a dynamic batch, gives what they give.

    Asked are samples whose codes are not chosen by rounding: a program sums in another order.
    """
    module = _Call(subject.trained(), _all).eval()
    program: Any = export(module, (subject.latents(4),), dynamic_shapes=({0: Dim("batch", min=2)},))
    for size in (2, 9, 10_000 * 4 // max(1, subject.latents(1)[0, 0].numel())):  # the last in several chunks
        z = _decided(module.quantizer, subject.latents(max(2, size)))
        names = ("quantized", "encode", "decode")
        for found, asked, name in zip(program.module()(z), module(z), names, strict=True):
            expect_equal(found, asked, f"exported {name} of {len(z)} samples")


def _decided(quantizer: Quantizer, z: Tensor) -> Tensor:
    """The samples, nearly all of z [B, ...], that have their codes too where they lie 1e-4 beside: a
    dot product near 1 tells angles apart no better in float32."""
    codes, draws = quantizer.encode(z), torch.Generator().manual_seed(0)
    stay = torch.ones(len(z), dtype=torch.bool)
    for _ in range(8):
        beside = z + 1e-4 * z.std() * torch.randn(z.shape, generator=draws)
        stay &= (quantizer.encode(beside) == codes).flatten(1).all(1)
    stay[:2] = True  # a program for one sample alone would be another
    expect(
        int((~stay).sum()) <= max(1, len(z) // 50),
        f"{int((~stay).sum())} of {len(z)} samples have no sure code",
    )
    return z[stay]


def a_compiled_one(subject: Subject) -> None:
    """torch.compile of it has the codes, losses and gradients that it has without, in both modes."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None and shutil.which("clang++") is None:
        raise NotAsked(f"torch.compile needs a C++ compiler ({compiler})")
    for training in (False, True):
        quantizer = subject.trained(training)
        plain, name = copy.deepcopy(quantizer), "in training" if training else "in eval mode"
        program = torch.compile(quantizer, dynamic=True)
        for size in (subject.batch, subject.batch + 3):
            z = subject.latents(size)
            first, second = z.clone().requires_grad_(True), z.clone().requires_grad_(True)
            found, asked = program(first), plain(second)
            expect_equal(found.indices, asked.indices, f"compiled indices {name}")
            expect_close(found.quantized, asked.quantized, f"compiled quantized {name}")
            expect_close(found.loss, asked.loss, f"the compiled loss {name}")
            for output in (found, asked):
                (output.loss + output.quantized.sum()).backward()
            expect_close(first.grad, second.grad, f"the compiled gradient {name}")
        states = dict(quantizer.named_buffers()), dict(plain.named_buffers())
        expect_close(*states, f"a compiled one's buffers {name}")
    torch.compiler.reset()


def onnx_of_encode_and_decode(subject: Subject) -> None:
    """ONNX of encode and of decode, with a dynamic batch, give what they give; asked where onnx, onnxscript
    and onnxruntime are installed, and of operators that ONNX has."""
    absent = [
        name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None
    ]
    if absent:
        raise NotAsked(f"it needs {', '.join(absent)}; pip install 'ganvas[onnx]'")
    quantizer = subject.trained()
    quantizer.requires_grad_(False)
    z = subject.latents(9)
    indices = quantizer.encode(z)
    _one_onnx(_Call(quantizer, _encode).eval(), z, indices, "encode")
    _one_onnx(_Call(quantizer, _decode).eval(), indices, quantizer.decode(indices), "decode")


def _one_onnx(module: nn.Module, given: Tensor, asked: Tensor, name: str) -> None:
    runtime: Any = importlib.import_module("onnxruntime")
    shapes = ({0: Dim("batch", min=2)},)
    try:
        with quiet_exporters():
            program: Any = torch.onnx.export(
                module, (given[:4],), dynamo=True, dynamic_shapes=shapes, verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if lacking := re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", str(cause)):
            raise NotAsked(f"{name} takes {lacking[1]}, which ONNX has no operator for") from error
        raise
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {session.get_inputs()[0].name: given.numpy()})
    if asked.is_floating_point():
        expect_close(torch.from_numpy(found), asked, f"ONNX of {name}")
    else:
        expect_equal(torch.from_numpy(found), asked, f"ONNX of {name}")
    expect(found.shape[0] == len(given), f"ONNX of {name} has {found.shape[0]} samples of {len(given)}")
