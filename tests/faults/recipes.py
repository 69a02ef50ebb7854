"""The runs that the matrix breaks: tiny recipes on digits, and what they are when nothing happens."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from composed import compose_once
from forge import Result, Try, ganvas

STEPS = 30  # batches; an epoch of digits has 22 of 64, so that an epoch ends on the way
BATCH = 64  # examples

_HERE = Path(__file__).resolve().parent
_COMMON = [
    "accelerator=cpu",
    f"data.batch_size={BATCH}",
    f"trainer.max_examples={STEPS * BATCH}",
    f"trainer.log_every_examples={BATCH}",
    f"callback.checkpoint.every_examples={BATCH}",
    "callback.checkpoint.keep_last=1000",
    "callback.preview.num=4",
    "callback.evaluation.num_samples=32",
]
# Validation and previews fall in the middle of epochs and on their ends, differently in each recipe.
RECIPES = {
    # Lazy R1, EMA, dropout in D (torch's own stream), shifts, two D steps per G step.
    "mlp_gan": [
        "--config-dir",
        str(_HERE / "conf"),
        "model=mlp_gan",
        "model/discriminator=dropout_mlp",
        "model.discriminator.hidden_dim=16",
        "model.generator.hidden_dim=16",
        "model.latent_dim=8",
        "model/gradient_penalty=r1",
        "model.gradient_penalty.interval=2",
        "model.d_steps_per_g_step=2",
        "data.random_shift=1",
        "trainer.val_every_examples=704",
        "callback.preview.every_examples=300",
    ],
    # BatchNorm's statistics, EMA, flips.
    "dcgan": [
        "model=dcgan",
        "model.generator.base_channels=4",
        "model.discriminator.base_channels=4",
        "model.latent_dim=8",
        "data.horizontal_flip=true",
        "trainer.val_check_interval=5",
        "callback.preview.every_examples=704",
    ],
    # The codebook's running means and restarts, automatic optimization.
    "vqvae": [
        "model=vqvae",
        "model.encoder.hidden_channels=8",
        "model.decoder.hidden_channels=8",
        "model.encoder.residual_blocks=1",
        "model.decoder.residual_blocks=1",
        "model.encoder.residual_channels=4",
        "model.decoder.residual_channels=4",
        "model.num_embeddings=16",
        "model.embedding_dim=4",
        "model.quantizer.restart_threshold=0.5",
        "callback.preview.every_examples=352",
    ],
}


_PRIOR = ["data=codes", "model.conditional=true", "model.prior.width=16", "model.prior.heads=2"]
_PRIOR += ["model.prior.depth=1", "callback.preview.every_examples=704", "trainer.val_every_examples=352"]
# Recipes that only the kills and the resumes are tried on: what they share with the others is tried there.
FURTHER = {
    # Two networks that move in a batch, a ramp, augmentations with a controller.
    "vqgan": [
        *("model=vqgan", *RECIPES["vqvae"][1:-1], "model.discriminator.base_channels=4"),
        *("model.ramp_examples=1000", "model/augment=ada", "model.augment.p=0.2"),
        *("model.augment.adapt_examples=3000", "callback.preview.every_examples=352"),
    ],
    # Codes of another run, labels that are left out, dropout (torch's own stream), an average.
    "autoregressive": ["model=autoregressive", *_PRIOR, "model.prior.dropout=0.1"],
    "masked": ["model=masked", *_PRIOR, "model.prior.depth=2"],
    # Clips at drawn places of files, from a cache beside the run; residual codes that are left out.
    "sound_vqvae": [
        *("model=sound_vqvae", "data=sound_folder", "data.cache_dir=cache", "data.crop_length=64"),
        *("model.encoder.strides=[4]", "model.encoder.base_channels=4", "model.embedding_dim=4"),
        *("model.num_embeddings=16", "model.quantizer.levels=2", "model/reconstruction_loss=l1"),
        "callback.preview.every_examples=704",
    ],
    # Two networks on sounds.
    "wavegan": [
        *("model=wavegan", "data=sound_folder", "data.cache_dir=cache", "data.crop_length=512"),
        *("model.generator.strides=[4,4]", "model.discriminator.strides=[4,4]"),
        *("model.generator.base_channels=1", "model.discriminator.base_channels=1", "model.latent_dim=8"),
        *("model.d_steps_per_g_step=2", "callback.preview.every_examples=704"),
    ],
    # Latents of another run in the place of samples.
    "latents": [
        *("model=mlp_gan", "data=latents", "data.channels=4", "data.image_size=2", "model.latent_dim=8"),
        *("model.generator.hidden_dim=16", "model.discriminator.hidden_dim=16"),
        *("callback.preview.every_examples=352", "trainer.val_every_examples=704"),
    ],
    # A model of bytes: symbols that are codes of themselves.
    "bytes": [
        *("model=autoregressive", "data=text_files", "data.crop_length=16", *_PRIOR[2:]),
        "model.prior.dropout=0.1",
    ],
    # Crops at drawn places of texts, as bytes; logits of each.
    "text_vqvae": [
        *("model=text_vqvae", "data=text_files", "data.crop_length=16", "model.encoder.width=8"),
        *("model.encoder.depth=1", "model.encoder.heads=1", "model.embedding_dim=4"),
        *("model.num_embeddings=16", "callback.preview.every_examples=704"),
    ],
}
_TOKENIZER = [*RECIPES["vqvae"][:-2], "trainer.max_examples=256", "callback=none"]
_FROM_CODES = ("data=codes", "data=latents")
_place: list[Path] = []  # where the tokenizer of the priors is
_OWN_FILES = {"sound_folder": "sounds", "text_files": "texts"}
_files: list[Path] = []  # where these folders are


def train_words(recipe: str, workers: int = 0, *more: str) -> list[str]:
    """``ganvas train`` into ./run."""
    own = [*(RECIPES | FURTHER)[recipe], f"data.num_workers={workers}"]
    if any(word in own for word in _FROM_CODES):
        own.append(f"data.tokenizer={_place[-1] / 'run'}")
    for data, name in _OWN_FILES.items():
        if f"data={data}" in own:
            own.append(f"data.root={_files[-1] / name}")
    return ["train", "paths.run_dir=run", *_COMMON, *own, *more]


def resume_words(recipe: str, *more: str) -> list[str]:
    """``ganvas resume ./run``."""
    own = ["--config-dir", str(_HERE / "conf")] if recipe == "mlp_gan" else []
    return ["resume", "run", *own, *more]


@dataclass
class Plan:
    """What the sections share.

    Attributes:
        work: a folder of this call's own.
        nightly: many more tries.
        seed: of everything that is drawn.
        results: of the section that runs, so far.
    """

    work: Path
    nightly: bool = False
    seed: int = 1
    results: list[Result] = field(default_factory=list)
    made: set[str] = field(default_factory=set)

    def random(self, *purpose: object) -> random.Random:
        return random.Random(f"{self.seed} {purpose}")

    def straight(self, recipe: str, workers: int = 0) -> Path:
        """The run folder of the uninterrupted run; made by :meth:`prepare`."""
        return self.work / "straight" / f"{recipe}-{workers}" / "run"

    def seconds(self, recipe: str, workers: int = 0) -> float:
        """How long the uninterrupted run took."""
        return float((self.straight(recipe, workers).parent / "seconds").read_text())

    def prepare(self, cases: Iterable[tuple[str, int]]) -> list[Try]:
        """Tries that make the uninterrupted runs which are not there yet."""
        tries = []
        for recipe, workers in cases:
            if any(word in FURTHER.get(recipe, ()) for word in _FROM_CODES) and not _place:
                _place.append(self.work / "tokenizer")
                _place[0].mkdir(parents=True)
                ended = ganvas(["train", "paths.run_dir=run", *_TOKENIZER, "logger=none"], _place[0])
                assert ended.code == 0, ended
            if any(f"data={data}" in FURTHER.get(recipe, ()) for data in _OWN_FILES) and not _files:
                _files.append(self.work / "files")
                _make_files(_files[0])
            name = f"straight-{recipe}-{workers}"
            if name not in self.made:
                self.made.add(name)
                compose_once(train_words(recipe, workers))
                tries.append(Try(name, lambda folder, r=recipe, w=workers: self._make(r, w)))
        return tries

    def _make(self, recipe: str, workers: int) -> str | None:
        folder = self.straight(recipe, workers).parent
        began = time.monotonic()
        ended = ganvas(train_words(recipe, workers), folder)
        (folder / "seconds").write_text(str(time.monotonic() - began))
        return None if ended.code == 0 else str(ended)


def _make_files(folder: Path) -> None:
    """Sounds of a second and texts of 4 kB, so that an epoch of training ends within a run."""
    make_sounds(folder / "sounds", 16)
    (folder / "texts").mkdir()
    for number in range(16):
        text = "".join(f"{row} sounds of {row * number}\n" for row in range(220))
        (folder / "texts" / f"{number:02d}.txt").write_text(text)


def make_sounds(folder: Path, count: int) -> None:
    """A second of a tone of its own a file, .wav and .flac in turn."""
    import numpy as np
    import soundfile

    folder.mkdir(parents=True)
    time_of = np.arange(8000) / 8000
    for number in range(count):
        wave = np.sin(2 * np.pi * (200 + 50 * number) * time_of) / 2
        soundfile.write(folder / f"{number:02d}.{('wav', 'flac')[number % 2]}", wave, 8000)


CASES = [(recipe, workers) for recipe in RECIPES for workers in (0, 2)]
FURTHER_CASES = [(recipe, 0) for recipe in FURTHER]


def checkpoints(run: Path) -> list[Path]:
    """Checkpoint files by examples seen, oldest first."""
    return sorted(run.glob("checkpoints/*.ckpt"))


def checkpoint(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"{step * BATCH:012d}.ckpt"


def cut(straight: Path, folder: Path, step: int, *, keep: int = 3) -> Path:
    """``folder``/run as a process killed after checkpoint ``step`` left it, its newest ``keep`` checkpoints.

    The logs are those of the whole run: rows beyond the checkpoint are there and must be taken back.
    """
    run = folder / "run"
    shutil.copytree(
        straight, run, ignore=lambda path, names: names if Path(path) == straight / "checkpoints" else ()
    )
    for number in range(max(1, step - keep + 1), step + 1):
        source = checkpoint(straight, number)
        for path in (source, source.with_name(source.name + ".sha256")):
            shutil.copyfile(path, run / "checkpoints" / path.name)
    status = json.loads((run / "status.json").read_text())
    status |= {"state": "running", "examples_seen": step * BATCH}
    status.pop("ended", None)
    (run / "status.json").write_text(json.dumps(status))
    return run
