"""Which word of a command line goes to which stage of a pipeline; what fits none is refused in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import Composed
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.pipeline.routes import Routes
from ganvas.errors import OptionError
from ganvas.pipeline.definition import Stage, place

Compose = Callable[..., tuple[Routes, list[Composed]]]


def stages(names: str = "tokenizer prior") -> list[Stage]:
    first, second = names.split()
    codes = ["model=autoregressive", "data=codes", f"data.tokenizer={{{first}}}"]
    return [
        Stage(0, first, ["model=mlp_vqvae"], True),
        Stage(1, second, codes, True),
        Stage(2, "samples", ["sample", "{prior}"], False),
    ]


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    """Composes both stages with a command line's overrides."""
    with hydra_session(None) as hydra:
        composer = Composer(hydra)

        def made(overrides: Sequence[str], names: str = "tokenizer prior") -> tuple[Routes, list[Composed]]:
            routes = Routes(composer, stages(names), stages(names), overrides)
            return routes, list(routes.compose().values())

        yield made


def test_each_word_goes_to_its_stage(compose: Compose) -> None:
    words = [
        "seed=2",
        "model.num_embeddings=32",
        "tokenizer.model.quantizer.decay=0.5",
        "prior.seed=7",
    ]
    words += ["model.grad_clip=2.0", "trainer.max_examples=640", "prior.model/prior=pixelcnn"]
    words += ["prior.model.prior.layers=2", "~tokenizer.callback.preview", "logger=none"]
    routes, (tokenizer, prior) = compose(words)
    assert (tokenizer.config["seed"], prior.config["seed"]) == (2, 7)
    assert tokenizer.config["model"]["num_embeddings"] == 32
    assert tokenizer.config["model"]["quantizer"]["decay"] == 0.5
    assert prior.config["model"]["prior"]["_target_"].endswith("pixelcnn.PixelCNNPrior")
    assert prior.config["model"]["prior"]["layers"] == 2
    assert prior.config["data"]["tokenizer"] == place("tokenizer")
    assert [one.config["trainer"]["max_examples"] for one in (tokenizer, prior)] == [640, 640]
    assert [one.config["model"]["grad_clip"] for one in (tokenizer, prior)] == [2.0, 2.0]
    assert ["preview" in one.config["callback"] for one in (tokenizer, prior)] == [False, True]
    assert [one.choices["logger"] for one in (tokenizer, prior)] == ["none", "none"]
    shared = ["model.grad_clip=2.0", "trainer.max_examples=640", "logger=none"]
    assert routes.words_of(stages()[0]) == [
        *(
            "seed=2",
            "model.num_embeddings=32",
            *shared,
            "model.quantizer.decay=0.5",
            "~callback.preview",
        )
    ]
    assert routes.words_of(stages()[1])[:4] == ["seed=2", *shared]


def test_a_word_is_left_out_where_nothing_reads_it(compose: Compose) -> None:
    """A prior's YAML has the metrics of samples; an autoencoder's evaluation passes over their options."""
    routes, _ = compose(["metric/samples=kid"])
    assert routes.words_of(stages()[0]) == []
    assert routes.words_of(stages()[1]) == ["metric/samples=kid"]


def test_name_and_folder_are_the_pipelines(compose: Compose) -> None:
    routes, made = compose(["name=other", "paths.run_dir=x", "paths.output_dir=there"])
    assert routes.own == {"name": "other", "paths.run_dir": "x"}
    assert [one.config["paths"]["output_dir"] for one in made] == ["there", "there"]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("nothing=1", "nothing=1: no stage (tokenizer, prior) has such a key or group"),
        ("trainer.max_exampels=1", "did you mean trainer.max_examples?"),
        ("priors.seed=1", "priors.seed=1: no stage"),
        ("prior.model.widht=1", "prior.model.widht=1: there is no such key or group"),
        ("prior.model/prior=lstm", "prior.model/prior=lstm: there is no such option"),
        ("model=mlp_gan", "has to name its stage: tokenizer.model=mlp_gan or prior.model=mlp_gan"),
        ("data=toy", "has to name its stage"),
        ("experiment=sngan", "has to name its stage"),
        ("samples.num=3", "samples is a command"),
        ("seed=x", "seed=x: must be a whole number"),
        ("tokenizer.seed=-1", "tokenizer.seed=-1: must be a whole number"),
        ("seed=1,2", "seed=1,2: has several values"),
        ("prior.seed=1,2", "prior.seed=1,2: has several values"),
        ("seed=[1", "cannot be read"),
        ("model/quantizer=lstm", "no such option"),
        ("optimized_mode.x=1", "no stage"),
        ("prior.data.tokenizer=nothing", "prior.data.tokenizer=nothing: "),
    ],
)
def test_a_word_that_fits_no_stage_is_refused(word: str, told: str, compose: Compose) -> None:
    with pytest.raises(OptionError) as caught:
        compose([word])
    assert told in str(caught.value)
    assert "__ganvas" not in str(caught.value)


def test_a_stage_is_not_called_as_a_section(compose: Compose) -> None:
    with pytest.raises(OptionError, match="a stage is called model, and an experiment has such a key"):
        compose([], "model prior")
