"""One, two and four ranks train the same on sounds and texts, to the end and from a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from worlds import SIZES, close, train_in_worlds

soundfile = pytest.importorskip("soundfile", reason="the extra ganvas[sound] is not installed")
pytestmark = pytest.mark.slow
Ended = dict[tuple[str, int, int], dict[str, Any]]  # (case, world, rank) -> what it ended as

_EVERY = [
    *("trainer.max_steps=4", "trainer.log_every_examples=1", "trainer.val_check_interval=4"),
    *("trainer.check_val_every_n_epoch=null", "trainer.limit_val_batches=2", "data.batch_size=16"),
    *("accelerator=ddp_cpu", "accelerator.devices=1", "callback=none"),
]
_EVALUATED = ["callback=evaluation", "callback.evaluation.batch_size=4"]
_SOUNDS = ["data=sound_folder", "data.root=sounds", "data.cache_dir=cache"]
_CODEC = [
    *_SOUNDS,
    *("data.crop_length=512", "model.encoder.strides=[4,4]", "model.encoder.base_channels=4"),
    *("model.embedding_dim=4", "model.num_embeddings=8", "model.quantizer.levels=2"),
]
_TEXTS = ["data=text_files", "data.root=texts", "data.crop_length=32"]
_GENTLE = ["eps=0.01", "lr=0.002"]  # nearly gradient descent: Adam makes whole steps of float noise
_GENTLER = ["eps=0.1", "lr=0.01"]
CASES = {
    "codec": ["model=sound_vqvae", "model/reconstruction_loss=l1", *_CODEC, *_EVALUATED],
    "codec_with_discriminator": [
        *(
            "model=sound_vqgan",
            "model/reconstruction_loss=l1",
            *_CODEC,
            "model.discriminator.base_channels=4",
        ),
        *("model.discriminator.windows=[64,128]", "model.ramp_examples=40"),
        *(f"model.{one}.{word}" for one in ("optimizer", "discriminator_optimizer") for word in _GENTLE),
    ],
    "wavegan": [
        *("model=wavegan", *_SOUNDS, "data.crop_length=4096", "model.d_steps_per_g_step=1"),
        *("model.generator.base_channels=4", "model.discriminator.base_channels=4"),
        # Of D's biases the gradients are nearly those of an offset, which this loss has none of.
        *(f"model.{one}_optimizer.{word}" for one in ("generator", "discriminator") for word in _GENTLER),
    ],
    "codes_of_texts": [
        *("model=text_vqvae", *_TEXTS, "model.encoder.width=16", "model.encoder.heads=2"),
        *("model.encoder.depth=1", "model.num_embeddings=16", *_EVALUATED),
        *(f"model.optimizer.{word}" for word in _GENTLE),
    ],
    "bytes": [
        *("model=autoregressive", *_TEXTS, "model.prior.width=16", "model.prior.heads=2"),
        *("model.prior.depth=1", "model.prior.dropout=0.0", *_EVALUATED),
        *(f"model.optimizer.{word}" for word in _GENTLE),
    ],
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Each case in each world, and resumed there; one process goes on from the checkpoint of four."""
    folder = tmp_path_factory.mktemp("worlds")
    for name in ("sounds", "texts"):
        (folder / name).mkdir()
    for number in range(12):
        wave = np.sin(np.arange(9000 + 200 * number) * (0.1 + 0.02 * number)) / 2
        soundfile.write(folder / "sounds" / f"{number:02d}.wav", wave, 8000)
        text = "".join(f"{row} and {row * number} are here\n" for row in range(60))
        (folder / "texts" / f"{number:02d}.txt").write_text(text)
    cases = {name: [*_EVERY, *words] for name, words in CASES.items()}
    for words in cases.values():
        for place, word in enumerate(words):
            if word in ("data.root=sounds", "data.root=texts", "data.cache_dir=cache"):
                key, _, name = word.partition("=")
                words[place] = f"{key}={folder / name}"
    return train_in_worlds(cases, folder, resumed=list(cases))


@pytest.mark.parametrize("world", [size for size in SIZES if size > 1])
@pytest.mark.parametrize("case", CASES)
def test_ranks_equal_one_process(case: str, world: int, ended: Ended) -> None:
    one, first = ended[case, 1, 0], ended[case, world, 0]
    assert one["steps"] == first["steps"] == 4
    assert one["clock"] == first["clock"]
    assert one["clock"]["examples_seen"] == 4 * 16
    close(first, one, rtol=1e-3, atol=2e-5)
    for rank in range(1, world):
        close(ended[case, world, rank], first, rtol=0, atol=0)


@pytest.mark.parametrize("case", [name for name, words in CASES.items() if "callback=evaluation" in words])
def test_they_are_evaluated(case: str, ended: Ended) -> None:
    assert len(ended[case, 2, 0]["metrics"]) >= 3


@pytest.mark.parametrize("world", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_resumed_equals_straight(case: str, world: int, ended: Ended) -> None:
    """To the bit; where the checkpoint is of another world, up to the order of sums."""
    straight, resumed = ended[case, world, 0], ended[f"{case}_resumed", world, 0]
    exact = {"rtol": 0.0, "atol": 0.0} if world > 1 else {"rtol": 1e-3, "atol": 2e-5}
    for key in ("state", "optimizers", "clock", "steps", "metrics"):
        close(resumed[key], straight[key], **exact, name=key)
