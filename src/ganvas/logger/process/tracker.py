"""A logger that hands everything to a tracker in a process of its own."""

from __future__ import annotations

import base64
import functools
import io
import math
import os
import subprocess
import sys
import uuid
from argparse import Namespace
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from lightning_fabric.utilities.rank_zero import rank_zero_only
from PIL import Image
from pytorch_lightning.loggers import Logger
from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.files.plain import load_object, load_plain
from ganvas.files.write import write_text
from ganvas.logger.process.channel import Channel


class Tracker(Logger):
    """What all trackers have in common; a subclass names its package.

    The process is started by the first thing that is logged. It goes on with the same tracker run after a
    resume, whose id is in ``<run>/<name>/run.json``. What metrics.jsonl and samples/ hold and the tracker
    does not is logged first; what the tracker holds already of a tag, up to that step, is not logged again.
    So each step is there once, and what a tracker missed is filled in at the next resume.

    A value that is not finite is left out, as metrics.jsonl has it as null. Rank 0 alone logs.

    Args:
        run_dir: the run's folder.
        save_dir: where the tracker keeps what it stores on this machine.
        project: what the tracker files runs under.
        finish_seconds: how long the end of a run waits for the tracker to take what is still on its way.

    Attributes:
        tracker: its name, of the option and of the file beside this one.
        package: the package that must be there.
        keys: variables of the environment; where one of them is set, it logs to a service.

    Raises:
        OptionError: the package is not installed, or a number is wrong.
    """

    tracker: ClassVar[str]
    package: ClassVar[str]
    keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, run_dir: str, save_dir: str, project: str, finish_seconds: float) -> None:
        super().__init__()
        within = math.isfinite(finish_seconds) and 0 < finish_seconds <= 3600
        require(within, "finish_seconds", finish_seconds, "must be from 0 to 3600 seconds; 30 is usual")
        self.run_dir, self._save_dir, self.project = Path(run_dir), Path(save_dir), project
        self.finish_seconds = finish_seconds
        self.python = self._find_python()
        self._channel: Channel | None = None
        self._pid = os.getpid()
        self._is_closed = False
        self._broken: OSError | None = None  # why it has no process
        self._error: OSError | None = None  # of the end, not told yet

    @property
    def name(self) -> str:
        return self.tracker

    @property
    def version(self) -> str:
        return self.run_dir.name

    @property
    def save_dir(self) -> str:
        return str(self._save_dir)

    @property
    def is_online(self) -> bool:
        """Whether it logs to a service: where the environment has a key or an address for it."""
        return any(os.environ.get(key) for key in self.keys)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the parameters are those of run.yaml, without secrets."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs scalars at ``step`` examples; never waits.

        Raises:
            OSError: the tracker is gone, hangs, or could not take what was logged before.
        """
        values = {tag: float(value) for tag, value in metrics.items() if math.isfinite(value)}
        self._send({"kind": "row", "step": int(step or 0), "values": values})

    @rank_zero_only
    def take_image(self, tag: str, image: Tensor, step: int) -> None:
        """Logs an image, uint8 [C, H, W] of one or three channels, at ``step`` examples; raises as above."""
        pixels = image.cpu().permute(1, 2, 0).numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "png")
        self._send_file("image", tag, ".png", buffer.getvalue(), step)

    @rank_zero_only
    def take_audio(self, tag: str, wav: bytes, step: int) -> None:
        """Logs a sound, a whole WAV file, at ``step`` examples; raises as above."""
        self._send_file("audio", tag, ".wav", wav, step)

    @rank_zero_only
    def check(self) -> None:
        """Raises OSError where the tracker has lost something since the last call."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Ends the tracker's process, after at most ``finish_seconds``; never raises (see :meth:`check`).

        Args:
            status: Lightning's: ``success``, or anything else.
        """
        if self._channel is None or self._is_closed or os.getpid() != self._pid:
            return
        self._is_closed = True
        try:
            self._channel.close({"kind": "close", "status": status}, self.finish_seconds)
        except OSError as error:
            self._error = error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_channel": None, "_is_closed": True}

    def options(self) -> dict[str, Any]:
        """What else its process is told of, of plain values."""
        return {}

    def _send_file(self, kind: str, tag: str, ending: str, content: bytes, step: int) -> None:
        data = base64.b64encode(content).decode()
        self._send({"kind": kind, "tag": tag, "step": int(step), "ending": ending, "data": data})

    def _send(self, message: dict[str, Any]) -> None:
        if self._is_closed or os.getpid() != self._pid:  # a forked process's copy
            return
        if self._broken is not None:
            raise self._broken
        if self._channel is None:
            try:
                self._channel = self._open(message["step"])
            except Exception as error:  # whatever it is, the run goes on
                self._broken = OSError(f"its process cannot be started ({error})")
                raise self._broken from error
        self._channel.send(message)

    def _open(self, step: int) -> Channel:
        """Starts the process; ``step`` is the first one that is about to be logged."""
        home = self.run_dir / self.tracker
        home.mkdir(parents=True, exist_ok=True)
        noted = load_object(home / "run.json").get("id")
        is_ours = isinstance(noted, str) and len(noted) == 32 and noted.isalnum() and noted.isascii()
        key = noted if is_ours else uuid.uuid4().hex
        if not is_ours:
            write_text(home / "run.json", f'{{"id": "{key}"}}\n')
        rows = self.run_dir / "metrics.jsonl"
        hello = {
            "id": key,
            "name": self.run_dir.name,
            "project": self.project,
            "group": _sweep(self.run_dir),
            "params": self._params(),
            "home": str(home.resolve()),
            "save_dir": str(self._save_dir.resolve()),
            "rows": str(rows.resolve()),
            "rows_bytes": rows.stat().st_size if rows.is_file() else 0,
            "samples": str((self.run_dir / "samples").resolve()),
            "step": step,
            "is_online": self.is_online,
            "seconds": self.finish_seconds,
            **self.options(),
        }
        command = [self.python, "-P", str(Path(__file__).with_name("serve.py")), self.tracker]
        return Channel(command, hello)

    def _params(self) -> dict[str, Any]:
        """The composed config and the run's folder, flat; secrets are hidden in run.yaml."""
        found: dict[str, Any] = {"run_dir": str(self.run_dir.resolve())}
        if (self.run_dir / "run.yaml").is_file():
            found |= _flat(load_plain(self.run_dir / "run.yaml", "RUN")["config"])
        return found

    def _find_python(self) -> str:
        """The Python that has the package: this one, or that which a variable of the environment names."""
        variable = f"GANVAS_{self.tracker.upper()}_PYTHON"
        other = os.environ.get(variable)
        if other:
            reason = f"is no program; name the python that has {self.package}, or unset it"
            require(os.access(other, os.X_OK) and Path(other).is_file(), variable, other, reason)
            reason = f"has no {self.package}; install it there, or unset the variable"
            require(_has(other, self.package), variable, other, reason)
            return other
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:  # a folder of that name is no package
            reason = f"needs an extra; pip install 'ganvas[{self.tracker}]'"
            raise OptionError("_target_", f"{type(self).__module__}.{type(self).__qualname__}", reason)
        return sys.executable


@functools.cache
def _has(python: str, package: str) -> bool:
    """Whether another Python has a package."""
    asked = (
        f"import importlib.util as u; s = u.find_spec({package!r}); raise SystemExit(not (s and s.origin))"
    )
    try:
        done = subprocess.run([python, "-P", "-c", asked], capture_output=True, timeout=60, check=False)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _sweep(run_dir: Path) -> str | None:
    """The name of the sweep that a run belongs to."""
    folder = run_dir.resolve().parent
    return folder.name if (folder / "sweep.json").is_file() else None


def _flat(node: Any, path: str = "") -> dict[str, Any]:
    """Path -> value of each leaf; a list is text, null is left out."""
    if isinstance(node, dict):
        found: dict[str, Any] = {}
        for key, value in node.items():
            found |= _flat(value, f"{path}.{key}".lstrip("."))
        return found
    if node is None:
        return {}
    return {path: node if isinstance(node, bool | int | float | str) else str(node)}
