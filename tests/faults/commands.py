"""Trained runs and a sweep, made once, and the commands that are broken as they work on a copy of these."""

from __future__ import annotations

import codecs
import functools
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge import Child, Ended
from recipes import make_sounds

_SMALL = [
    "accelerator=cpu",
    "data.batch_size=64",
    "trainer.log_every_examples=64",
    "callback.checkpoint.every_examples=64",
    "callback.checkpoint.keep_last=1000",
    "callback.preview.num=4",
    "callback.evaluation.num_samples=32",
]
_SHORT, _LONG = "trainer.max_examples=128", "trainer.max_examples=320"
_GAN = [*_SMALL, "model=mlp_gan", "model.latent_dim=8"]
_GAN += ["model.generator.hidden_dim=16", "model.discriminator.hidden_dim=16"]


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        words: after ``ganvas``, in a folder that :func:`lay_out` has filled.
        out: what it makes, a file or a folder; "" where it only changes what is there.
        older: bytes that may stand under that name before it (None: the command refuses what is there).
        done: what it may say, with exit code 2, where all was done before it was killed.
    """

    words: tuple[str, ...]
    out: str = ""
    older: bytes | None = None
    done: str = ""


A, _B, _V = "outputs/train/gan-a", "outputs/train/gan-b", "outputs/train/vqvae"
_T, _TEXTS = "outputs/train/bytes", "texts"
_S, _W, _SOUNDS = "outputs/train/codec", "outputs/train/wavegan", "sounds"
_CODED, _CODED_SOUND = "outputs/coded.gvq", "outputs/sound.gvq"
_OLD = b"an older file\n"


def _drawn(*words: str, out: str) -> Command:
    return Command((*words, "--out", out), out, _OLD)


COMMANDS = {
    "evaluate": Command(("evaluate", A, "--num", "32", "--batch-size", "32")),
    "sample-png": _drawn("sample", A, "--num", "16", out="new.png"),
    "sample-npz": _drawn("sample", A, "--num", "16", out="new.npz"),
    "sample-folder": Command(("sample", A, "--num", "12", "--out", "made/"), "made", done="holds images"),
    "sample-over": Command(
        ("sample", A, "--num", "12", "--out", "made/", "--overwrite"), "made/000003.png", _OLD
    ),
    "reconstruct": _drawn("reconstruct", _V, "--num", "8", out="new.png"),
    "reconstruct-npz": _drawn("reconstruct", _V, "--num", "8", out="new.npz"),
    "codes": _drawn("codes", _V, "--num", "8", out="new.png"),
    "codes-csv": _drawn("codes", _V, "--num", "8", out="new.csv"),
    "codes-swap": _drawn("codes", _V, "--swap", "0,1", out="new.npz"),
    "encode": Command(
        ("encode", _V, "--split", "test", "--num", "8", "--lossless", "--out", "new.gvq", "--overwrite"),
        "new.gvq",
        _OLD,
    ),
    "decode": Command(("decode", _CODED, _V, "--out", "made"), "made", done="is not empty"),
    "decode-npz": Command(("decode", _CODED, "--out", "new.npz", "--overwrite"), "new.npz", _OLD),
    "interpolate": _drawn("interpolate", A, "--num", "3", out="new.png"),
    "neighbours": _drawn("neighbours", A, "--num", "4", out="new.png"),
    "walk": _drawn("walk", A, "--num", "4", "--frames", "8", out="new.gif"),
    "compare-csv": Command(("compare", A, _B, "--csv", "new.csv"), "new.csv", _OLD),
    "compare-html": Command(("compare", A, _B, "--html", "new.html"), "new.html", _OLD),
    "compare-json": Command(("compare", A, _B, "--json", "new.json"), "new.json", _OLD),
    "plot": _drawn("plot", A, out="new.png"),
    "plot-svg": _drawn("plot", A, out="new.svg"),
    "export": _drawn("export", A, out="new.safetensors"),
    "export-folder": Command(
        ("export", A, "--format", "folder", "--out", "made"), "made", done="is not empty"
    ),
    "export-onnx": Command(("export", A, "--format", "onnx", "--out", "made"), "made", done="is not empty"),
    "export-torch": Command(("export", A, "--format", "torch", "--out", "made"), "made", done="is not empty"),
    "sample-txt": _drawn("sample", _T, "--num", "4", out="new.txt"),
    "encode-txt": Command(
        ("encode", _T, f"{_TEXTS}/0.txt", "--out", "new.gvq", "--overwrite"), "new.gvq", _OLD
    ),
    "pictures-txt": _drawn("pictures", _T, "--kind", "complete", "--num", "2", out="new.txt"),
    "sample-wav": Command(("sample", _W, "--num", "6", "--out", "made/"), "made", done="holds"),
    "reconstruct-wav": _drawn("reconstruct", _S, "--num", "4", out="new.wav"),
    "encode-wav": Command(
        ("encode", _S, f"{_SOUNDS}/00.wav", "--out", "new.gvq", "--overwrite"), "new.gvq", _OLD
    ),
    "decode-wav": Command(("decode", _CODED_SOUND, _S, "--out", "made"), "made", done="is not empty"),
    "shards": Command(
        ("shards", "data=digits", "--out", "made", "--images-per-shard", "400"), "made", done="a new folder"
    ),
    "runs-rm": Command(("runs", "rm", _B, "--yes"), done="RUN="),
    "sweep-best": Command(
        ("sweep", "best", "outputs/sweep", "--save", "conf/experiment/best.yaml"),
        "conf/experiment/best.yaml",
        done="is there already",
    ),
    "init": Command(("init", "mine"), "mine", done="name a new folder"),
}


def make(base: Path) -> None:
    """The runs and the sweep that :func:`lay_out` copies; seconds, once."""
    if base.exists():
        return
    base.mkdir(parents=True)
    quantized = ["model=mlp_vqvae", *_SMALL]
    (base / _TEXTS).mkdir()
    for number in range(3):
        (base / _TEXTS / f"{number}.txt").write_text("a line of a text\n" * (200 + number))
    bytes_ = ["model=autoregressive", "model.prior.width=16", "model.prior.heads=2", "model.prior.depth=1"]
    bytes_ += [*_SMALL, "data=text_files", f"data.root={_TEXTS}", "data.crop_length=32"]
    make_sounds(base / _SOUNDS, 16)
    sounds = [*_SMALL, "data=sound_folder", f"data.root={_SOUNDS}", "data.cache_dir=outputs/cache"]
    codec = [*sounds, "model=sound_vqvae", "data.crop_length=64", "model.encoder.strides=[4]"]
    codec += ["model.encoder.base_channels=4", "model.embedding_dim=4", "model.num_embeddings=16"]
    codec += ["model.quantizer.levels=2", "model/reconstruction_loss=l1"]
    wavegan = [*sounds, "model=wavegan", "data.crop_length=512", "model.latent_dim=8"]
    wavegan += ["model.d_steps_per_g_step=1"]
    for network in ("generator", "discriminator"):
        wavegan += [f"model.{network}.strides=[4,4]", f"model.{network}.base_channels=1"]
    for words in (
        [*_GAN, _SHORT, "seed=1", f"paths.run_dir={A}"],
        [*_GAN, _SHORT, "seed=2", f"paths.run_dir={_B}"],
        [*quantized, _SHORT, f"paths.run_dir={_V}"],
        [*bytes_, _SHORT, f"paths.run_dir={_T}"],
        [*codec, _SHORT, f"paths.run_dir={_S}"],
        [*wavegan, _SHORT, f"paths.run_dir={_W}"],
    ):
        _demand(run(["train", *words], base))
    _demand(run(["encode", _V, "--split", "test", "--num", "12", "--out", _CODED], base))
    _demand(run(["encode", _S, f"{_SOUNDS}/00.wav", "--out", _CODED_SOUND], base))
    sweep = ["-m", "seed=1,2", *_GAN, _SHORT, "hydra.sweep.dir=outputs/sweep"]
    _demand(run(["train", *sweep], base, before=fork_jobs))


NEW = "outputs/train/new"
SWEEP = "outputs/new-sweep"
# Those that train: what they leave is compared as runs are, not byte by byte.
TRAINING = {
    "train": ("train", *_GAN, _LONG, "seed=3", f"paths.run_dir={NEW}"),
    "resume": ("resume", A, _LONG),
    "sweep-run": ("train", "-m", "seed=4,5", *_GAN, _SHORT, f"hydra.sweep.dir={SWEEP}"),
}
STATUS = ("sweep", "status", "outputs/sweep")


def made(work: Path) -> Path:
    """The folder of what :func:`make` makes, below the matrix's own."""
    base = work / "commands"
    make(base)
    return base


def lay_out(base: Path, place: Path, out: str = "", older: bytes | None = None) -> Path:
    """A copy of what was made; with ``older`` a file of these bytes stands at ``out``."""
    shutil.copytree(base, place)
    if older is not None:
        (place / out).parent.mkdir(exist_ok=True)
        (place / out).write_bytes(older)
    return place


def _demand(ended: Ended) -> None:
    if ended.code != 0:
        raise RuntimeError(f"a run to start from could not be made: {ended}")


def start(
    words: list[str] | tuple[str, ...],
    place: Path,
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
) -> Child:
    """``ganvas WORDS`` in a folder; what it prints lies beside the folder, not in it."""
    from ganvas.cli.main import main

    def inside() -> int:
        os.chdir(place)
        sys.path.insert(0, str(place))
        if before is not None:
            before()
        try:
            return main([str(word) for word in words])
        finally:
            if after is not None:
                after()

    return Child(inside, place.with_name(f"{place.name}-said"))


def run(words: list[str] | tuple[str, ...], place: Path, **options: Any) -> Ended:
    return start(words, place, **options).wait()


def fork_jobs() -> None:
    """A sweep's jobs are forks of the sweep's process: no seconds for their imports."""
    from ganvas.sweep.command import JobCommand

    JobCommand.start = _forked  # type: ignore[method-assign,assignment]


def _forked(self: Any, index: int, environment: Any, *, folder: str | None = None) -> Any:
    from ganvas.cli.main import main
    from ganvas.sweep.records import Record

    pid = os.fork()
    if pid == 0:
        os.setsid()
        log = os.open(Record(self.sweep, index).log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 1
        try:
            code = main(["job", str(self.sweep.resolve()), str(index)])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return _Job(pid)


class _Job:
    """As much of a Popen as an engine uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._reap(os.WNOHANG)

    def wait(self) -> int | None:
        return self._reap(0)

    def terminate(self) -> None:
        os.kill(self.pid, 15)

    def _reap(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def contents(place: Path, *, hidden: bool = True) -> dict[str, str]:
    """Every file with its content's hash, folders with none; locks are left out."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place)
        if path.name.endswith(".lock") or "__pycache__" in name.parts:
            continue
        if not hidden and any(part.startswith(".") for part in name.parts):
            continue
        found[str(name)] = _digest(path)
    return found


def _digest(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.cache
def warm() -> None:
    """What commands import when they draw and export."""
    import importlib
    import importlib.util

    if importlib.util.find_spec("matplotlib"):
        for name in (
            "matplotlib.backends.backend_agg",
            "matplotlib.backends.backend_svg",
            "matplotlib.figure",
        ):
            importlib.import_module(name)
    for name in (
        "safetensors.torch",
        "PIL.GifImagePlugin",
        "sklearn.datasets",
        "onnxscript",
        "soundfile",
        "xml.etree.ElementTree",
    ):
        importlib.import_module(name)
    from ganvas.cli.compose.experiment import compose

    compose([], config_dir=None)  # modules that another user may not be able to read
    for codec in ("utf-8-sig", "ascii", "latin-1"):
        codecs.lookup(codec)
