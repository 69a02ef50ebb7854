"""Networks that are shared out over ranks train as in one process."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_files import newest_checkpoint, only_run
from worlds import SIZES, close, train_in_worlds

from ganvas.cli.compose.experiment import compose
from ganvas.errors import OptionError
from ganvas.run.prepare import prepare

Ended = dict[tuple[str, int, int], dict[str, Any]]  # (case, world, rank) -> what it ended as

_EVERY = [
    "trainer.max_steps=4",
    "trainer.log_every_examples=1",
    "trainer.val_check_interval=2",
    "trainer.check_val_every_n_epoch=null",
    "trainer.limit_val_batches=2",
    "data.batch_size=32",
    "accelerator=ddp_cpu",
    "accelerator.devices=1",
    "accelerator.strategy=fsdp",
    "callback=none",
]
_EMA = "model.ema.half_life=50"  # examples: in so few steps the default would hardly move
_DCGAN = ["model=dcgan", "model.generator.base_channels=8", "model.discriminator.base_channels=8"]
_CONV = [
    "model=vqvae",
    "model.encoder.hidden_channels=16",
    "model.decoder.hidden_channels=16",
    "model.num_embeddings=32",
]
CASES = {
    "gan": ["model=mlp_gan", "model.d_steps_per_g_step=2", _EMA],
    "rpgan": ["model=mlp_gan", "model/adversarial_loss=rpgan", "model.grad_clip=0.1"],
    "dcgan": [*_DCGAN, _EMA],
    "spectral": [*_DCGAN, "model.discriminator.norm=spectral", "model/ema=none"],
    "contrastive": ["model=mlp_gan", "model.conditional=true", "model/head=contrastive", _EMA],
    "frozen": [*_DCGAN, "model.freeze_discriminator_layers=2", "model/ema=none"],
    "style": [
        "model=style",
        "model.conditional=true",
        *("model.latent_dim=16", "model.generator.w_dim=16", "model.generator.channel_max=8"),
        *("model.discriminator.channel_max=8", "model.head.mapping_layers=2", "model/gradient_penalty=none"),
    ],
    "vq": [*_CONV, "model/quantizer=vq", "model.grad_clip=0.1"],
    "vq_ema": _CONV,
}
BFLOAT16 = {
    "dcgan_bf16": [*_DCGAN, "accelerator.precision=bf16-mixed"],
    "vq_bf16": [*_CONV, "accelerator.precision=bf16-mixed"],
}
RESUMED = ["dcgan", "vq"]
WORLDS = [size for size in SIZES if size > 1]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    cases = {name: _EVERY + words for name, words in (CASES | BFLOAT16).items()}
    return train_in_worlds(cases, tmp_path_factory.mktemp("worlds"), resumed=RESUMED, unit=2000)


def without(ended: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in ended.items() if name not in names}


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", CASES)
def test_shares_equal_one_process(case: str, world: int, ended: Ended) -> None:
    first = without(ended[case, world, 0], "held")
    close(first, without(ended[case, 1, 0], "held"), rtol=2e-4, atol=2e-5)
    for rank in range(1, world):
        close(without(ended[case, world, rank], "held"), first, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("case", BFLOAT16)
def test_bfloat16_rounds_otherwise_and_on_all_ranks_alike(case: str, ended: Ended) -> None:
    one, first, second = ended[case, 1, 0], ended[case, 2, 0], ended[case, 2, 1]
    for got, wanted in zip(first["reports"], one["reports"], strict=True):
        losses = {tag: value for tag, value in wanted.items() if tag.startswith("loss/")}
        close({tag: got[tag] for tag in losses}, losses, rtol=0.05, atol=0.01)
    close(without(second, "held"), without(first, "held"), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", CASES)
def test_each_rank_holds_its_share(case: str, world: int, ended: Ended) -> None:
    whole = ended[case, 1, 0]["held"]
    held = [ended[case, world, rank]["held"] for rank in range(world)]
    for name, count in whole.items():
        if name.startswith("quantizer."):
            assert [one[name] for one in held] == [count] * world
        else:
            rows = ended[case, 1, 0]["state"][name].shape[0]
            most = math.ceil(rows / world) * count // rows
            assert sum(one[name] for one in held) == count
            assert max(one[name] for one in held) == most, name


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("case", RESUMED)
def test_a_resumed_run_has_the_bits_of_the_whole_one(case: str, world: int, ended: Ended) -> None:
    for rank in range(world):
        whole, resumed = ended[case, world, rank], ended[f"{case}_resumed", world, rank]
        close(
            without(resumed, "reports", "validations"),
            without(whole, "reports", "validations"),
            rtol=0,
            atol=0,
        )
        close(resumed["reports"], whole["reports"][2:], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("case", RESUMED)
def test_what_four_ranks_saved_goes_on_in_one_process(case: str, ended: Ended) -> None:
    close(ended[f"{case}_resumed", 1, 0]["state"], ended[case, 1, 0]["state"], rtol=2e-4, atol=2e-5)
    close(ended[f"{case}_resumed", 1, 0]["optimizers"], ended[case, 1, 0]["optimizers"], rtol=2e-4, atol=2e-5)


@pytest.mark.slow
def test_a_whole_run_whose_checkpoint_every_command_reads(ganvas, tmp_path: Path) -> None:
    every = [
        "callback.preview.every_examples=64",
        "callback.health.every_examples=64",
        "callback.evaluation.num_samples=48",
    ]
    common = ["train", "data.batch_size=32", "logger=none", *every, *_DCGAN]
    shared = ["accelerator=ddp_cpu", "accelerator.strategy=fsdp"]
    ganvas(*common, *shared, "trainer.max_examples=128", fresh=True)
    run = only_run(tmp_path)
    assert len(list((run / "samples").glob("*.png"))) == 3
    alone = ["accelerator.devices=1", "accelerator.strategy=auto", "allow_drift=true"]
    shutil.copytree(run, tmp_path / "copy")
    ganvas("resume", "copy", *alone, "trainer.max_examples=256")
    ganvas("sample", "latest", "--num", "2", "--out", "two.npz")
    ganvas(*common, "accelerator=cpu", "trainer.max_examples=256", "paths.output_dir=straight")
    (straight,) = tmp_path.glob("straight/*/*/status.json")
    resumed, whole = newest_checkpoint(tmp_path / "copy"), newest_checkpoint(straight.parent)
    close(dict(resumed["state_dict"]), dict(whole["state_dict"]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["model=classifier"], "accelerator.strategy=fsdp"),
        (["model/gradient_penalty=r1"], "accelerator.strategy=fsdp"),
        (["accelerator.compile=true"], "accelerator.compile=true"),
        (["accelerator.channels_last=true"], "accelerator.channels_last=true"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(words: list[str], option: str) -> None:
    config = compose(["accelerator=ddp_cpu", "accelerator.strategy=fsdp", *words]).config
    with pytest.raises(OptionError) as caught:  # before anything is written
        prepare(config)
    assert f"{caught.value.option}={str(caught.value.value).lower()}" == option
