"""Options that count longer than a run lasts: they act at its end, are said at its start, or are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.compose.experiment import compose
from ganvas.cli.main import main

# Every option that counts examples, batches or minutes until something is done, by what becomes of it in a
# run that ends before; a new one belongs here.
AT_THE_END = {
    "trainer.log_every_examples",
    "trainer.val_every_examples",
    "trainer.val_check_interval",
    "trainer.check_val_every_n_epoch",
    "callback.checkpoint.every_examples",
    "callback.checkpoint.every_minutes",
    "callback.evaluation.every_examples",
    "callback.preview.every_examples",
    "callback.preview.first_examples",
    "callback.codebook.every_examples",
    "callback.codebook.first_examples",
}
SAID = {
    "callback.checkpoint.keep_every_examples",
    "callback.health.every_examples",
    "callback.health.warmup_examples",
    "model.ema.half_life",
    "model.gradient_penalty.interval",
    "model.quantizer.decay",
}
REFUSED = {"model.d_steps_per_g_step"}
# Budgets, and what counts within the others: measurements and reports of a detector.
OTHERS = r"trainer\.(max_\w+|num_sanity_val_steps)|callback\.health\.detectors\..*|.*\.weight_decay"
# A run that is too short for a code to restart needs none.
CODES = r"model\.quantizer\.restart_after"
COUNTS = r".*(every|interval|steps|epoch|_examples|minutes|after|window|probes|warmup|decay|half_life|period)"


def counts(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from counts(value, f"{path}.{name}".lstrip("."))
    elif re.match(COUNTS, path.rpartition(".")[2]):
        yield path


def test_every_option_that_counts_is_known() -> None:
    models = (
        ["model=dcgan", "model/gradient_penalty=r1"],
        ["model=vqvae", "model/quantizer=vq", "data=fashion_mnist"],
        ["model=mlp_vqvae"],
        ["model=classifier"],
    )
    found = {option for words in models for option in counts(compose(words).config)}
    known = AT_THE_END | SAID | REFUSED
    assert {name for name in found - known if not re.fullmatch(f"{OTHERS}|{CODES}", name)} == set()
    assert known - found == set()


@pytest.fixture
def train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Path, str]]:
    """Trains on 640 digits, 10 batches of 64, less than half an epoch; gives the folder and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0, budget: str = "trainer.max_examples=640") -> tuple[Path, str]:
        capsys.readouterr()
        assert main(["train", budget, "logger=none", "paths.run_dir=run", *words]) == code
        return tmp_path / "run", capsys.readouterr().err

    return run


def rows(run: Path, tag: str) -> list[int]:
    """Examples at which a scalar was recorded."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["examples"] for line in lines if tag in line]


def test_what_comes_later_than_the_end_comes_at_the_end(train: Callable[..., tuple[Path, str]]) -> None:
    far = [
        f"callback.{name}.every_examples=100000"
        for name in ("preview", "codebook", "checkpoint", "evaluation")
    ]
    far += [f"trainer.{name}_every_examples=100000" for name in ("log", "val")]
    run, said = train(*far, "callback.checkpoint.every_minutes=100000", "~callback.health")
    assert rows(run, "loss/generator") == rows(run, "loss/discriminator") == [640]
    assert rows(run, "validation/real_accuracy") == [640]
    assert rows(run, "evaluation/fid") == [640]
    assert (run / "samples" / f"{640:012d}.png").exists()
    assert [path.stem for path in (run / "checkpoints").glob("*.ckpt")] == [f"{640:012d}"]
    assert said == "", "all of it was done"


def test_logs_beyond_the_budget_keep_to_batches_on_which_everything_is_done(
    train: Callable[..., tuple[Path, str]],
) -> None:
    run, _ = train("trainer.log_every_examples=100000", "model.d_steps_per_g_step=4", "callback=minimal")
    assert rows(run, "loss/generator") == [8 * 64]


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            ["model/gradient_penalty=r1", "model.gradient_penalty.interval=11", "callback=minimal"],
            [
                "model.gradient_penalty.interval=11: the penalty comes once in 11 batches, "
                "and the run ends after 10, without"
            ],
        ),
        (["model/gradient_penalty=r1", "model.gradient_penalty.interval=10", "callback=minimal"], []),
        (
            ["model.ema.ramp=null", "callback=minimal"],
            [
                "model.ema.half_life=10000: 96% of the average is the untrained start after 640 examples; "
                "model.ema.ramp=0.05"
            ],
        ),
        (["model.ema.ramp=null", "model.ema.half_life=100", "callback=minimal"], []),
        (
            ["callback=minimal", "callback.checkpoint.keep_every_examples=641"],
            [
                "callback.checkpoint.keep_every_examples=641: keeps no checkpoint for good in a run of 640 "
                "examples"
            ],
        ),
        (
            ["model=classifier", "callback=minimal", "model.optimizer.lr.examples=6400"],
            ["model.optimizer.lr.examples=6400: the run ends after 640 examples, with 0.0018 on the way"],
        ),
        (
            ["model=classifier", "callback=minimal", "model.optimizer.lr.examples=64"],
            [
                "model.optimizer.lr.examples=64: the learning rate is zero from there on, and the run has "
                "640 examples"
            ],
        ),
        (["model=classifier", "callback=minimal"], []),
        (
            ["model=classifier", "callback=minimal", "trainer.max_examples=null", "trainer.max_steps=10"],
            [
                "model.optimizer.lr.examples=null: it never ends, as the run has no trainer.max_examples; "
                "give it a number"
            ],
        ),
        (
            ["model=mlp_vqvae", "callback=minimal", "trainer.max_examples=6400"],
            [
                "model.quantizer.decay=0.99: codes remember 100 batches, and the run has 100; 0.9 lets them "
                "follow the encoder"
            ],
        ),
        (["model=mlp_vqvae", "callback=minimal", "model.quantizer.decay=0.7"], []),
        (
            [],
            [
                "callback.health.warmup_examples=20000 every_examples=50000: 9 of 10 detectors can find "
                "nothing in a run of 640 examples"
            ],
        ),
    ],
)
def test_what_never_comes_is_said_at_the_start(
    words: list[str], lines: list[str], train: Callable[..., tuple[Path, str]]
) -> None:
    run, said = train(*words)
    assert said.splitlines() == lines
    log = (run / "train.log").read_text().splitlines()
    started = next(number for number, line in enumerate(log) if "from the start" in line)
    for line in lines:
        (number,) = [number for number, logged in enumerate(log) if logged.endswith(line)]
        assert number < started


@pytest.mark.parametrize(
    ("budget", "ends"),
    [
        ("trainer.max_examples=640", "trainer.max_examples=640 ends the run after 10"),
        ("trainer.max_steps=10", "trainer.max_steps=10 ends the run after 10"),
    ],
)
def test_a_network_that_would_never_move_is_refused(
    budget: str, ends: str, train: Callable[..., tuple[Path, str]]
) -> None:
    run, said = train("model.d_steps_per_g_step=11", budget=budget, code=2)
    assert said == (
        f"model.d_steps_per_g_step=11: the generator moves once in 11 batches, and {ends}; lower the one or "
        "raise the other\n"
    )
    assert not run.exists()


def test_epochs_are_a_budget_too(train: Callable[..., tuple[Path, str]]) -> None:
    words = ["trainer.max_examples=null", "trainer.limit_train_batches=3", "callback=minimal"]
    _, said = train(*words, "model.d_steps_per_g_step=7", budget="trainer.max_epochs=2", code=2)
    assert "trainer.max_epochs=2 ends the run after 6; lower" in said
    run, _ = train(*words, "model.d_steps_per_g_step=6", budget="trainer.max_epochs=2")
    assert rows(run, "loss/generator") == [6 * 64]


def test_a_trial_run_says_it_and_goes_on(train: Callable[..., tuple[Path, str]]) -> None:
    _, said = train("model.d_steps_per_g_step=5", "trainer.fast_dev_run=4")
    assert said.splitlines() == [
        "trainer.fast_dev_run=4: the generator moves once in 5 batches, and this trial is over before; "
        "fast_dev_run=5 moves it"
    ]
    words = ["model.d_steps_per_g_step=4", "trainer.fast_dev_run=4", "paths.run_dir=another"]
    assert train(*words)[1] == ""
