"""What the pages name is there: files, links, options, and the commands of ``ganvas train`` compose."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganvas.cli.compose.experiment import compose

ROOT = Path(__file__).parents[1]
SOURCE, CONF = ROOT / "src" / "ganvas", ROOT / "conf"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = {path.name for path in SOURCE.iterdir() if path.is_dir()}
TOP = {"src", "tests", "conf", "docs", "benchmarks"}
# Files that a page makes its reader write, and what the options are called that it makes up.
OF_THE_READER = r".*/(?:test_)?(?:mine|small_vqgan|found|NAME)\.(?:py|yaml)"
OPTIONS_OF_THE_READER = {"model.adversarial_weight", "model.adversarial_from", "model.latent_dm"}
OPTIONS_OF_THE_READER |= {"model.safetensors", "model.safetensors.sha256"}  # files
ENDINGS = r"\.(?:py|yaml|md|sh|toml|png|txt|in)"
# What chooses data, models and parts, so that together they have every key that a page may name.
CONFIGS = [
    *(f"model={name}" for name in ("mlp_gan", "dcgan", "mlp_vqvae", "vqvae", "vqgan", "classifier")),
    *(f"model={name} data=codes" for name in ("autoregressive", "masked")),
    "model=autoregressive model/prior=pixelcnn data=codes",
    "model=sngan",
    "logger=[wandb,mlflow,comet,aim,trackio]",
    "model=mlp_gan data=latents",
    "model=text_vqvae data=text_files",
    "model=sound_vqgan data=sound_folder",
    *(
        f"data={name}"
        for name in ("webdataset", "image_folder", "sound_folder", "toy", "fashion_mnist", "cifar10")
    ),
    *(
        "model=vqvae model/quantizer=fsq",
        "model=vqvae model/quantizer=residual model/encoder=vit model/decoder=vit "
        "model/reconstruction_loss=perceptual",
        "model=mlp_vqvae model/quantizer=vq",
        "model=dcgan model/augment=ada",
        "model=dcgan model/augment=diffaugment",
        "metric/perceptual=lpips",
        "model=sound_vqvae data=sound_folder metric/perceptual=stoi",
        "model/regularizer=top_k model/schedule@model.regularizer.top_k.share=linear "
        "model.regularizer.top_k.share.first=1",
        "model/gradient_penalty=r1 model/schedule@model.gradient_penalty.gamma=cosine "
        "model.gradient_penalty.gamma.first=1",
        "model/regularizer=[lecam,cr,bcr,zcr,top_k]",
        "callback=[default,keep_classifier,early_stopping]",
    ),
]


def prose(page: Path) -> str:
    """A page without its fenced blocks, in which readers write files of their own."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def paths(text: str) -> Iterator[str]:
    """What looks like a file or folder of this tree."""
    for token in re.findall(r"`([^`\s]+)`", text):
        first = token.partition("/")[0]
        is_bare = re.fullmatch(r"\w+\.py", token)
        is_file = first in TOP | ROOMS and re.fullmatch(rf"[\w./-]+{ENDINGS}", token)
        is_folder = first in TOP | ROOMS and re.fullmatch(r"[\w./-]+/", token)
        if is_bare or is_file or is_folder:
            yield token
    yield from re.findall(rf"(?<![\w./`-])(?:{'|'.join(sorted(TOP))})/[\w./-]+{ENDINGS}\b", text)


def is_there(path: str) -> bool:
    if "/" not in path:
        return any(next(folder.rglob(path), None) for folder in (SOURCE, ROOT / "tests", ROOT / "benchmarks"))
    return any((folder / path).exists() for folder in (ROOT, SOURCE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = [path for path in paths(prose(page)) if not re.fullmatch(OF_THE_READER, path)]
    assert [path for path in named if not is_there(path)] == []
    links = re.findall(r"\]\(([^)#]+)\)", prose(page))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_what_looks_like_a_path_is_looked_for() -> None:
    text = "`model/gan.py` and `run/nothing.py`, `model/quantizer=fsq`, tests/test_gone.py, `slurm.py`"
    assert list(paths(text)) == [
        "model/gan.py",
        "run/nothing.py",
        "slurm.py",
        "tests/test_gone.py",
    ]
    assert [path for path in paths(text) if not is_there(path)] == ["run/nothing.py", "tests/test_gone.py"]


def leaves(tree: Any, path: str = "") -> Iterator[str]:
    """Every section and key, by its path."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield f"{path}{key}"
        yield from leaves(value, f"{path}{key}.")


@pytest.fixture(scope="module")
def known_options() -> set[str]:
    known = {key for chosen in CONFIGS for key in leaves(compose(chosen.split()).config)}
    for path in (CONF / "hydra").glob("*/*.yaml"):
        known |= set(leaves(yaml.safe_load(path.read_text()), f"hydra.{path.parent.name}."))
    return known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_a_page_names_are_there(page: Path, known_options: set[str]) -> None:
    sections = "trainer|accelerator|data|model|callback|metric|paths|sweep|hydra.launcher|hydra.sweeper"
    tokens = re.findall(rf"(?<![\w./-])((?:{sections})\.\w[\w.]*\w)(?=[=`\s)\\])", page.read_text())
    options = {token for token in tokens if not re.search(rf"{ENDINGS}$|\.(?:jsonl?|csv|log)$", token)}
    assert options - known_options - OPTIONS_OF_THE_READER == set()


def commands(page: Path) -> Iterator[str]:
    """Every ``ganvas train ...`` in a block or between backticks, as one line."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    blocks = [line.strip() for line in text.splitlines() if re.match(r"( {4})?ganvas train ", line)]
    quoted = [" ".join(found.split()) for found in re.findall(r"(?<!`)`(ganvas train [^`]+)`", text)]
    yield from (line for line in (*blocks, *quoted) if "--config-dir" not in line and "..." not in line)


def overrides(command: str) -> list[str]:
    """The overrides of one run: of a sweep's values the first, and of a search's none."""
    words = [word for word in shlex.split(command, comments=True)[2:] if "=" in word and word[0] != "-"]
    words = [word for word in words if not word.startswith("data.tokenizer=")]  # a run that the page has made
    if not {"-m", "--multirun"} & set(command.split()):
        return words
    words = [word for word in words if "(" not in word]
    return [word if "[" in word else word.partition(",")[0] for word in words]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_names_compose(page: Path) -> None:
    for command in commands(page):
        try:
            compose(overrides(command.replace("seed=N", "seed=1")))
        except Exception as error:
            error.add_note(command)
            raise


def test_commands_are_found() -> None:
    assert "ganvas train accelerator=ddp_cpu" in " | ".join(commands(ROOT / "README.md"))
    assert overrides("ganvas train -m seed=1,2 model.latent_dim='interval(1, 2)' name=x # two") == [
        "seed=1",
        "name=x",
    ]
