"""The sound files that tries damage: two tiny runs, a grid, a search, images, shards, caches. Made once."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import content_of, image_folder, sound_folder, web_dataset
from PIL import Image

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.main import main
from ganvas.cli.sweep.plan import hydra_section, plan_sweep
from ganvas.sweep.interface import Result

_TINY = (
    *("accelerator=cpu", "logger=none", "data.batch_size=32", "trainer.max_examples=64"),
    *("trainer.log_every_examples=32", "callback.checkpoint.every_examples=32", "~callback.preview"),
    *("~callback.health", "callback.evaluation.num_samples=32", "trainer.val_every_examples=32"),
)
_MODELS = {
    "gan": (
        *("model=mlp_gan", "model.generator.hidden_dim=4", "model.discriminator.hidden_dim=4"),
        "callback.checkpoint.monitor=loss/generator",  # and so there is a scores.json
    ),
    "vqvae": ("model=mlp_vqvae", "model.num_embeddings=8", "model.embedding_dim=2"),
}
_PRIOR = (
    *("model=autoregressive", "model.conditional=true", "model.prior.width=8", "model.prior.depth=1"),
    *("model.prior.heads=1", "data=codes", "data.tokenizer=vqvae", "data.batch_size=32"),
    "trainer.max_examples=64",
)
CODED = {  # files of codes, by the run that writes them
    "counts": ("vqvae", "--split", "test", "--num", "20"),
    "lossless": ("vqvae", "images", "--lossless"),
    "prior": ("prior", "--split", "test", "--num", "20", "--labels"),
}
_QUIET = ("accelerator=cpu", "logger=none", "callback=none")
EVALUATIONS = {
    "gan": ("gan", "--num", "32", "--floor", "--json"),
    "vqvae": ("vqvae", "--num", "32", "--json"),
    "classifier": ("gan", "--num", "32", "--floor", "--features", "classifier", "--json"),
}
_GOAL = "optimized_metric=evaluation/fid"
FORMATS = ("png", "jpg", "webp", "gif", "bmp", "tif", "ppm", "tga")
SOUND_FORMATS = ("wav", "flac", "ogg")
VOCABULARY = 260  # ids of the tokenizer


@dataclass(frozen=True)
class World:
    """Sound files in a folder: ``gan``, ``vqvae`` and ``prior`` (run folders), ``cache`` ($GANVAS_CACHE),
    ``grid`` and ``search`` (sweeps), ``images`` (of each format), ``image_cache`` (of them), ``shards``,
    ``shard_index``, ``coded`` (files of codes), ``sounds``, ``sound_cache`` (of them), ``texts``,
    ``tokenizer.json``.

    Attributes:
        folder: where they lie.
        sound: by name, what a command prints, or a data set holds, when nothing is damaged.
    """

    folder: Path
    sound: dict[str, Any] = field(default_factory=dict)

    def copy(self, name: str, to: Path) -> Path:
        """A copy that a try may damage."""
        shutil.copytree(self.folder / name, to, symlinks=True)
        return to


def run_quietly(*words: str) -> str:
    """What a command prints that must end well."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    if code:
        raise RuntimeError(f"ganvas {' '.join(words)}: exit code {code}: {err.getvalue()[-2000:]}")
    return out.getvalue()


def make_world(folder: Path) -> World:
    """Trains, evaluates, sweeps and draws what tries start from."""
    os.environ["GANVAS_CACHE"] = str(folder / "cache")
    old = os.getcwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    sound: dict[str, Any] = {}
    try:
        for name, words in _MODELS.items():
            run_quietly("train", *words, *_TINY, f"paths.run_dir={folder / name}")
        run_quietly(
            "train", "model=classifier", "trainer.max_examples=64", *_QUIET, "paths.run_dir=classifier"
        )
        for name, words in EVALUATIONS.items():
            run_quietly("evaluate", *words)
            sound[name] = run_quietly("evaluate", *words)
        for name in ("classifier", "image_cache", ".lock"):
            shutil.rmtree(folder / name, ignore_errors=True)
        _make_images(folder / "images")
        run_quietly(
            *("shards", "data=image_folder", "data.root=images", "data.image_size=8"),
            *("data.cache_dir=image_cache", "--out", "shards", "--images-per-shard", "8"),
        )
        sound["images"] = content_of(image_folder("images"))
        sound["shards"] = content_of(web_dataset("shards"))
        _make_sounds(folder / "sounds")
        sound["sounds"] = content_of(sound_folder("sounds"))
        _make_texts(folder)
        run_quietly("train", *_PRIOR, *_QUIET, "paths.run_dir=prior")
        for name, words in CODED.items():
            run_quietly("encode", *words, "--out", f"coded/{name}.gvq")
            run_quietly("decode", f"coded/{name}.gvq", words[0], "--out", f"coded/{name}.npz")
            sound[name] = np.load(f"coded/{name}.npz")["images"].tobytes()
        _make_sweep(folder, "grid", ["seed=1,2"])
        search = ["hydra/sweeper=optuna", "model.latent_dim=2,4", "hydra.sweeper.n_trials=2"]
        _make_sweep(folder, "search", search)
    finally:
        os.chdir(old)
    return World(folder, sound)


def _make_images(folder: Path) -> None:
    """Two classes of every format, 10 x 8 pixels."""
    draws = np.random.default_rng(0)
    for kind in ("cats", "dogs"):
        (folder / kind).mkdir(parents=True)
        for repeat in range(2):
            for suffix in FORMATS:
                pixels = draws.integers(0, 256, (8, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / kind / f"{repeat}.{suffix}")


def _make_sounds(folder: Path) -> None:
    """Two classes of every format, an eighth of a second each."""
    import soundfile

    time = np.arange(1000) / 8000
    for number, kind in enumerate(("high", "low")):
        (folder / kind).mkdir(parents=True)
        for repeat in range(4):
            wave = np.sin(2 * np.pi * (900 - 500 * number + 40 * repeat) * time) / 2
            for suffix in SOUND_FORMATS:
                soundfile.write(folder / kind / f"{repeat}.{suffix}", wave, 8000)


def _make_texts(folder: Path) -> None:
    """Three texts, one in a folder of its own, and a tokenizer of bytes and a few pairs of them."""
    import tokenizers

    (folder / "texts" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.txt", "b.txt", "deep/c.txt")):
        lines = [f"{row} the cat said \u00e4 to {row + number}\n" for row in range(30)]
        (folder / "texts" / name).write_text("".join(lines), encoding="utf-8")
    model = tokenizers.ByteLevelBPETokenizer()
    model.train([str(folder / "texts" / "a.txt")], vocab_size=VOCABULARY, show_progress=False)
    model.save(str(folder / "tokenizer.json"))


def _make_sweep(folder: Path, name: str, words: list[str]) -> None:
    """A sweep whose jobs are copies of the GAN's run."""
    words = [*words, *_MODELS["gan"], *_TINY, _GOAL, f"hydra.sweep.dir={folder / name}"]
    with hydra_session(None) as hydra:
        composer = Composer(hydra)
        planned = plan_sweep(composer, words, hydra_section(composer, words))
        planned.sweep.write()
        while (job := planned.source.next()) is not None:
            place = planned.sweep.run_dir(job)
            shutil.copytree(folder / "gan", place)
            best = {"metric": "evaluation/fid", "mode": "min", "value": 2.0 + job.index, "examples": 64}
            summary = {"examples_seen": 64, "seconds": 1.0, "metrics": {"fid": 2.0}, "optimized": best}
            attempt = {"began": "2026-11-26T09:00:00+0000", "pid": 1, "host": "h", "code": 0}
            record = {"attempts": [attempt], "summary": summary, "error": None}
            (folder / name / "jobs" / f"{job.index:03d}.json").write_text(json.dumps(record))
            (folder / name / "jobs" / f"{job.index:03d}.mark").write_text("timeout")
            planned.source.ended(job, Result("finished", 0, 1, 64, None, 1.0, {"fid": 2.0}, {}, best))
