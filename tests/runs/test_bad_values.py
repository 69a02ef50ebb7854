"""Values that no key can take: words for numbers, sizes below one, not finite; the catalogue of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusal import SMOKE, refused

from ganvas.functional.random import hash64

VQ = ["model=mlp_vqvae"]
FSQ = [*VQ, "model/quantizer=fsq"]
R1 = ["model/gradient_penalty=r1"]
ADA = ["model/augment=ada"]
DEFAULT = ["callback=default"]
LR, VQ_LR, D = "model.generator_optimizer.lr", "model.optimizer.lr", "model.discriminator_optimizer"

# Key, value, and what the line must say; before them what else the command line holds.
CASES: list[tuple[list[str], str, str, str]] = [
    # Kinds.
    ([], "model.latent_dim", "abc", "must be a whole number"),
    ([], "model.latent_dim", "1.5", "must be a whole number"),
    ([], "model.latent_dim", "", "must be a whole number"),
    ([], "data.batch_size", "[1,2]", "must be a whole number"),
    ([], "data.batch_size", "4.5", "must be a whole number"),
    ([], "data.image_size", "abc", "must be a whole number or null"),
    ([], "data.num_workers", "abc", "must be a whole number"),
    ([], "data.horizontal_flip", "1", "must be true or false"),
    ([], "trainer.deterministic", "2", "must be true or false"),
    ([], "trainer.max_examples", "many", "must be a whole number or null"),
    ([], "trainer.max_examples", "0x10", "must be a whole number or null"),
    ([], "trainer.fast_dev_run", "abc", "must be true or false or a whole number"),
    ([], "accelerator.threads", "abc", "must be a whole number"),
    (["model/quantizer=fsq", *VQ], "model.quantizer.levels", "5", "; write another value"),
    (FSQ, "model.quantizer.levels", "[2,2]", "at least 3"),
    (FSQ, "model.quantizer.levels", "[]", "must"),
    # Rates.
    ([], LR, "abc", "must be a number"),
    ([], LR, ".nan", "must be a number"),
    ([], LR, "nan", "is not finite; give a finite number"),
    ([], LR, "inf", "is not finite; give a finite number"),
    ([], LR, "-1", "must be positive; 2e-4 is usual"),
    (VQ, VQ_LR, "0", "must be positive; 2e-4 is usual"),
    ([], f"{D}.beta2", "1", "must be in [0, 1)"),
    ([], f"{D}.beta1", "[0.5]", "a number"),
    ([], f"{D}.eps", "0", "must be positive; 1e-8 is usual"),
    ([], f"{D}.weight_decay", "-1", "must be at least 0; 0 switches it off"),
    (R1, "model.gradient_penalty.gamma", "-1", "model/gradient_penalty=none switches it off"),
    (R1, "model.gradient_penalty.interval", "0", "must be at least 1"),
    (["model/quantizer=vq_ema", *VQ], "model.quantizer.decay", "2", "must be in [0, 1)"),
    # Augmentation of the adversarial game.
    (ADA, "model.augment.p", "1.5", "must be in [0, 1]"),
    (ADA, "model.augment.adapt_examples", "0", "must be at least 1, a whole number; 500000 is usual"),
    (ADA, "model.augment.pipeline", "bcg", "must be one of b, bg, bgc, "),
    (ADA, "model.augment.multipliers.hue", "2", "must be in [0, 1], a share of p"),
    (["model/augment=apa"], "model.augment.target", "1", "must lie between -1 and 1"),
    (["model/augment=diffaugment"], "model.augment.policy", "[colour]", "must name some of color, "),
    # Seeds.
    ([], "seed", "-1", "must be a whole number in [0, 2^63)"),
    ([], "seed", str(2**63), "must be a whole number in [0, 2^63)"),
    ([], "seed", "1.5", "must be a whole number in [0, 2^63)"),
    ([], "seed", "abc", "must be a whole number in [0, 2^63)"),
    ([], "seed", "1e3", "must be a whole number in [0, 2^63)"),
    ([], "seed", "null", "must be a whole number in [0, 2^63)"),
    ([], "seed", "true", "must be a whole number"),
    ([], "seed", "", "must be a whole number in [0, 2^63)"),
    # Sizes.
    ([], "model.latent_dim", "0", "must be at least 1"),
    ([], "model.latent_dim", "-1", "must be at least 1"),
    ([], "model.latent_dim", str(10**13), "do not fit into memory"),
    (VQ, "model.latent_dim", "0", "must be at least 1"),
    (VQ, "model.num_vectors", "0", "must be at least 1"),
    (VQ, "model.num_vectors", "-1", "must be"),
    (VQ, "model.num_embeddings", "0", "must be at least 2"),
    (VQ, "model.num_embeddings", "-3", "must be at least 2"),
    ([*VQ, "model.num_embeddings=9999"], "model.quantizer.start", "kmeans", "codes, 9999, and has 512; take"),
    (
        [*VQ, "model/quantizer=residual", "model.num_embeddings=999", "trainer.micro_batches=4"],
        "model.quantizer.inner.start",
        "kmeans",
        "codes, 999, and has 128; take start=batch",
    ),
    (
        ["model=vqvae2", "model.num_embeddings=65"],
        "model.quantizer.start",
        "kmeans",
        "codes, 65, and has 64; take start=batch",
    ),
    (
        [*VQ, "model/quantizer=residual"],
        "model.quantizer.inner.gradient",
        "rotation",
        "would change nothing, for the sum of codes",
    ),
    ([], "model.generator.hidden_dim", "0", "must be at least 1"),
    ([], "model.discriminator.hidden_dim", "-1", "must be at least 1"),
    (["model=dcgan"], "model.generator.base_channels", "0", "must be at least 1"),
    (["model=dcgan"], "model.discriminator.base_channels", "-8", "must be at least 1"),
    (["model=vqvae"], "model.encoder.hidden_channels", "0", "must be at least 2"),
    (["model=dcgan"], "data.image_size", "30", "16, 32, 64, 128"),
    (
        ["model=dcgan", "model/discriminator=patch"],
        "data.image_size",
        "16",
        "at least 24 pixels with 3 layers",
    ),
    (["model=dcgan", "model/discriminator=patch"], "model.discriminator.layers", "0", "must be at least 1"),
    (["model=biggan", "data.image_size=32"], "model.latent_dim", "3", "at least 4, one for the first map"),
    (["model=biggan"], "data.image_size", "16", "has widths of its own for 32, 64, 128 pixels"),
    ([], "model.d_steps_per_g_step", "0", "must be at least 1"),
    ([], "model.grad_clip", "-1", "must be positive, or null"),
    ([], "model.ema.half_life", "0", "model/ema=none switches it off"),
    ([], "data.image_size", "0", "must be positive; 64 pixels are usual"),
    ([], "data.image_size", "-4", "must be positive; 64 pixels are usual"),
    ([], "data.image_size", "100000", "of memory for the images, this machine has"),
    ([], "data.channels", "0", "must be positive; 1 grey, 3 colour"),
    ([], "data.channels", "3", "the images have 1; channels=1"),
    ([], "data.num_classes", "0", "must be positive; null takes what is there"),
    ([], "data.num_classes", "3", "labels are 0 to 2; mend the labels, or num_classes=10"),
    ([], "data.num_classes", "12", "the data has 10 classes; num_classes=10"),
    ([], "data.batch_size", "0", "must be positive; 64 is usual"),
    ([], "data.batch_size", "-1", "must be positive; 64 is usual"),
    ([], "data.batch_size", "5000", "is more than the 1437 training samples; batch_size=1437 at most"),
    ([], "data.num_workers", "-1", "must be from 0 to 128"),
    ([], "data.num_workers", "1000", "must be from 0 to 128"),
    ([], "data.random_shift", "8", "must be from 0 to 7 pixels"),
    ([], "data.resize_mode", "crop", "must be one of auto, pad, resize"),
    (["data=toy"], "data.num_train", "0", "must be positive"),
    (["data=toy"], "data.std", "nan", "is not finite; give a finite number"),
    # Budgets, limits and cadences.
    ([], "trainer.max_examples", "0", "must be at least 1"),
    ([], "trainer.max_examples", "-4", "must be at least 1"),
    ([], "trainer.max_epochs", "0", "must be at least 1"),
    ([], "trainer.max_epochs", "-1", "must be at least 1"),
    ([], "trainer.max_steps", "0", "must be at least 1"),
    ([], "trainer.max_examples", "null", "one budget is needed; give max_examples, max_epochs"),
    ([], "trainer.max_time", "foo", "must be DD:HH:MM:SS, e.g. 00:12:00:00"),
    ([], "trainer.max_time", "1:2:3", "must be DD:HH:MM:SS, e.g. 00:12:00:00"),
    ([], "trainer.max_time", "00:00:99:00", "must be DD:HH:MM:SS, e.g. 00:12:00:00"),
    ([], "trainer.max_time", "00:00:00:00", "trains nothing; give at least a second"),
    ([], "trainer.limit_train_batches", "0", "trains nothing; null takes the whole epoch"),
    ([], "trainer.limit_train_batches", "0.0", "trains nothing; null takes the whole epoch"),
    ([], "trainer.limit_train_batches", "-1", "must be 0 or more"),
    ([], "trainer.limit_train_batches", "1.5", "is a share and at most 1.0; a whole number counts batches"),
    ([], "trainer.limit_train_batches", "0.01", "is less than one of 22 batches; take 1"),
    ([], "trainer.limit_val_batches", "0.1", "is less than one of 3 batches; take 1"),
    ([], "trainer.overfit_batches", "0.01", "is less than one of 22 batches; take 1"),
    ([], "trainer.log_every_examples", "0", "must be at least 1"),
    ([], "trainer.log_every_examples", "-1", "must be at least 1"),
    ([], "trainer.val_every_examples", "-1", "must be at least 1"),
    ([], "trainer.val_check_interval", "0", "must be at least 1"),
    ([], "trainer.val_check_interval", "1000", "an epoch has 22 batches; add"),
    ([], "trainer.check_val_every_n_epoch", "0", "must be at least 1"),
    ([], "trainer.num_sanity_val_steps", "-2", "must be 0 or more batches, or -1 for all"),
    ([], "trainer.profiler", "foo", "there are: simple"),
    ([], "callback.checkpoint.every_examples", "-1", "must be 0"),
    ([], "callback.checkpoint.every_examples", "1.5", "must be a whole number"),
    ([], "callback.checkpoint.keep_last", "0", "must be at least 1"),
    ([], "callback.checkpoint.keep_last", "-2", "must be at least 1"),
    ([], "callback.evaluation.every_examples", "-5", "must be 0 (only at the end) or more"),
    ([], "callback.evaluation.num_samples", "1", "must be at least 2; 10000 is usual"),
    ([], "callback.evaluation.batch_size", "0", "must be at least 1"),
    ([], "callback.evaluation.split", "foo", "must be train, val or test"),
    (DEFAULT, "callback.preview.every_examples", "-1", "must be 0"),
    (DEFAULT, "callback.preview.num", "0", "must be at least 1"),
    (DEFAULT, "callback.codebook.every_examples", "-1", "must be 0 (the end alone) or more"),
    (DEFAULT, "callback.codebook.first_examples", "-1", "must be 0 (no early ones) or more"),
    (DEFAULT, "callback.codebook.num", "0", "must be at least 1"),
    (DEFAULT, "callback.codebook.most", "1", "must be from 2 to 10000"),
    (DEFAULT, "callback.progress.refresh_per_second", "0", "must be positive"),
]


@pytest.mark.parametrize(
    ("others", "key", "value", "part"), CASES, ids=[f"{key}={value[:12]}" for _, key, value, _ in CASES]
)
def test_train_refuses(others: list[str], key: str, value: str, part: str, ganvas, there: Path) -> None:
    smoke = [word for word in SMOKE if value != "null" or not word.startswith("trainer")]
    named = "model._target_" if "memory" in part and key.startswith("model") else key
    refused(ganvas, there, [*smoke, *others, f"{key}={value}"], named, part)


def test_quoted_numbers_are_numbers(ganvas, there: Path) -> None:
    """As the same numbers without quotes, to the bit."""
    from run_files import newest_state

    for name, rate in (("quoted", "'1e-3'"), ("plain", "0.001"), ("other", "0.002")):
        ganvas(*SMOKE, f"model.generator_optimizer.lr={rate}", f"paths.run_dir={name}")
    quoted, plain, other = (newest_state(there / name) for name in ("quoted", "plain", "other"))
    assert all(quoted[key].equal(plain[key]) for key in plain)
    assert not all(quoted[key].equal(other[key]) for key in other)


def test_the_largest_seed_and_whole_floats_are_taken(ganvas, there: Path) -> None:
    ganvas(*SMOKE, f"seed={2**63 - 1}", "trainer.max_examples=1e2")
    assert list(there.glob("outputs/*/*/checkpoints/000000000128.ckpt"))
    assert hash64(2**63 - 1) != hash64(0)
