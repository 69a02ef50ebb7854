"""Faults at named points of a run, put into its process before it starts.

``at(point, occurrence, action)`` calls the action when the point is reached for the n-th time. Points know
Lightning, torch and the operating system, not how ganvas is written inside: backward passes are seen by hooks
on parameters, steps by torch's optimizer hooks, writes of a file by what the kernel lets the process write.
"""

from __future__ import annotations

import functools
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Action = Callable[[], None]

CHECKPOINT = r"(\.ckpt(\.tmp)?|/staging/.*)$"  # plain Lightning stages in $TMPDIR, which is ./staging
SIDECAR = r"\.ckpt\.sha256(\..*\.tmp)?$"
STATUS = r"status\.json"


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def send(number: int) -> Action:
    return lambda: os.kill(os.getpid(), number)


def fail(number: int) -> Action:
    """Raises OSError(number), as a system call would."""

    def action() -> None:
        raise OSError(number, os.strerror(number))

    return action


def at(point: str, occurrence: int, action: Action, *, until: int | None = None) -> None:
    """Calls ``action`` at the ``occurrence``-th time and no other (or at every time from it to ``until``)."""
    last = occurrence if until is None else until
    count = 0

    def reached() -> None:
        nonlocal count
        count += 1
        if occurrence <= count <= last:
            action()

    POINTS[point](reached)


def on_model(change: Callable[[Any], None]) -> None:
    """``change(model)`` once, before it is trained."""
    import pytorch_lightning as pl

    fit = pl.Trainer.fit

    @functools.wraps(fit)
    def wrapped(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        change(model)
        return fit(self, model, *args, **kwargs)

    pl.Trainer.fit = wrapped  # type: ignore[method-assign]


def first_parameter(model: Any, *names: str) -> Any:
    """The first parameter of the first of these networks that the model has."""
    network = next(getattr(model, name) for name in names if hasattr(model, name))
    return next(network.parameters())


def _backward(*networks: str) -> Callable[[Action], None]:
    def install(reached: Action) -> None:
        on_model(lambda model: first_parameter(model, *networks).register_hook(lambda gradient: reached()))

    return install


def _step(when: str, *networks: str) -> Callable[[Action], None]:
    """Before or after an optimizer's step; the optimizer is known by its parameters."""

    def install(reached: Action) -> None:
        import torch.optim.optimizer as optimizers

        def change(model: Any) -> None:
            mine = first_parameter(model, *networks)
            register = getattr(optimizers, f"register_optimizer_step_{when}_hook")
            register(lambda o, *_: reached() if o.param_groups[0]["params"][0] is mine else None)

        on_model(change)

    return install


def _average(reached: Action) -> None:
    """In the middle of an average's update: half of its tensors are new."""
    import torch

    update = torch._foreach_lerp_

    def half(averages: Any, values: Any, weight: Any) -> Any:
        middle = len(averages) // 2
        update(averages[:middle], values[:middle], weight)
        reached()
        return update(averages[middle:], values[middle:], weight)

    torch._foreach_lerp_ = half  # type: ignore[assignment]


def _codebook(reached: Action) -> None:
    """After the quantizer's forward pass: its running means are new, the networks old."""
    on_model(
        lambda model: model.quantizer.register_forward_hook(
            lambda module, *_: reached() if module.training else None
        )
    )


def _hook(name: str) -> Callable[[Action], None]:
    """Before a hook of the LightningModule."""

    def install(reached: Action) -> None:
        def change(model: Any) -> None:
            method = getattr(type(model), name)

            @functools.wraps(method)
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                reached()
                return method(*args, **kwargs)

            setattr(type(model), name, wrapped)

        on_model(change)

    return install


def _evaluation(reached: Action) -> None:
    """Before the metrics of a trained run are computed."""
    from ganvas.callback.evaluation import Evaluation

    evaluate = Evaluation._evaluate

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        reached()
        return evaluate(*args, **kwargs)

    setattr(Evaluation, "_evaluate", wrapped)  # noqa: B010 (a method, replaced on purpose)


def _call(names: tuple[str, ...], pattern: str, when: str, argument: int) -> Callable[[Action], None]:
    """Before or after an os function on a path that fits."""

    def install(reached: Action) -> None:
        for name in names:
            function = getattr(os, name)

            def wrapped(*args: Any, _function: Any = function, **kwargs: Any) -> Any:
                what = args[argument]
                path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)
                fits = re.search(pattern, path) is not None
                if fits and when == "before":
                    reached()
                result = _function(*args, **kwargs)
                if fits and when == "after":
                    reached()
                return result

            setattr(os, name, wrapped)

    return install


def opened(pattern: str, reached: Callable[[str], None]) -> None:
    """``reached(path)`` before a file that fits is opened for writing, however that is done."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path = os.fsdecode(args[0])
            if args[2] & (os.O_WRONLY | os.O_RDWR) and re.search(pattern, path):
                reached(path)

    sys.addaudithook(hook)


def limit_writes(size: int | None) -> None:
    """No file grows beyond ``size`` bytes: the write at that place fails (EFBIG), or see :func:`in_write`."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


def _open_point(pattern: str) -> Callable[[Action], None]:
    return lambda reached: opened(pattern, lambda path: reached())


def in_write(pattern: str, occurrence: int, size: Callable[[str], int]) -> None:
    """Ends the process in the n-th write of a file that fits, when it has ``size(path)`` bytes."""
    count = 0

    def reached(path: str) -> None:
        nonlocal count
        count += 1
        if count == occurrence:
            limit_writes(size(path))

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel ends the process at the first byte too many
    opened(pattern, reached)


def half_a_row(path: str) -> int:
    """A size in the middle of the next row of a file that grows."""
    return (Path(path).stat().st_size if Path(path).exists() else 0) + 20


def _event(reached: Action) -> None:
    """In the middle of a record of TensorBoard's file."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    write = RecordWriter.write

    def torn(self: Any, data: bytes) -> None:
        file = self._writer
        whole: list[bytes] = []
        self._writer = type("Pieces", (), {"write": lambda _, piece: whole.append(piece)})()
        write(self, data)
        self._writer = file
        record = b"".join(whole)
        file.write(record[: len(record) // 2])
        file.flush()
        reached()
        file.write(record[len(record) // 2 :])

    RecordWriter.write = torn  # type: ignore[method-assign]


POINTS: dict[str, Callable[[Action], None]] = {
    "in-d": _backward("discriminator", "encoder"),
    "between-d-and-g": _step("post", "discriminator"),
    "before-step": _step("pre", "discriminator", "encoder"),
    "in-g": _backward("generator", "decoder"),
    "after-g-step": _step("post", "generator", "encoder", "prior"),
    "in-ema": _average,
    "in-codebook": _codebook,
    "validation": _hook("validation_step"),
    "epoch-end": _hook("on_train_epoch_end"),
    "evaluation": _evaluation,
    "checkpoint-open": _open_point(CHECKPOINT),
    "sidecar-open": _open_point(SIDECAR),
    "checkpoint-before-fsync": _call(("fsync",), CHECKPOINT, "before", 0),
    "checkpoint-after-fsync": _call(("fsync",), CHECKPOINT, "after", 0),
    "sidecar-before-fsync": _call(("fsync",), SIDECAR, "before", 0),
    "folder-fsync": _call(("fsync",), r"/checkpoints$", "before", 0),
    "sidecar-before-replace": _call(("replace", "rename"), SIDECAR, "before", 1),
    "checkpoint-before-replace": _call(("replace", "rename"), r"\.ckpt$", "before", 1),
    "checkpoint-after-replace": _call(("replace", "rename"), r"\.ckpt$", "after", 1),
    "status-before-replace": _call(("replace", "rename"), STATUS, "before", 1),
    "prune-before": _call(("unlink", "remove"), r"/\d+\.ckpt$", "before", 0),
    "prune-after": _call(("unlink", "remove"), r"/\d+\.ckpt$", "after", 0),
    "event-torn": _event,
}
