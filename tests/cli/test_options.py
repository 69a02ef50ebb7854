"""``ganvas options`` and ``ganvas train --help OVERRIDES``: keys, defaults and comments of their YAMLs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ganvas.cli.compose.describe import described, groups

CONF = Path(__file__).parents[2] / "conf"
NO_KEY = "there is no such key or group; did you mean"
NO_FLAG = "there is no such flag; options are written key=value:"


def squeezed(text: str) -> str:
    """Comments that go on below joined, spaces single."""
    return re.sub(r"\s+", " ", re.sub(r"\n +# ", " ", text))


def test_all_groups_are_listed(ganvas) -> None:
    text = ganvas("options").stdout
    names = "bsq, cosine, fsq, grouped, gumbel, ibq, lfq, multiscale, residual, simvq, vq, vq_ema"
    assert f"model/quantizer              {names}\n" in text
    there = {path.parent for path in CONF.glob("*/**/*.yaml")} - {CONF / "pipeline"}
    assert len(text.splitlines()) == len(there)


def test_options_of_a_group_with_defaults_and_comments(ganvas) -> None:
    text = squeezed(ganvas("options", "model/quantizer").stdout)
    assert "model/quantizer=vq Codebook by gradient descent (van den Oord 2017, arXiv:1711.00937)." in text
    assert "model.quantizer.commitment_cost=0.25 # weight of mean((z - sg e)^2)" in text
    assert "model.quantizer.levels=[8, 5, 5, 5] # of each dimension, at least 3 each; their product" in text
    one = ganvas("options", "model/quantizer=fsq").stdout
    assert "levels" in one
    assert "commitment_cost" not in one
    assert ganvas("options", "model/quantizer/fsq").stdout == one


def test_every_key_of_every_yaml_is_there_with_its_comment(ganvas) -> None:
    there = groups()
    text = squeezed(ganvas("options", *there).stdout)
    counted = 0
    for group, options in there.items():
        for option in options:
            path = CONF / group / f"{option}.yaml"
            source = squeezed(path.read_text())
            for row in described(path):
                counted += 1
                last = row.key.rpartition(".")[2]
                assert f"{row.key}=" in text, (path, row)
                if row.comment:
                    assert row.comment in text, (path, row)
                    assert re.search(rf"{last}:[^#]*# {re.escape(row.comment)}", source), (path, row)
            left = [line for line in path.read_text().splitlines() if re.match(r" *[\w-]+:.* # ", line)]
            commented = [row for row in described(path) if row.comment]
            heads = [line for line in left if not re.match(r" *(_\w+_|- .*): ", line)]
            assert len(commented) >= len(heads) - len(_sections(path)), path
    assert counted > 300


def _sections(path: Path) -> list[str]:
    tree = yaml.safe_load(path.read_text())
    return [name for name, value in (tree or {}).items() if isinstance(value, dict)]


def test_where_the_options_of_a_part_with_several_places_go(ganvas) -> None:
    text = ganvas("options", "model/optimizer").stdout
    assert "model/optimizer@model.generator_optimizer=" in text
    assert (
        "made of: model/encoder=mlp, model/decoder=mlp, model/quantizer=vq_ema"
        in ganvas("options", "model=mlp_vqvae").stdout
    )
    assert "model/optimizer@model.generator_optimizer=adam" in ganvas("options", "model=dcgan").stdout


def test_groups_of_the_users_own(ganvas, tmp_path: Path) -> None:
    (tmp_path / "own" / "model" / "quantizer").mkdir(parents=True)
    mine = "# My quantizer.\n_target_: mine.Mine\nwidth: 3 # of a code, values\n"
    (tmp_path / "own" / "model" / "quantizer" / "mine.yaml").write_text(mine)
    text = squeezed(ganvas("options", "model/quantizer=mine", "--config-dir", "own").stdout)
    assert "model/quantizer=mine My quantizer. model.quantizer.width=3 # of a code, values" in text


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("model/quantiser", "GROUP=model/quantiser: there is no such group; did you mean model/quantizer?"),
        ("model/quantizer=fsqq", "model/quantizer=fsqq: there is no such option; did you mean fsq?"),
    ],
)
def test_what_there_is_not(word: str, line: str, ganvas) -> None:
    assert ganvas("options", word, code=2).stderr.startswith(line)


def test_help_with_overrides(ganvas) -> None:
    text = squeezed(ganvas("train", "--help", "model=dcgan", "model.latent_dim=7").stdout)
    assert "model/gradient_penalty=none (or dragan, r1, r1_r2, r2, wgan_gp)" in text
    assert "model.latent_dim=7" in text
    assert "model.generator.latent_dim=7 # (= model.latent_dim)" in text
    assert "model.generator_optimizer.lr=0.0002 # per update, for the global batch" in text
    assert "model.discriminator.norm=batch # batch (the paper), spectral (Miyato 2018) or none" in text
    assert "data.batch_size" not in text
    assert "_target_" not in text
    fsq = ganvas("train", "model=vqvae", "model/quantizer=fsq", "--help").stdout
    assert "model.quantizer.levels=" in fsq
    assert "model.num_embeddings" not in fsq, "nothing reads it"
    whole = ganvas("train", "--help", "experiment=quickstart_gan").stdout
    assert all(word in whole for word in ("trainer.max_examples=600000", "data=digits", "callback.preview."))


def test_the_version_everywhere(ganvas) -> None:
    for words in ([], ["train"], ["sample"], ["sweep", "run"], ["runs", "ls"], ["options"]):
        assert re.fullmatch(r"\d+\.\d+\.\d+\n", ganvas(*words, "--version").stdout)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lr=0.1"], f"lr=0.1: {NO_KEY} model.generator_optimizer.lr or model.discriminator_optimizer.lr?"),
        (["model=mlp_vqvae", "lr=1"], f"lr=1: {NO_KEY} model.optimizer.lr?"),
        (["batchsize=3"], f"batchsize=3: {NO_KEY} data.batch_size?"),
        (
            ["model=wgan"],
            "model=wgan: there is no such option; wgan is made of model/gradient_penalty=",
        ),
        (["wgan=true"], "wgan=true: there is no such key or group; wgan is made of model/gradient_penalty="),
        (["--lr", "3"], f"--lr=3: {NO_FLAG} model.generator_optimizer.lr=3 or model."),
        (["--lr=3"], f"--lr=3: {NO_FLAG} model.generator_optimizer.lr=3 or model."),
        (["--batch-size", "8"], f"--batch-size=8: {NO_FLAG} data.batch_size=8"),
        (["--data", "cifar10"], f"--data=cifar10: {NO_FLAG} data=cifar10"),
        (["--multirunn"], "--multirunn=: there is no such flag; did you mean --multirun?"),
        (["--nothing"], f"--nothing=: {NO_FLAG} ganvas train --help lists them"),
    ],
)
def test_suggestions_that_help(words: list[str], line: str, ganvas, tmp_path: Path) -> None:
    done = ganvas("train", *words, code=2)
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_flag_that_is_written_as_an_override(ganvas, outputs: Path) -> None:
    done = ganvas("sample", "a_gan", "--output-dir", str(outputs), "batch_size=4", code=2)
    assert done.stderr.startswith("batch_size=4: is written as a flag here: --batch-size 4; ")
