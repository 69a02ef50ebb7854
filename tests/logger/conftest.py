"""The trackers' packages, each in an environment of its own, and one run that all of them followed.

``.trackers`` keeps the environments between test runs; they are made anew where ``tests/logger/pins``
changes. A tracker's test is skipped, with pip's own words, where its packages cannot be installed.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".trackers"
PINS = Path(__file__).with_name("pins")
TRACKERS = [path.stem for path in sorted(PINS.glob("*.txt"))]
_KILLER = '''
import os
import signal
from pathlib import Path

import pytorch_lightning as pl


class Killer(pl.Callback):
    """Kills the run at each of these examples once; at the last also the processes that it has started."""

    def __init__(self, *, run_dir: str, at: list):
        self.flag, self.at = Path(run_dir) / "killed", at

    def on_train_batch_end(self, trainer, pl_module, *_):
        done = int(self.flag.read_text()) if self.flag.exists() else 0
        if done < len(self.at) and pl_module.examples_seen >= self.at[done]:
            self.flag.write_text(str(done + 1))
            if done + 1 == len(self.at):
                for one in Path("/proc").glob("[0-9]*/stat"):
                    try:
                        parent = one.read_text().rpartition(")")[2].split()[1]
                    except OSError:
                        continue
                    if int(parent) == os.getpid():
                        os.killpg(int(one.parent.name), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
'''


# In a network of its own, which has the loopback device alone. Whoever asks for another host, in whatever
# language, adds to the kernel's counts of packets without a route; who asks a name server here, to NoPorts.
_ALONE = """
import fcntl, json, socket, struct, subprocess, sys

with socket.socket() as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, up


def counts():
    with open("/proc/net/snmp") as file:
        lines = [line.split() for line in file]
    found = {}
    for names, values in zip(lines[::2], lines[1::2]):
        found.update({names[0] + name: int(value) for name, value in zip(names[1:], values[1:])})
    with open("/proc/net/snmp6") as file:
        found.update({line.split()[0]: int(line.split()[1]) for line in file})
    return {name: found[name] for name in ("Ip:OutNoRoutes", "Ip6OutNoRoutes", "Udp:NoPorts")}


before = counts()
done = subprocess.run(sys.argv[2:])
with open(sys.argv[1], "a") as file:
    print(json.dumps([before, counts(), done.returncode]), file=file)
"""


@functools.cache
def has_networks() -> bool:
    """Whether a process may have a network of its own here."""
    try:
        return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


_UNSHARE = ("unshare", "--user", "--map-root-user", "--net")


def run_alone(words: list[str], counts: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with the loopback device alone, where that can be done; ``counts`` gets a line of it."""
    command = [*_UNSHARE, sys.executable, "-c", _ALONE, str(counts), *words] if has_networks() else words
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if has_networks() and done.returncode == 0:
        done.returncode = json.loads(counts.read_text().splitlines()[-1])[-1]
    return done


class Followed(NamedTuple):
    """A run that was killed twice and resumed, and the trackers that followed it, without a network.

    Beside it lie ``counts``, a line for each of its three processes (see :func:`run_alone`), and
    ``home`` and ``tmp``, which were their folders of these names.
    """

    path: Path
    pythons: dict[str, str]  # tracker -> the Python that has it
    missing: dict[str, str]  # tracker -> why it could not be installed

    def rows(self) -> dict[str, list[list[float]]]:
        """Tag -> [step, value] in the order of metrics.jsonl."""
        found: dict[str, list[list[float]]] = {}
        for line in (self.path / "metrics.jsonl").read_text().splitlines():
            row = json.loads(line)
            step, _ = row.pop("examples"), row.pop("batch")
            for tag, value in row.items():
                if value is not None:
                    found.setdefault(tag, []).append([step, value])
        return found

    def images(self) -> list[int]:
        """Steps of the previews."""
        return sorted(int(path.stem) for path in (self.path / "samples").glob("*.png"))

    def check(self, found: dict[str, Any]) -> None:
        """What a tracker holds against the run's own files: each step once, float for float.

        A step that a killed attempt had logged keeps its first values, which are the same but for the speed.

        Args:
            found: ``scalars`` and ``images`` (tag -> [step, value] or steps, as they lie there), ``params``.
        """
        rows = self.rows()
        assert found["scalars"].keys() == rows.keys()
        for tag, expected in rows.items():
            there = found["scalars"][tag]
            assert [step for step, _ in there] == [step for step, _ in expected], tag
            if not tag.startswith("speed/"):
                assert there == expected, tag
        assert len(rows["loss/reconstruction"]) == 20
        assert found["images"]["samples"] == self.images()
        assert len(self.images()) >= 5
        assert set(found["images"]["codes"]) <= set(self.images()), "each once, but for the killed ones'"
        assert len(set(found["images"]["codes"])) == len(found["images"]["codes"]) >= 2
        params = {key: str(value) for key, value in found["params"].items()}
        assert params["run_dir"] == str(self.path)
        assert params["model._target_"] == "ganvas.model.vqvae.VQVAE"
        assert params["trainer.max_examples"] == "6400"

    def read(self, tracker: str, source: str, *words: str) -> Any:
        """What a script, run by the tracker's own Python, prints as JSON."""
        if tracker in self.missing:
            pytest.skip(self.missing[tracker])
        return run_by(self.pythons[tracker], source, *words)


def run_by(python: str, source: str, *words: str) -> Any:
    done = subprocess.run(
        [python, "-P", "-c", source, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process of the test run at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(tracker: str) -> tuple[str | None, str]:
    """The Python that has the tracker, or why there is none."""
    pins = PINS / f"{tracker}.txt"
    wanted = pins.read_bytes() + sys.version.encode()
    folder = KEPT / f"{tracker}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    with alone(KEPT / f"{tracker}.lock"):
        if (folder / "whole").exists():
            return str(python), ""
        for older in KEPT.glob(f"{tracker}-*"):
            shutil.rmtree(older)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
        options = ["--disable-pip-version-check", "--no-compile", "-r", str(pins)]
        done = subprocess.run([*pip, *options], capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
            return None, f"{tracker} cannot be installed: {(errors or ['pip failed'])[-1]}"
        (folder / "whole").touch()
        return str(python), ""


@pytest.fixture(scope="session")
def trackers() -> tuple[dict[str, str], dict[str, str]]:
    """Tracker -> its Python; tracker -> why it has none."""
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(TRACKERS, pool.map(install, TRACKERS)))
    pythons = {name: python for name, (python, _) in found.items() if python is not None}
    return pythons, {name: why for name, (python, why) in found.items() if python is None}


@pytest.fixture(scope="session")
def train(
    trackers: tuple[dict[str, str], dict[str, str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``train("train", "logger=wandb", MLFLOW_TRACKING_URI=...)``, a process that finds all trackers.

    With ``counts``, a file, it is :func:`run_alone`.
    """
    pythons, _ = trackers

    def run(*words: str, counts: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        there = {f"GANVAS_{name.upper()}_PYTHON": python for name, python in pythons.items()}
        kept = {key: value for key, value in os.environ.items() if not key.endswith(("_KEY", "_URI", "_URL"))}
        command = [sys.executable, "-P", "-m", "ganvas", *words]
        whole = kept | there | {"OMP_NUM_THREADS": "1"} | environment
        if counts is not None:
            return run_alone(command, counts, **whole)
        return subprocess.run(
            command,
            env=whole,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def followed(
    trackers: tuple[dict[str, str], dict[str, str]],
    train: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Followed:
    """A run of a small VQ-VAE, killed at 2,400 and, with its trackers, at 4,000 examples; made once."""
    pythons, missing = trackers
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "followed"
    run = shared / "sweep" / "run"
    with alone(shared / ".lock"):
        if not (run / "status.json").exists():
            (shared / "sweep").mkdir()
            (shared / "sweep" / "sweep.json").write_text("{}")  # so that the run counts as one of a sweep
            places = {"HOME": shared / "home", "TMPDIR": shared / "tmp", "GANVAS_CACHE": shared / "cache"}
            for place in places.values():
                place.mkdir()
            there = {name: str(place) for name, place in places.items()}
            conf = shared / "conf"
            (conf / "callback").mkdir(parents=True)
            (conf / "callback" / "killer.py").write_text(_KILLER)
            (conf / "callback" / "killer.yaml").write_text(
                "killer:\n  _target_: killer.Killer\n  run_dir: ${paths.run_dir}\n  at: [2400, 4000]\n"
            )
            killed = train(
                "train",
                "--config-dir",
                str(conf),
                "model=mlp_vqvae",
                "trainer.max_examples=6400",
                "trainer.log_every_examples=320",
                "trainer.val_every_examples=1600",
                "callback=[default,killer]",
                "callback.checkpoint.every_examples=1600",
                "callback.preview.first_examples=640",
                "callback.evaluation.num_samples=64",
                f"logger=[{','.join(['tensorboard', *pythons])}]",
                "accelerator=cpu",
                f"paths.run_dir={run}",
                counts=shared / "counts",
                **there,
            )
            assert killed.returncode == -9, killed.stderr
            for code in (-9, 0):
                words = ["resume", str(run), "--config-dir", str(conf)]
                resumed = train(*words, counts=shared / "counts", **there)
                assert resumed.returncode == code, resumed.stderr
    return Followed(run, pythons, missing)


@pytest.fixture
def without_network() -> Callable[..., subprocess.CompletedProcess[str]]:
    """:func:`run_alone`."""
    return run_alone


@pytest.fixture
def run_script() -> Callable[..., Any]:
    """``run_script(python, source, *words)``: what the source prints last, as JSON."""
    return run_by
