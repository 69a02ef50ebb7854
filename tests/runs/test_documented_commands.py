"""Every `ganvas` command of the pages runs, in order, in one folder, on a small budget."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
# Pages whose commands have a test of their own; commands that need a cluster, a launcher or somebody's files.
ELSEWHERE = {"your_own_recipe.md": "tests/runs/test_your_own_recipe.py"}
NEEDS_MORE = re.compile(
    r"hydra/launcher=(?:slurm|ray)|^srun |^sbatch |^torchrun |\.\.\.|/shared/|data\.root=|^pip "
)
BUDGET = 640  # examples; a resumed run goes twice as far


def lines(page: Path) -> Iterator[str]:
    """The commands in blocks and indented lines, a continued one as one line, without comments."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    shells = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(?=ganvas |srun |torchrun |sbatch )(.*)$", text, re.MULTILINE)
    for line in (*"".join(shells).splitlines(), *indented):
        if line.strip():
            yield line.strip()


def commands(page: Path) -> list[str]:
    return [line for line in lines(page) if re.match(r"ganvas |cd ", line)]


def words_of(line: str) -> list[str]:
    """The words behind ``ganvas``, with a budget that a test can wait for."""
    command, *words = shlex.split(line, comments=True)[1:]
    if command == "play":  # which serves until it is stopped; tests/play asks it
        return [command, "--help"]
    if command == "resume" and any(word.startswith("logger.") for word in words):
        return [command, "--help"]
    if any(re.match(r"logger=\S*(wandb|mlflow|comet|aim|trackio)", word) for word in words):
        return ["train", "--cfg", "job", *words]  # whose packages are extras; tests/logger trains with them
    if command == "pipeline" and "--resume" not in words:
        return [command, *words, f"trainer.max_examples={BUDGET}"]
    if command not in ("train", "resume") and words[:1] not in (["run"], ["plan"]):
        return [command, *words]
    if any(word in ("-h", "--help", "--cfg", "--info", "--version") for word in words):
        return [command, *words]
    short = {"trainer.max_examples": str(BUDGET * (2 if command == "resume" else 1))}
    if command == "train" or words[:1] == ["run"]:
        short["callback.evaluation.num_samples"] = "64"
    if "data=fashion_mnist" in words:  # else 5,000 images are validated, and 55,000 encoded for another run
        short["data.num_val"] = "64"
        if "model=classifier" not in words:  # one that has seen a share of the data judges no other run
            short["data.train_fraction"] = "0.05"
    if "model/encoder=resnet" in words:  # VQGAN's network, a tenth of a second an example on a CPU
        short["trainer.max_examples"] = str(BUDGET // 10)
    if any(word.startswith("hydra.sweeper.n_trials=") for word in words):
        short["hydra.sweeper.n_trials"] = "2"
    kept = [word for word in words if word.partition("=")[0] not in short]
    return [command, *kept, *(f"{key}={value}" for key, value in short.items())]


def test_commands_are_found_and_shortened() -> None:
    found = commands(ROOT / "docs" / "first_hour.md")
    assert found[0].split()[:2] == ["ganvas", "train"]
    assert len(found) > 15
    assert words_of(
        "ganvas train -m hydra/sweeper=optuna hydra.sweeper.n_trials=20 'a=tag(log, x)' # two"
    ) == [
        *("train", "-m", "hydra/sweeper=optuna", "a=tag(log, x)", f"trainer.max_examples={BUDGET}"),
        *("callback.evaluation.num_samples=64", "hydra.sweeper.n_trials=2"),
    ]
    assert words_of("ganvas sample latest --num 4") == ["sample", "latest", "--num", "4"]


def test_the_commands_of_the_readme_are_those_of_the_first_hour() -> None:
    short, whole = commands(ROOT / "README.md"), commands(ROOT / "docs" / "first_hour.md")
    assert len(short) > 10
    assert [line for line in short if line not in whole] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_in_its_order(
    page: Path, ganvas: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name in ELSEWHERE:
        assert page.name in (ROOT / ELSEWHERE[page.name]).read_text()
        return
    needs_fashion_mnist = "fashion_mnist" in " ".join(commands(page))
    if needs_fashion_mnist and not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    for line in commands(page):
        if NEEDS_MORE.search(line):
            continue
        if line.startswith("cd "):
            monkeypatch.chdir(line.split()[1])
            continue
        try:
            ganvas(*words_of(line), fresh=True)
        except AssertionError as error:
            error.add_note(line)
            raise
    shutil.rmtree(tmp_path / "outputs", ignore_errors=True)  # checkpoints of a dozen runs
