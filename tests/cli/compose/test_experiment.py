from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.cli.compose.experiment import Composed, compose
from ganvas.cli.compose.session import pick_image_size
from ganvas.errors import OptionError
from ganvas.files.folders import packaged_conf


@pytest.mark.parametrize(
    ("native", "allowed", "size"),
    [
        (28, [16, 32, 64, 128], 32),
        (32, [16, 32, 64, 128], 32),
        (8, [16, 32], 16),
        (500, [16, 128, 64], 128),
        (28, "any", 28),
        (30, "multiple_of_4", 32),
        (28, "multiple_of_4", 28),
        (29, "multiple_of_8", 32),
        (None, [16, 32], None),
        (None, "any", None),
        (28, None, 28),
    ],
)
def test_pick_image_size(native: int | None, allowed: object, size: int | None) -> None:
    assert pick_image_size(native, allowed) == size


def test_plain_values_and_choices() -> None:
    composed = compose(["model=vqvae", "model/quantizer=fsq", "seed=5", "model.quantizer.levels=[7,5,5]"])
    config = composed.config
    assert type(config["model"]) is dict
    assert type(config["model"]["quantizer"]["levels"]) is list
    assert "hydra" not in config
    assert config["data"]["seed"] == config["model"]["seed"] == 5
    assert config["model"]["quantizer"]["embedding_dim"] == 3
    assert config["model"]["encoder"]["embedding_dim"] == 3
    assert composed.choices["model/quantizer"] == "fsq"
    assert composed.choices["data"] == "digits"
    assert not any(key.startswith("hydra/") for key in composed.choices)


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        (["model.adversarial_loss=hinge"], "model/adversarial_loss=hinge"),
        (["model=mlp_vqvae", "model.quantizer=fsq"], "model/quantizer=fsq"),
        (["metric.samples=kid"], "metric/samples=kid"),
        (["model.generator_optimizer=adam"], "model/optimizer@model.generator_optimizer=adam"),
    ],
)
def test_an_option_written_with_a_dot_is_told_its_slash(words: list[str], choice: str) -> None:
    with pytest.raises(OptionError) as refused:
        compose(words)
    assert str(refused.value).startswith(f"{words[-1]}: is the place of a section")
    assert str(refused.value).endswith(f"chosen by {choice}")


@pytest.mark.parametrize("seed", ["a", "null", "-1", "1.5", "9223372036854775808"])
def test_a_seed_that_is_none_names_no_folder(seed: str) -> None:
    with pytest.raises(OptionError, match=rf"^seed={seed}: must be a whole number in \[0, 2\^63\)$"):
        compose([f"seed={seed}"])
    assert compose(["seed=9223372036854775807"]).config["seed"] == 2**63 - 1


def test_so_is_a_word_in_a_yaml(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults: [{override /model: mlp_vqvae}]\nmodel: {quantizer: fsq}\n"
    (tmp_path / "experiment/mine.yaml").write_text(text)
    with pytest.raises(OptionError, match=r"^model\.quantizer=fsq: .* by - override /model/quantizer: fsq,"):
        compose(["experiment=mine"], config_dir=str(tmp_path))


def test_run_folder_is_named_after_the_experiment_unless_it_is_given() -> None:
    words = ["model=mlp_vqvae", "data=toy", "seed=9", "name=mine", "paths.output_dir=there"]
    first, second = (Path(compose(words).config["paths"]["run_dir"]) for _ in range(2))
    assert first.parts[:2] == ("there", "mine")
    assert "_mlp_vqvae-toy-s9-" in first.name
    assert first != second
    composed = compose([*words, "paths.run_dir=here"])
    assert composed.config["paths"]["run_dir"] == "here"
    assert composed.config["callback"]["checkpoint"]["run_dir"] == "here"


def test_own_groups_lie_beside_the_packaged_ones_and_shadow_them(tmp_path: Path) -> None:
    for name, text in {
        "model/mine.yaml": "defaults: [mlp_gan, _self_]\nlatent_dim: 3\n",
        "trainer/smoke.yaml": "defaults: [default, _self_]\nmax_examples: 7\n",
        "local/default.yaml": "# @package _global_\nseed: 77\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    config = compose(["model=mine", "trainer=smoke"], config_dir=str(tmp_path)).config
    assert (config["model"]["latent_dim"], config["trainer"]["max_examples"], config["seed"]) == (3, 7, 77)
    assert config["model"]["generator"]["latent_dim"] == 3
    assert compose(["trainer=smoke"]).config["trainer"]["max_examples"] == 640


def test_packaged_conf_is_there() -> None:
    assert (packaged_conf() / "train.yaml").is_file()


ORIGINS = {
    "part.dim": ["model.dim"],
    "part.copy": ["part.dim"],
    "part.length": ["model.levels"],
    "part.ratio": ["model.dim", "model.count"],
    "callback.features": ["metric.features"],
}


@pytest.mark.parametrize(
    ("overrides", "option", "value", "line"),
    [
        ([], "part.copy", 0, "model.dim=0"),
        (["model.dim=0"], "part.copy", 0, "model.dim=0"),
        (["part.dim=0"], "part.copy", 0, "part.dim=0"),
        (["model.levels=[]"], "part.length", 0, "model.levels=[]"),
        (["model.count=-2"], "part.ratio", -32, "model.count=-2"),
        ([], "part.ratio", -32, "part.ratio=-32"),
        (["metric.features.size=a"], "callback.features.size", "a", "metric.features.size=a"),
        (["lr=1e-3"], "lr", 0.001, "lr=1e-3"),
        (["root=here"], "root", "here/3.png", "root=here/3.png"),
        (["accelerator=gpu"], "accelerator.accelerator", "gpu", "accelerator=gpu"),
        ([], "model.size", None, "model.size=null"),
    ],
)
def test_errors_are_named_as_written(overrides: list[str], option: str, value: object, line: str) -> None:
    error = Composed({}, {}, overrides, ORIGINS).named_as_written(OptionError(option, value, "no"))
    assert str(error) == f"{line}: no"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model/adversarial_loss=[hinge,rpgan]", "names several options, and one is taken; "),
        ("data=[digits,toy]", "names several options, and one is taken; data=digits or data=toy"),
        ("model/regularizer=[none,lecam]", "none is nothing, and others stand beside it; "),
        ("model/regularizer=[lecam, none]", "none is nothing, and others stand beside it; "),
        ("model/regularizer=[cr,lecam,cr]", "names cr twice; leave one out"),
        ("metric/samples=[fid,fid]", "names fid twice; leave one out"),
    ],
)
def test_each_option_of_a_list_acts(word: str, said: str) -> None:
    with pytest.raises(OptionError) as refused:
        compose([word])
    assert str(refused.value).startswith(f"{word}: {said}")


def test_a_list_of_options_that_stand_side_by_side() -> None:
    config = compose(["model/regularizer=[lecam,cr]", "model/gradient_penalty=[r1]"]).config["model"]
    assert set(config["regularizer"]) == {"lecam", "cr"}
    assert config["gradient_penalty"]["gamma"] == 1.0
    assert compose(["model/regularizer=[none]"]).config["model"]["regularizer"] == {"_target_": None}


def test_what_a_recipe_sets_of_its_part_goes_with_that_part() -> None:
    words = ["model=style", "model/gradient_penalty=wgan_gp"]
    penalty = compose(words).config["model"]["gradient_penalty"]
    assert "gamma" not in penalty  # StyleGAN2's, of R1
    assert (penalty["interval"], penalty["weight"]) == (16, 10.0)  # what the other has too stays
    assert compose(["model=style"]).config["model"]["gradient_penalty"]["gamma"] == 0.01
    assert (
        compose(["model=style", "model/gradient_penalty=r2"]).config["model"]["gradient_penalty"]["gamma"]
        == 0.01
    )
    assert "init_std" not in compose(["model=dcgan", "model/head=mapped"]).config["model"]["head"]
    written = compose([*words, "model.gradient_penalty.gamma=0.01"]).config["model"]["gradient_penalty"]
    assert written["gamma"] == 0.01  # the user's own, for the part to refuse


def test_what_an_experiment_sets_of_its_part_goes_with_that_part() -> None:
    place = "model.generator_optimizer.lr"
    other = ["experiment=lsgan", f"model/schedule@{place}=constant", f"{place}.value=0.001"]
    model = compose(other).config["model"]
    assert model["generator_optimizer"]["lr"]["value"] == 0.001
    assert "first" not in model["generator_optimizer"]["lr"]
    assert model["discriminator_optimizer"]["lr"]["first"] == 8e-4
    assert compose(["experiment=lsgan", f"model/schedule@{place}=cosine"]).config["model"][
        "generator_optimizer"
    ]["lr"] == {
        "_target_": "ganvas.model.schedule.cosine.Cosine",
        "first": 8e-4,  # which a cosine begins with too
        "last": 0.0,
        "examples": 600_000,
    }
    network = compose(["experiment=sngan", "model/discriminator=dcgan"]).config["model"]["discriminator"]
    assert "widths" not in network
    assert "base_channels" in network
    kept = compose(["experiment=sngan", "model/discriminator=dcgan", "model.discriminator.widths=[8]"])
    assert kept.config["model"]["discriminator"]["widths"] == [8]  # the user's own, for the part to refuse
    with pytest.raises(OptionError, match="has no value yet"):
        compose(other[:2])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["experiment=biggan", "model/schedule@model.ema.half_life=linear"],
            "model/schedule@model.ema.half_life=linear: model.ema.half_life=10000.0 stands in its place; "
            "write 'model.ema.half_life={_target_: ganvas.model.schedule.linear.Linear, first: 10000.0, "
            "last: 0.0, examples: ${trainer.max_examples}, start: 0}'",
        ),
        (
            ["experiment=biggan", "model/schedule@model.ema.half_life=linear", "model.ema.half_life.first=5"],
            "model/schedule@model.ema.half_life=linear: model.ema.half_life=10000.0 stands in its place;",
        ),
        (
            ["model=dcgan", "model/schedule@model.ema.half_life=linear", "model.ema.half_life=5"],
            "model/schedule@model.ema.half_life=linear: model.ema.half_life=5 stands in its place; "
            "write model.ema.half_life.first=5",
        ),
        (
            ["model=dcgan", "model/schedule@model.ema.half_life=linear", "model.ema.half_life.frist=5"],
            "model.ema.half_life.frist=5: there is no such key or group; did you mean "
            "model.ema.half_life.first?",
        ),
    ],
)
def test_a_schedule_that_a_number_would_take_the_place_of(words: list[str], said: str) -> None:
    with pytest.raises(OptionError) as refused:
        compose(words)
    assert str(refused.value).startswith(said)


def test_the_section_that_is_told_instead_of_a_number_acts() -> None:
    with pytest.raises(OptionError) as refused:
        compose(["experiment=biggan", "model/schedule@model.ema.half_life=linear"])
    section = str(refused.value).partition("write ")[2].strip("'")
    half_life = compose(["experiment=biggan", section]).config["model"]["ema"]["half_life"]
    assert half_life == {
        "_target_": "ganvas.model.schedule.linear.Linear",
        "first": 10_000.0,
        "last": 0.0,
        "examples": compose(["experiment=biggan"]).config["trainer"]["max_examples"],
        "start": 0,
    }


def test_a_number_of_the_users_takes_the_place_of_an_experiments_schedule() -> None:
    composed = compose(["experiment=lsgan", "model.generator_optimizer.lr=0.001"])
    assert composed.config["model"]["generator_optimizer"]["lr"] == 0.001
