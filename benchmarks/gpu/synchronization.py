"""Places where a training step makes the host wait for the device."""

from __future__ import annotations

import random
import sys
import traceback
import warnings
import wave
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganvas.files.folders import packaged_conf
from runs import NUM_CLASSES, Bench, train

FIRST, LAST = 3, 5  # the watched batches: what happens once (state, buffers, cuDNN) is over by then
_MESSAGE = "called a synchronizing CUDA operation"
# What reads values on the host, where the device is the CPU and no driver tells.
_READS = ("_local_scalar_dense", "nonzero", "masked_select", "bincount", "_unique2", "unique_dim", "equal")
_WRAPPERS = (
    "/warnings.py",
    "/torch/_dynamo/eval_frame.py",
    "/torch/_compile.py",
)  # frames that say nothing of a place


def check(bench: Bench) -> dict[str, Any]:
    """For each recipe: place -> waits per step, inside the step and between steps (the next batch)."""
    quantizers = sorted(path.stem for path in (packaged_conf() / "model" / "quantizer").glob("*.yaml"))
    cases = {name: [name] for name in ("mlp_gan", "dcgan", "mlp_vqvae")}
    cases |= {f"vqvae, {name}": ["vqvae", f"model/quantizer={name}"] for name in quantizers}
    # levels of which some samples have none, and so a weight
    dropped = "model.quantizer.dropout=0.5"
    cases["vqvae, residual, dropout"] = ["vqvae", "model/quantizer=residual", dropped]
    cases["sound_vqvae"] = ["sound_vqvae", f"data.root={_sounds(bench.folder / 'sounds')}"]
    result: dict[str, Any] = {"batches": LAST - FIRST + 1, "how": _how(bench), "recipes": {}}
    if bench.on_gpu:
        watch = Watch(bench.on_gpu)
        watch.begin()
        torch.ones(1, device=bench.device).item()
        watch.end()
        bench.expect(len(watch.places["step"]) > 0, "a wait made on purpose was not seen: nothing is shown")
    for name, words in cases.items():
        result["recipes"][name] = bench.attempt(name, partial(_watched, bench, name, words))
    return result


def _watched(bench: Bench, name: str, words: list[str]) -> dict[str, Any]:
    watch = Watch(bench.on_gpu)
    train(
        bench.words(*words, "trainer.log_every_examples=1000000000"),
        bench.folder / "synchronization",
        steps=LAST + 2,
        callbacks=[watch],
    )
    steps = LAST - FIRST + 1
    found = {
        phase: {place: count / steps for place, count in places.items()}
        for phase, places in watch.places.items()
    }
    if bench.on_gpu:
        for place, count in found["step"].items():
            bench.expect(False, f"{name}: {count:g} waits a step at {place}")
    return found


def _sounds(folder: Path) -> Path:
    """Sounds of noise, 8 kHz, in a folder for each class."""
    for number in range(160):
        path = folder / f"class{number % NUM_CLASSES}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(random.Random(number).randbytes(2 * 4000))
    return folder


def _how(bench: Bench) -> str:
    if bench.on_gpu:
        return "torch.cuda.set_sync_debug_mode"
    return "operators that read values, as the CPU's dispatcher meets them: a hint, and no failure"


class Watch(pl.Callback):
    """Counts the places where the host waits, inside training steps and between them.

    Attributes:
        places: ``step`` and ``between`` -> "line of ours <- innermost line" -> how often.
    """

    def __init__(self, on_gpu: bool) -> None:
        self.on_gpu = on_gpu
        self.places: dict[str, Counter[str]] = {"step": Counter(), "between": Counter()}
        self._phase = "step"
        self._batches = 0
        self._open: ExitStack | None = None

    def begin(self) -> None:
        self._open = ExitStack()
        if not self.on_gpu:
            self._open.enter_context(_Reads(self._note))
            return
        self._open.enter_context(warnings.catch_warnings())
        warnings.simplefilter("always")
        warnings.showwarning = self._on_warning  # type: ignore[assignment]
        torch.cuda.set_sync_debug_mode("warn")
        self._open.callback(torch.cuda.set_sync_debug_mode, "default")

    def end(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def on_train_batch_start(self, *_: Any) -> None:
        self._phase = "step"
        if self._batches == FIRST:
            self.begin()

    def on_train_batch_end(self, *_: Any) -> None:
        self._phase = "between"
        if self._batches == LAST:
            self.end()
        self._batches += 1

    def on_exception(self, *_: Any) -> None:
        self.end()

    def _on_warning(self, message: Any, *_: Any, **__: Any) -> None:
        if _MESSAGE in str(message):
            self._note()

    def _note(self) -> None:
        self.places[self._phase][place_of_caller()] += 1


def place_of_caller() -> str:
    """The innermost line of ganvas on the stack, and the innermost of all where that is another's."""
    frames = [
        frame
        for frame in traceback.extract_stack(sys._getframe(1))
        if frame.filename != __file__ and not frame.filename.endswith(_WRAPPERS)
    ]
    ours = [frame for frame in frames if "/ganvas/" in frame.filename]
    inner = frames[-1]
    text = f"{_short(inner.filename)}:{inner.lineno} {inner.name}"
    if ours and ours[-1] is not inner:
        return f"{_short(ours[-1].filename)}:{ours[-1].lineno} {ours[-1].name} <- {text}"
    return text


def _short(path: str) -> str:
    """The path from the package on."""
    for package in ("ganvas", "pytorch_lightning", "lightning_fabric", "torch", "gpu"):
        _, middle, tail = path.rpartition(f"/{package}/")
        if middle:
            return f"{package}/{tail}"
    return path


class _Reads(TorchDispatchMode):
    """Calls ``note`` wherever an operator hands a value of a tensor to the host."""

    def __init__(self, note: Any) -> None:
        super().__init__()
        self._note = note

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        masked = name.startswith("index") and len(args) > 1 and _has_mask(args[1])
        if name in _READS or masked:
            self._note()
        return func(*args, **(kwargs or {}))


def _has_mask(indices: Any) -> bool:
    if not isinstance(indices, list | tuple):
        return False
    return any(isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in indices)
