"""Every option of every group composes, and what it describes can be built."""

from __future__ import annotations

import inspect
import re
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import get_class

from ganvas.cli.compose.experiment import compose
from ganvas.errors import OptionError
from ganvas.run.config.build import build, check_targets

CONF = Path(__file__).parents[1] / "conf"
# Models by networks that are not every GAN's.
GANS = {"dcgan": "dcgan", "resnet": "sngan", "r3gan": "r3gan", "biggan": "biggan", "style": "style"}
GANS |= {"wavegan": "wavegan"}


def words(name: Path) -> list[str]:
    """The override that chooses an option, with a model that has such a part."""
    group, option = name.parent.as_posix(), name.stem
    if name.as_posix() == "data/codes.yaml":
        return ["model=autoregressive", "data=codes"]
    if group in ("model/optimizer",):
        return [f"model/optimizer@model.generator_optimizer={option}"]
    vqvae = ("model/encoder", "model/decoder", "model/quantizer", "model/reconstruction_loss")
    chosen = [f"{group}={option}"]
    if group in vqvae:
        model = "vqvae" if option in ("conv", "resnet", "vit", "conv1d", "vocos") else "mlp_vqvae"
        model = "text_vqvae" if option in ("text", "cross_entropy") else model
        other = {"model/encoder": "model/decoder", "model/decoder": "model/encoder"}.get(group)
        chosen = [f"model={model}", *chosen, *([f"{other}={option}"] if other else [])]
    elif group in ("model/generator", "model/discriminator"):
        size = ["data.image_size=32"] if option == "patch" else []  # the digits' 8 pixels leave no patch
        chosen = [f"model={GANS.get(option, 'mlp_gan')}", *chosen, *size]
    elif group == "model/network":
        chosen = ["model=classifier", *chosen]
    elif group == "model/prior":
        chosen = ["model=autoregressive", *chosen]
    elif group == "model/schedule":
        place = "model.generator_optimizer.lr"
        numbers = {"constant": ["value"], "warmup_cosine": ["first", "peak"]}.get(option, ["first"])
        chosen = [f"{group}@{place}={option}", *(f"{place}.{number}=1.0e-4" for number in numbers)]
        chosen += [f"{place}.warmup=100"] if option == "warmup_cosine" else []
    elif group == "model/schedules":  # places for schedules, no choice
        chosen = [f"model={ {'gan': 'mlp_gan', 'one_optimizer': 'vqvae', 'vqgan': 'vqgan'}[option] }"]
    elif group.startswith("experiment/study_"):
        study = {
            "experiment/study_modes": "study_modes",
            "experiment/study_quantizers": "study_quantizers",
            "experiment/study_bits": "study_quantizers",
        }.get(group, "study_losses")
        chosen = [f"experiment={study}", *chosen]
    return chosen


def data_of(name: Path) -> list[str]:
    """Data for a part or a model that says of itself that it is for sounds; else the ones that are there."""
    head = (CONF / name).read_text().split("_target_", 1)[0].split("\ndefaults:", 1)[0]
    for_sounds = name.parts[0] == "model" and re.search(r"\bsounds\b", head)
    if for_sounds:
        return ["data=sound_folder", "data.rate=8000"]
    of_texts = name.parts[0] == "model" and re.search(r"\b[tT]exts\b|of texts", head)
    return ["data=text_files"] if of_texts else []


def options() -> list[Path]:
    names = (path.relative_to(CONF) for path in sorted(CONF.rglob("*.yaml")))
    return [name for name in names if len(name.parts) > 1 and name.parts[0] not in ("hydra", "pipeline")]


def options_by_group() -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for name in options():
        groups.setdefault(name.parent.as_posix(), []).append(name)
    return groups


@pytest.mark.parametrize("group", options_by_group())
def test_every_option_composes_and_builds(group: str, tmp_path: Path) -> None:
    for name in options_by_group()[group]:
        try:
            composes_and_builds(name, tmp_path)
        except Exception as error:
            error.add_note(f"option: {name}")
            raise


def composes_and_builds(name: Path, tmp_path: Path) -> None:
    group, option = name.parent.as_posix(), name.stem
    config = compose([*words(name), *data_of(name), f"paths.output_dir={tmp_path}"]).config
    check_targets(config)
    needs_extra = ("metric/features/efficientnet_lite0.yaml", "model/reconstruction_loss/perceptual.yaml")
    if name.as_posix() in needs_extra and find_spec("efficientnet_lite_pytorch") is None:
        return
    if name.parts[0] == "logger" and name.stem not in ("none", "tensorboard"):  # a tracker, which is an extra
        is_there = find_spec({"comet": "comet_ml"}.get(name.stem, name.stem)) is not None
        missing = pytest.raises(OptionError, match=rf"pip install 'ganvas\[{name.stem}\]'")
        with nullcontext() if is_there else missing:
            build(config["logger"][name.stem], f"logger.{name.stem}")
        return
    prior = config["model"].get("prior")  # its recipe takes a tokenizer too, which is another run
    assert build(prior or config["model"], "model.prior" if prior else "model") is not None
    for name_, node in {**config["callback"], **config["logger"]}.items():
        build(node, f"callback.{name_}")
    of_another_run = config["data"].get("tokenizer", "") is None  # which whoever trains names
    if not of_another_run and (config["data"].get("root") or group != "data" or option == "toy"):
        assert build(config["data"], "data") is not None
    assert not list(tmp_path.iterdir()), "composing and building writes nothing"


@pytest.mark.parametrize("model", ["mlp_gan", "dcgan", "mlp_vqvae", "vqvae"])
@pytest.mark.parametrize(
    "data", ["digits", "fashion_mnist", "mnist", "cifar10", "image_folder", "stacked_digits"]
)
def test_every_model_takes_every_image_data(model: str, data: str) -> None:
    config = compose([f"model={model}", f"data={data}"]).config
    size = config["data"]["image_size"]
    assert config["data"]["sample_shape"] == [config["data"]["channels"], size, size]
    assert build(config["model"], "model") is not None
    if model == "dcgan":
        assert size == {"digits": 16, "stacked_digits": 16, "image_folder": 64}.get(data, 32)


def test_the_articles_networks_have_its_parameter_counts() -> None:
    model = build(compose(["model=mlp_gan", "data=fashion_mnist"]).config["model"], "model")
    count = {name: sum(p.numel() for p in net.parameters()) for name, net in model.networks.items()}
    assert count == {"generator": 114_064, "discriminator": 100_609}


CODERS = re.compile(r"The encoder has ([\d,]+) parameters, the decoder ([\d,]+)")
COUNTS = re.compile(r"G has ([\d,]+) parameters, D ([\d,]+)(?:[;,] by class ([\d,]+) and ([\d,]+))?")


@pytest.mark.parametrize("name", [path.stem for path in sorted((CONF / "experiment").glob("*_cifar10.yaml"))])
def test_published_sizes_have_the_parameters_that_their_heads_say(name: str) -> None:
    header = (CONF / "experiment" / f"{name}.yaml").read_text()
    coders = CODERS.search(header)
    found = coders or COUNTS.search(header)
    assert found is not None
    said = [int(count.replace(",", "")) for count in found.groups() if count]
    sides = ("encoder", "decoder") if coders else ("generator", "discriminator")
    counts = []
    for conditional in ("false", "true")[: len(said) // 2]:
        by_class = [] if coders else [f"model.conditional={conditional}"]
        config = compose([f"experiment={name}", *by_class]).config
        with torch.device("meta"):
            networks = build(config["model"], "model").networks
        counts += [sum(p.numel() for p in networks[one].parameters()) for one in sides]
    assert counts == said


@pytest.mark.parametrize("name", ["study_losses", "study_modes", "study_quantizers"])
def test_a_study_has_every_option_of_its_groups(name: str) -> None:
    study = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text())
    for group, values in study["hydra"]["sweeper"]["params"].items():
        assert sorted(values.split(",")) == sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def test_one_option_gives_one_vector_of_64() -> None:
    config = compose(["model=mlp_vqvae", "model.num_vectors=1", "data=fashion_mnist"]).config
    assert config["model"]["quantizer"]["embedding_dim"] == 64
    shapes = {name: tuple(p.shape) for name, p in build(config["model"], "model").encoder.named_parameters()}
    assert (128, 784) in shapes.values()
    assert (64, 128) in shapes.values()


def test_a_machines_own_settings_and_shadowed_options(tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text("# @package _global_\npaths: {data_dir: /somewhere}\n")
    (tmp_path / "model" / "ema").mkdir(parents=True)
    (tmp_path / "model" / "ema" / "exponential.yaml").write_text(
        "_target_: ganvas.model.ema.exponential.ExponentialAverage\nhalf_life: 7.0\n"
    )
    config = compose([], config_dir=str(tmp_path)).config
    assert config["paths"]["data_dir"] == "/somewhere"
    assert config["model"]["ema"]["half_life"] == 7.0
    assert compose([]).config["model"]["ema"]["half_life"] != 7.0


@pytest.mark.parametrize("model", ["mlp_gan", "mlp_vqvae"])
def test_points_need_no_edit(model: str) -> None:
    config = compose([f"model={model}", "data=toy"]).config
    assert config["data"]["sample_shape"] == [2]
    assert build(config["model"], "model") is not None


@pytest.mark.parametrize("option", ["conv", "resnet", "vit"])
@pytest.mark.parametrize("size", [7, 10])
def test_a_vqvae_of_images_takes_any_size(option: str, size: int) -> None:
    words = ["model=vqvae", f"model/encoder={option}", f"model/decoder={option}", "data=image_folder"]
    config = compose([*words, f"data.native_size={size}", "data.channels=2", "data.root=x"]).config
    assert config["data"]["image_size"] == size
    model, x = build(config["model"], "model"), torch.rand(3, 2, size, size) * 2 - 1
    model.check_sample(x)
    assert model.reconstruct(x).x.shape == x.shape
    assert model.decode(model.encode(x)).shape == x.shape


@pytest.mark.parametrize(("encoder", "decoder"), [("conv", "vit"), ("resnet", "conv"), ("vit", "resnet")])
def test_encoders_and_decoders_of_images_go_together(encoder: str, decoder: str) -> None:
    words = ["model=vqvae", f"model/encoder={encoder}", f"model/decoder={decoder}", "data=fashion_mnist"]
    model = build(compose(words).config["model"], "model")
    model.check_sample(torch.zeros(2, 1, 28, 28))


REGULARIZERS = sorted(
    path.stem for path in (CONF / "model/regularizer").glob("*.yaml") if path.stem != "none"
)


@pytest.mark.parametrize("name", REGULARIZERS)
def test_numbers_of_a_regularizer_that_may_move_can_be_asked_to(name: str) -> None:
    """Each number that its class takes as a schedule has a place for one in its YAML."""
    part = compose([f"model/regularizer={name}"]).config["model"]["regularizer"][name]
    hints = inspect.signature(get_class(part["_target_"])).parameters
    moving = [option for option in part if "Schedule" in str(getattr(hints.get(option), "annotation", ""))]
    places = [f"model.regularizer.{name}.{option}" for option in moving]
    chosen = [
        word for place in places for word in (f"model/schedule@{place}=constant", f"{place}.value=0.25")
    ]
    moved = compose([f"model/regularizer={name}", *chosen]).config["model"]["regularizer"][name]
    assert sorted(build(moved, name).schedules) == sorted(moving)
    assert moving
