"""Small sounds and texts, and recipes of a second: codecs, and priors over codes and bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch

from ganvas.cli.compose.experiment import compose
from ganvas.data.sound_folder import SoundFolder
from ganvas.data.text_files import TextFiles
from ganvas.model.autoregressive import Autoregressive
from ganvas.model.optimizer.adam import adam
from ganvas.model.prior.transformer import TransformerPrior
from ganvas.model.symbols import Symbols
from ganvas.model.tokenizer import Tokenizer
from ganvas.run.config.build import build

RATE, CLIP, LETTERS = 8000, 1600, 64  # a clip is 0.2 s
SCRIPT = "<script>document.title='owned'</script>"
_CODEC = [
    *("model=sound_vqvae", "model/reconstruction_loss=l1", "model.quantizer.levels=2"),
    *("model.num_embeddings=8", "model.embedding_dim=4", "model.encoder.strides=[4,5,5]"),
    *("model.encoder.base_channels=4", "model.decoder.base_channels=4"),
]
_TEXTS = [
    *("model=text_vqvae", "model.encoder.width=16", "model.encoder.heads=2"),
    *("model.embedding_dim=8", "model.num_embeddings=16"),
]
_PRIOR = ["model=autoregressive", "model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2"]


def write_sounds(folder: Path) -> list[str]:
    """Twelve tones of 0.4 s, and the words that choose them."""
    (folder / "sounds").mkdir(parents=True)
    t = np.arange(2 * CLIP) / RATE
    for number in range(12):
        tone = 0.5 * np.sin(2 * np.pi * (200 + 90 * number) * t) * np.sin(2 * np.pi * 2.5 * t)
        soundfile.write(folder / "sounds" / f"{number:02}.wav", tone.astype(np.float32), RATE)
    words = ["data=sound_folder", f"data.root={folder}/sounds", f"data.cache_dir={folder}/cache"]
    return [*words, f"data.crop_length={CLIP}", "data.batch_size=4"]


def write_texts(folder: Path) -> list[str]:
    """A text of which every held-out sample holds a script, and the words that choose it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text(f"the cat {SCRIPT} sat on the mat\n" * 60)
    words = ["data=text_files", f"data.root={folder}/words.txt", f"data.crop_length={LETTERS}"]
    return [*words, "data.batch_size=8"]


def recipes(folder: Path) -> dict[str, list[str]]:
    """Words of ``ganvas train`` by the run's name, those first on which others rest, as ``folder/NAME``."""
    sounds, texts = write_sounds(folder / "data"), write_texts(folder / "data")
    over = [*_PRIOR, "data=codes", "data.batch_size=4"]
    return {
        "codec": [*_CODEC, *sounds],
        "speech": [*over, f"data.tokenizer={folder}/codec"],
        "phrases": [*_TEXTS, *texts],
        "bytes": [*_PRIOR, *texts],
        "written": [*over, f"data.tokenizer={folder}/phrases"],
    }


def untrained(words: list[str]) -> Tokenizer:
    """A tokenizer that nobody has trained, of an autoencoder and its data."""
    torch.manual_seed(1)
    config = compose(words).config
    data, recipe = build(config["data"], "data"), build(config["model"], "model")
    data.prepare()
    with torch.no_grad():  # codes begin as latents of a first batch
        recipe.train().autoencode(next(iter(data.batches("train", 16))).x)
    return Tokenizer(recipe, data, sha256="0" * 64, place="outputs/a_tokenizer")


def codec(folder: Path) -> Tokenizer:
    """Of sounds float32 [1, 1600]: a row of 16 codes on two levels of 8."""
    return untrained([*_CODEC, *write_sounds(folder)])


def phrases(folder: Path) -> Tokenizer:
    """Of texts int64 [64]: a row of 16 codes of 16."""
    return untrained([*_TEXTS, *write_texts(folder)])


def sound_data(folder: Path) -> SoundFolder:
    """The sounds alone."""
    write_sounds(folder)
    places = {"root": str(folder / "sounds"), "cache_dir": str(folder / "cache")}
    return SoundFolder(**places, crop_length=CLIP, batch_size=4)


def text_data(folder: Path, **options: float) -> TextFiles:
    """The texts alone."""
    write_texts(folder)
    return TextFiles(root=str(folder / "words.txt"), crop_length=LETTERS, batch_size=8, **options)


def prior_over(tokenizer: Tokenizer | Symbols) -> Autoregressive:
    """A prior that nobody has trained."""
    torch.manual_seed(5)
    model = Autoregressive(
        prior=partial(TransformerPrior, width=16, depth=1, heads=2),
        tokenizer=tokenizer,
        conditional=False,
        label_dropout=0.0,
        ema=None,
        optimizer=partial(adam, lr=1e-3),
        grad_clip=None,
        temperature=1.0,
        top_k=None,
        top_p=1.0,
        guidance=1.0,
        seed=3,
    )
    for parameter in model.prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()
