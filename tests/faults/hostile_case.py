"""One attack: what is laid out, the command that walks into it, and how it must end.

Used by tests/faults/test_hostile.py and by the fault matrix. A case survives where the command ends with the
expected code, says one line, shows no traceback, runs nothing (the canary file is absent) and leaves every
file as it was.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import io
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml

Checkpoint = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """An attack.

    Attributes:
        name: unique, for tables and tests.
        prepare: (canary, folder) -> the words after ``ganvas``; what runs as code makes the file ``canary``.
        code: the exit code that must come: 2 refused, 0 for what must only not be upset.
        says: a part of the one line on stderr (code 2) or of stdout (code 0).
        trust: an archive whose sha256 takes the place of the pinned one: only what comes after counts.
    """

    name: str
    prepare: Callable[[Path, Path], list[str]]
    code: int = 2
    says: str = ""
    trust: str | None = None


def complaint(case: Case, place: Path) -> str | None:
    """Runs the case in this process, in an empty folder; what went wrong, or None where it survived."""
    folder, canary = place / "work", place / "canary"
    folder.mkdir(parents=True)
    with _inside(folder):
        words = case.prepare(canary, folder)
        before = _files(folder)
        with _trusting(case, folder):
            code, out, err = run(words)
        changed = sorted(set(before.items()) ^ set(_files(folder).items()))
    if canary.exists():
        return "the canary was written"
    if code != case.code:
        return f"exit code {code}, not {case.code}: {err[-800:]}"
    if "Traceback" in err:
        return f"a traceback: {err[-800:]}"
    # What was to be trained is said where only torch finds what is wrong.
    announced = len(out.splitlines()) == 1 and ", seed " in out
    if case.code == 2 and ((out and not announced) or len(err.splitlines()) != 1 or len(err) > 1000):
        return f"not one line: {out[:200]!r} {err[:400]!r}"
    if case.says not in (err if case.code else out):
        return f"another reason than {case.says!r}: {(err if case.code else out)[:400]}"
    return f"files changed: {[name for name, _ in changed]}" if changed else None


def run(words: list[str]) -> tuple[int, str, str]:
    """A command in this process: exit code, stdout, stderr; an exception is a traceback and code 1."""
    from ganvas.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
            code = 1
    return code, out.getvalue(), err.getvalue()


def base_run(model: str, callback: str = "none") -> Path:
    """A small trained run, made once; cases copy it."""
    return _base_run(model, callback)


@functools.cache  # which knows calls by the way they are written, so that there is one
def _base_run(model: str, callback: str) -> Path:
    # Workers of pytest end without their atexit, but what lies beside the tests' cache goes with the session.
    cache = os.environ.get("GANVAS_CACHE")
    folder = Path(tempfile.mkdtemp(prefix="ganvas-hostile-", dir=Path(cache).parent if cache else None))
    maker = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == maker else None)
    code, _, err = run(
        [
            "train",
            f"model={model}",
            "trainer.max_examples=64",
            f"callback={callback}",
            "logger=none",
            f"paths.run_dir={folder}/run",
        ]
    )
    assert code == 0, err
    return folder / "run"


def warm() -> None:
    """Makes what the cases share, before a process is forked for each."""
    for model in ("mlp_gan", "mlp_vqvae"):
        base_run(model)


def forged_run(folder: Path, model: str = "mlp_gan", callback: str = "none") -> Path:
    """A copy of a trained run at ``<folder>/run``."""
    path = folder / "run"
    shutil.copytree(base_run(model, callback), path)
    return path


def edit_config(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the config in a run's run.yaml."""
    file = path / "run.yaml"
    run = yaml.safe_load(file.read_text())
    change(run["config"])
    file.write_text(yaml.dump(run, sort_keys=False))


def edit_checkpoint(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes what a run's checkpoint holds, and its hash with it."""
    checkpoint = torch.load(checkpoint_of(path), weights_only=True)
    returned = change(checkpoint)
    write_checkpoint(path, checkpoint if returned is None else returned)


def write_checkpoint(path: Path, content: Any, **options: Any) -> None:
    file = io.BytesIO()
    torch.save(content, file, **options)
    write_bytes(path, file.getvalue())


def write_bytes(path: Path, data: bytes) -> None:
    """A run's checkpoint, with the hash that belongs to it."""
    file = checkpoint_of(path)
    file.write_bytes(data)
    sidecar = file.with_name(f"{file.name}.sha256")
    sidecar.write_text(f"{hashlib.sha256(data).hexdigest()}  {file.name}\n")


def checkpoint_of(path: Path) -> Path:
    (file,) = path.glob("checkpoints/*.ckpt")
    return file


def forged(
    name: str, forge: Callable[[Path, Path], object], command: str, says: str = "", model: str = "mlp_gan"
) -> Case:
    """``forge(canary, run)`` writes the checkpoint."""

    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder, model)
        forge(canary, path)
        return [command, str(path)]

    return Case(f"checkpoint/{name}", prepare, says=says or "is no checkpoint of ganvas")


def edited(
    name: str, change: Callable[[Checkpoint], object], command: str, says: str = "", model: str = "mlp_gan"
) -> Case:
    return forged(name, lambda canary, run: edit_checkpoint(run, change), command, says, model)


def put_at(*path: Any, value: Any) -> Callable[[Checkpoint], None]:
    def change(checkpoint: Checkpoint) -> None:
        node = checkpoint
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def without(key: str) -> Callable[[Checkpoint], None]:
    return lambda checkpoint: checkpoint.__delitem__(key)


def first_weight(change: Callable[[torch.Tensor], Any]) -> Callable[[Checkpoint], None]:
    """Changes the generator's first tensor."""

    def edit(checkpoint: Checkpoint) -> None:
        state = checkpoint["state_dict"]
        name = next(iter(state))
        state[name] = change(state[name])

    return edit


class Payload:
    """Pickled, it is a call: ``Payload(os.system, "touch x")`` runs where it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """In the folder, which lies on the import path as it does for ``python -m ganvas``."""
    old, modules = Path.cwd(), set(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(old)
        sys.path.remove(str(folder))
        for name in set(sys.modules) - modules:
            if name.startswith("evil"):
                del sys.modules[name]


@contextlib.contextmanager
def _trusting(case: Case, folder: Path) -> Iterator[None]:
    from ganvas.data.cifar10 import CIFAR10

    if case.trust is None:
        yield
        return
    digest = hashlib.sha256((folder / case.trust).read_bytes()).hexdigest()
    with mock.patch.object(CIFAR10, "archive_sha256", digest):
        yield


def _files(folder: Path) -> dict[str, str]:
    """Every file with its content's hash, but for the locks of runs."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".lock":
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
