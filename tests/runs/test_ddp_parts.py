"""One, two and four ranks train the same networks, whatever they are made of."""

from __future__ import annotations

from typing import Any

import pytest
from untried import untried
from worlds import SIZES, close, train_in_worlds

Ended = dict[tuple[str, int, int], dict[str, Any]]  # (case, world, rank) -> what it ended as

WORLDS = [size for size in SIZES if size > 1]
_EVERY = [
    "trainer.max_steps=4",
    "trainer.log_every_examples=1",
    "trainer.val_check_interval=4",
    "trainer.check_val_every_n_epoch=null",
    "trainer.limit_val_batches=2",
    "data.batch_size=32",
    "accelerator=ddp_cpu",
    "accelerator.devices=1",
    "callback=none",
]
_EMA = "model.ema.half_life=50"  # examples: in so few steps the default would hardly move
_DCGAN = ["model=dcgan", "model.generator.base_channels=8", "model.discriminator.base_channels=8"]
_CONV = ["model=vqvae", "model.encoder.hidden_channels=16", "model.decoder.hidden_channels=16"]
CASES = {
    "gan": ["model=mlp_gan", _EMA],
    "hinge_r1": [
        "model=mlp_gan",
        "model/adversarial_loss=hinge",
        "model/gradient_penalty=r1",
        "model.d_steps_per_g_step=2",
        "model/ema=none",
    ],
    "rpgan_r1_r2": [
        "model=mlp_gan",
        "model/adversarial_loss=rpgan",
        "model/gradient_penalty=r1_r2",
        "model.grad_clip=0.1",
    ],
    "wgan_gp": ["model=mlp_gan", "model/gradient_penalty=wgan_gp", "model.gradient_penalty.interval=2"],
    "wgan_clip_dragan": [
        "model=mlp_gan",
        "model/adversarial_loss=wasserstein",
        "model.adversarial_loss.clip=0.05",
        "model/gradient_penalty=dragan",
    ],
    "acgan": [
        *("model=mlp_gan", "model.conditional=true", "model/head=acgan", _EMA),
        "model/adversarial_loss=least_squares",
    ],
    "contrastive": [
        *("model=mlp_gan", "model.conditional=true", "model/head=contrastive", _EMA),
        "model/adversarial_loss=saturating",
    ],
    "d2d_ce": ["model=mlp_gan", "model.conditional=true", "model/head=d2d_ce", "model.head.temperature=0.2"],
    "sngan_of_classes": [
        "model=sngan",
        "model.conditional=true",
        "model.generator.widths=[8,8,8,8]",
        "model.discriminator.widths=[8,8,8]",
        "model.discriminator.attention_at=[16]",
        "model.discriminator.pooling=mean",
        "model.d_steps_per_g_step=2",
        # Nearly gradient descent: Adam makes whole steps of float noise in gradients near 0, and in float32
        # the order of a batch's samples then moves weights by 5e-5 in 4 steps (in float64 by 1e-15).
        *("model.generator_optimizer.eps=0.01", "model.generator_optimizer.lr=0.002"),
        *("model.discriminator_optimizer.eps=0.01", "model.discriminator_optimizer.lr=0.002"),
    ],
    "biggan_of_classes": [
        "model=biggan",
        "model.conditional=true",
        "data.image_size=16",
        "model.generator.widths=[8,8,8]",
        "model.discriminator.widths=[8,8,8]",
        "model.d_steps_per_g_step=2",
        *("model.generator_optimizer.eps=0.1", "model.generator_optimizer.lr=0.01"),  # as sngan's
        *("model.discriminator_optimizer.eps=0.1", "model.discriminator_optimizer.lr=0.01"),
    ],
    "r3gan": [
        "model=r3gan",
        "model.generator.widths=[8,8,8,8]",
        "model.generator.blocks=1",
        "model.discriminator.widths=[8,8,8,8]",
        "model.discriminator.blocks=1",
    ],
    "style_of_classes": [
        "model=style",
        "model.conditional=true",
        *("model.latent_dim=16", "model.generator.w_dim=16", "model.generator.channel_max=8"),
        *("model.discriminator.channel_max=8", "model.head.mapping_layers=2"),
        *("model.gradient_penalty.interval=2", "model.d_steps_per_g_step=2"),
        *("model/regularizer=[path_length]", "model.regularizer.path_length.interval=1"),
    ],
    "regularizers": [
        "model=mlp_gan",
        "model/regularizer=[lecam,bcr,zcr,top_k]",
        "model.regularizer.lecam.start=0",
        "model.regularizer.lecam.decay=0.5",
        "model/schedule@model.instance_noise=linear",
        "model.instance_noise.first=0.1",
        "model/schedule@model.discriminator_optimizer.beta1=cosine",
        "model.discriminator_optimizer.beta1.first=0.5",
        "trainer.max_examples=128",
    ],
    # Of rpgan and hinge, at their start, D's offset would get float noise alone.
    "consistency": ["model=mlp_gan", "model/regularizer=[cr]"],
    "ada": [
        "model=mlp_gan",
        "model/augment=ada",
        "model.augment.pipeline=bgcfnc",
        *("model.augment.p=0.4", "model.augment.interval=2", "model.augment.adapt_examples=400"),
        "model/gradient_penalty=r1",
    ],
    "apa": [
        "model=mlp_gan",
        "model/augment=apa",
        *("model.augment.p=0.4", "model.augment.interval=1", "model.augment.adapt_examples=400"),
    ],
    "diffaugment": ["model=mlp_gan", "model/augment=diffaugment", "model/adversarial_loss=rpgan"],
    "patches_of_classes": [
        "model=dcgan",
        "model.generator.base_channels=8",
        "model.conditional=true",
        "model/discriminator=patch",
        "model.discriminator.layers=2",
        "model.discriminator.base_channels=8",
        "model.discriminator.norm=spectral",
        "model/gradient_penalty=r1",
        "model/adversarial_loss=rpgan",
        "model/regularizer=[lecam,cr,top_k]",
        "model.regularizer.lecam.start=0",
        *("model.generator_optimizer.eps=0.01", "model.generator_optimizer.lr=0.002"),  # as sngan's
        *("model.discriminator_optimizer.eps=0.01", "model.discriminator_optimizer.lr=0.002"),
    ],
    "r2_toy": ["model=mlp_gan", "data=toy", "model/gradient_penalty=r2"],
    "dcgan": [*_DCGAN, _EMA],
    "dcgan_r1": [
        *_DCGAN,
        "model/gradient_penalty=r1",
        *("model.generator_optimizer.eps=0.01", "model.generator_optimizer.lr=0.002"),  # as sngan's
        *("model.discriminator_optimizer.eps=0.01", "model.discriminator_optimizer.lr=0.002"),
    ],
    "dcgan_frozen": [*_DCGAN, "model.freeze_discriminator_layers=2", _EMA],
    "dcgan_spectral": [*_DCGAN, "model.discriminator.norm=spectral"],
    "vq": [*_CONV, "model/quantizer=vq", "model.num_embeddings=32", "model/reconstruction_loss=l1"],
    "vq_restarts": [
        "model=mlp_vqvae",
        "model/quantizer=vq",
        "model.num_embeddings=64",
        "model.quantizer.restart_after=2",
        "model.grad_clip=0.1",
    ],
    "vq_ema": [*_CONV, "model.num_embeddings=32"],
    "vq_ema_restarts": [
        "model=mlp_vqvae",
        "model/quantizer=vq_ema",
        "model.num_embeddings=64",
        "model.quantizer.decay=0.5",
        "model.quantizer.restart_threshold=0.5",
    ],
    "vq_diveq": [
        *_CONV,
        *("model/quantizer=vq", "model.num_embeddings=32"),
        *("model.quantizer.gradient=diveq", "model.quantizer.start=kmeans"),
    ],
    "vq_ema_rotation": [
        *_CONV,
        *("model.num_embeddings=32", "model.quantizer.gradient=rotation", "model.quantizer.start=kmeans"),
    ],
    "cosine": [
        *_CONV,
        *("model/quantizer=cosine", "model.num_embeddings=32", "model.quantizer.gradient=rotation"),
        *("model.quantizer.orthogonal_cost=1.0", "model.quantizer.entropy_cost=0.1"),
    ],
    "simvq": [*_CONV, "model/quantizer=simvq", "model.num_embeddings=32"],
    "residual": [
        *_CONV,
        "model/quantizer=residual",
        "model.num_embeddings=32",
        *("model.quantizer.levels=3", "model.quantizer.dropout=0.5"),
    ],
    "grouped_residual": [
        "model=mlp_vqvae",
        "model/quantizer=grouped",
        "model/quantizer@model.quantizer.inner=residual",
        "model/quantizer@model.quantizer.inner.inner=vq",
        *("model.quantizer.inner.levels=2", "model.quantizer.inner.shared=true", "model.num_embeddings=16"),
        *("model.quantizer.inner.dropout=0.5", "model.quantizer.inner.inner.restart_after=2"),
    ],
    "multiscale": [
        *_CONV,
        "model/quantizer=multiscale",
        "model.num_embeddings=32",
        "model.quantizer.convolutions=2",
    ],
    "vqvae2": [
        "model=vqvae2",
        "data.image_size=16",
        *("model.hidden_dim=16", "model.encoder.hidden_channels=16", "model.decoder.hidden_channels=16"),
        *("model.upper_encoder.hidden_channels=16", "model.upper_decoder.hidden_channels=16"),
        *("model.levels=3", "model/quantizer=vq", "model.num_embeddings=32"),
    ],
    "vqgan": [
        "model=vqgan",
        *("model.encoder.hidden_channels=16", "model.decoder.hidden_channels=16"),
        *("model/quantizer=fsq", "model.discriminator.base_channels=8", "model.ramp_examples=100"),
        *("model/gradient_penalty=r1", "model.discriminator.norm=none", "model/augment=diffaugment"),
    ],
    "fsq": [*_CONV, "model/quantizer=fsq"],
    "fsq_noise": [*_CONV, "model/quantizer=fsq", "model.quantizer.noise=0.5", "model.quantizer.cells=equal"],
    "lfq": [*_CONV, "model/quantizer=lfq"],
    "bsq_36_bits": [*_CONV, "model/quantizer=bsq", "model.quantizer.embedding_dim=36"],
    "gumbel": [*_CONV, "model/quantizer=gumbel", "model.num_embeddings=32"],
    "ibq": [*_CONV, "model/quantizer=ibq", "model.num_embeddings=32"],
    "residual_autoencoder": [
        *("model=vqvae", "model/encoder=resnet", "model/decoder=resnet", "model/quantizer=fsq"),
        *("data.image_size=10", "model.encoder.base_channels=8", "model.encoder.blocks=1"),
        *("model.encoder.attention_at=[6]", "model/reconstruction_loss=huber"),
        *(
            "model.optimizer.eps=0.01",
            "model.optimizer.lr=0.002",
        ),  # as sngan's: of keys' biases, which do nothing
    ],
    "tokens": [
        *("model=vqvae", "model/encoder=vit", "model/decoder=vit", "model/quantizer=fsq"),
        *("data.image_size=10", "model.encoder.tokens=3", "model.encoder.width=16", "model.encoder.depth=1"),
        *("model.decoder.output=tanh", "model/reconstruction_loss=[bce,perceptual]"),
        "metric/features@model.reconstruction_loss.perceptual.features=pixels",
        *("model.optimizer.eps=0.01", "model.optimizer.lr=0.002"),
    ],
    "classifier": ["model=classifier", "model.network.base_channels=4"],
}
METRICS = {
    "gan_metrics": [
        *CASES["gan"],
        "callback=evaluation",
        "callback.evaluation.num_samples=100",
        "callback.evaluation.batch_size=16",
        "metric/samples=[fid,kid,precision_recall,density_coverage]",
    ],
    "vq_metrics": [*CASES["vq"], "callback=evaluation", "callback.evaluation.batch_size=16"],
}
LOCAL = {
    "dcgan_local": [*_DCGAN, "accelerator.sync_batchnorm=false"],
    "classifier_local": [*CASES["classifier"], "accelerator.sync_batchnorm=false"],
}
BFLOAT16 = {
    "gan_bf16": [*CASES["gan"], "accelerator.precision=bf16-mixed"],
    "classifier_bf16": [*CASES["classifier"], "accelerator.precision=bf16-mixed"],
}


def test_every_part_is_in_a_case() -> None:
    groups = ["adversarial_loss", "gradient_penalty", "regularizer", "head", "augment", "quantizer"]
    assert untried([f"model/{group}" for group in groups], CASES.values()) == []


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    cases = {name: _EVERY + words for name, words in (CASES | METRICS | LOCAL | BFLOAT16).items()}
    return train_in_worlds(cases, tmp_path_factory.mktemp("worlds"))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", CASES)
def test_ranks_equal_one_process(case: str, world: int, ended: Ended) -> None:
    one, first = ended[case, 1, 0], ended[case, world, 0]
    assert one["steps"] == first["steps"] == 4
    assert one["clock"] == first["clock"]
    assert one["clock"]["examples_seen"] == 4 * 32
    close(first, one, rtol=2e-4, atol=2e-5)
    ranks_are_one(case, world, ended)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", METRICS)
def test_metrics_are_those_of_one_process(case: str, world: int, ended: Ended) -> None:
    one, first = ended[case, 1, 0]["metrics"], ended[case, world, 0]["metrics"]
    assert len(one) >= 4
    close(first, one, rtol=1e-3, atol=1e-5)
    ranks_are_one(case, world, ended)


@pytest.mark.parametrize("case", BFLOAT16)
def test_bfloat16_rounds_a_share_of_a_batch_otherwise(case: str, ended: Ended) -> None:
    one, two = ended[case, 1, 0], ended[case, 2, 0]
    for step in range(4):
        close(two["reports"][step], one["reports"][step], rtol=0.05, atol=0.01)
    ranks_are_one(case, 2, ended)


@pytest.mark.parametrize("case", LOCAL)
def test_batch_statistics_of_each_rank_alone_train_otherwise(case: str, ended: Ended) -> None:
    one, two = ended[case, 1, 0], ended[case, 2, 0]
    assert one["clock"] == two["clock"]
    with pytest.raises(AssertionError):
        close(two["reports"][0], one["reports"][0], rtol=1e-3, atol=1e-3)
    ranks_are_one(case, 2, ended)  # their running statistics are means over ranks


def ranks_are_one(case: str, world: int, ended: Ended) -> None:
    for rank in range(1, world):
        close(ended[case, world, rank], ended[case, world, 0], rtol=0, atol=0)
