"""docs/your_own_recipe.md is true: its own files and commands, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from run_files import newest_checkpoint, only_run
from same_run import assert_same
from worlds import close

from ganvas.functional.finite import non_finite_name

_PAGE = (Path(__file__).parents[2] / "docs" / "your_own_recipe.md").read_text()
_BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
FILES = {text.split()[1]: text for kind, text in _BLOCKS if kind in ("python", "yaml")}
COMMANDS = [line for kind, text in _BLOCKS if kind == "sh" for line in text.splitlines()]
RECIPE = "conf/model/small_vqgan.py"

_OWN = [
    "--config-dir",
    "conf",
    "model=small_vqgan",
    "accelerator=cpu",
    "data.batch_size=32",
    "trainer.log_every_examples=32",
    "model.adversarial_from=64",
]
_BARE = ["callback=minimal", "callback.evaluation.every_examples=0", "logger=none"]
_SMALL = [
    "model.optimizer.eps=1e-3",
    "model.discriminator_optimizer.eps=1e-3",
]  # Adam shall not enlarge noise
_BREAKS = '''
from ganvas.model.adversarial_loss.hinge import Hinge


class Breaks(Hinge):
    """One side's loss is NaN on its second batch."""

    def __init__(self, side: str):
        self.side, self.calls = side, 0

    def broken(self, side, loss):
        self.calls += side == self.side
        return loss * float("nan") if side == self.side and self.calls == 2 else loss

    def generator(self, **logits):
        return self.broken("generator", super().generator(**logits))

    def discriminator(self, **logits):
        return self.broken("discriminator", super().discriminator(**logits))
'''


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's files in an empty folder; its modules are forgotten after the test."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in ("small_vqgan", "breaks"):
        monkeypatch.setitem(sys.modules, module, None)
        del sys.modules[module]


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def run_in(folder: Path) -> Path:
    (status,) = folder.glob("*/*/status.json")
    return status.parent


def test_the_page_has_its_recipe_in_at_most_100_lines() -> None:
    assert set(FILES) == {RECIPE, "conf/model/small_vqgan.yaml"}
    assert len(FILES[RECIPE].splitlines()) <= 100
    named = set(re.findall(r"`(test_\w+)`", _PAGE))
    assert named == {name for name in globals() if name.startswith("test_")} - {
        "test_the_page_has_its_recipe_in_at_most_100_lines"
    }


def test_the_commands_of_the_page(ganvas, tmp_path: Path) -> None:
    done = {}
    for command in COMMANDS:
        program, *words = command.split()
        assert program == "ganvas"
        done[words[0]] = ganvas(*words)
    assert list(done) == ["train", "reconstruct", "evaluate", "resume"]
    run = only_run(tmp_path)
    logged = [row for row in rows(run) if "loss/reconstruction" in row]
    assert logged[-1]["loss/reconstruction"] < 0.8 * logged[0]["loss/reconstruction"]
    assert rows(run)[-1]["examples"] == 30016, "batches of 64"
    autoencoder = {
        "loss/reconstruction",
        "loss/quantizer",
        "gradient_norm/autoencoder",
        "learning_rate/autoencoder",
        "codes/used",
        "codes/perplexity",
    }
    adversarial = {
        "loss/adversarial",
        "loss/discriminator",
        "weight/adversarial",
        "gradient_norm/discriminator",
        "learning_rate/discriminator",
    }
    for row in logged:
        assert autoencoder <= row.keys()
        joined = row["examples"] > 10000  # the row is of the batch before
        assert adversarial <= row.keys() if joined else not adversarial & row.keys()
    assert {"validation/psnr", "evaluation/psnr", "health/codes_used"} <= {
        tag for row in rows(run) for tag in row
    }
    assert len(list((run / "samples").glob("*.png"))) >= 2
    assert Image.open(tmp_path / "reconstructions.png").width > 8
    assert "psnr" in done["evaluate"].stdout


@pytest.mark.parametrize("logged", [4, 40], ids=["before the discriminator joined", "after"])
def test_resumed_after_a_kill_as_never_stopped(logged: int, ganvas, tmp_path: Path) -> None:
    words = [
        *_OWN,
        "trainer.max_steps=80",
        "model.adversarial_from=896",
        "callback.checkpoint.every_examples=32",
        "callback.preview.every_examples=640",
        "callback.evaluation.num_samples=32",
    ]
    command = [sys.executable, "-m", "ganvas", "train", *words, "paths.output_dir=killed"]
    with subprocess.Popen(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 200
        while (
            len("".join(path.read_text() for path in tmp_path.glob("killed/*/*/metrics.jsonl")).splitlines())
            < logged
        ):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    run = run_in(tmp_path / "killed")
    assert json.loads((run / "status.json").read_text())["state"] == "running"
    has_joined = newest_checkpoint(run)["ganvas_clock"]["examples_seen"] > 896
    assert has_joined == (logged == 40)
    time.sleep(1)  # TensorBoard orders files by the second in which they were begun
    ganvas("resume", str(run), "--config-dir", "conf")
    ganvas("train", *words, "paths.output_dir=whole")
    assert_same(run, run_in(tmp_path / "whole"))
    assert newest_checkpoint(run)["ganvas_clock"]["examples_seen"] == 80 * 32


def ends(
    tmp_path: Path, ganvas: Any, *words: str, **variants: list[str]
) -> list[tuple[dict[str, Any], list[Any]]]:
    """Checkpoint and logged rows of each variant of a run of eight batches."""
    found = []
    for name, more in variants.items():
        all_words = [*_OWN, *_BARE, *_SMALL, "trainer.max_steps=8", *words, *more]
        ganvas("train", *all_words, f"paths.output_dir={name}", fresh="accelerator=ddp_cpu" in more)
        run = run_in(tmp_path / name)
        found.append((newest_checkpoint(run), [row for row in rows(run) if "loss/reconstruction" in row]))
    return found


def assert_close(
    one: tuple[dict[str, Any], list[Any]], other: tuple[dict[str, Any], list[Any]], *left: str
) -> None:
    """Weights, optimizers' states and logs; ``left`` out: tags that are not of the whole batch."""
    (ours, our_rows), (theirs, their_rows) = one, other
    for key in ("state_dict", "optimizer_states"):
        close(ours[key], theirs[key], rtol=2e-3, atol=2e-5)
    left = (*left, "speed/examples_per_second")
    assert len(our_rows) == 8
    assert "weight/adversarial" in our_rows[-1]
    sides = [
        [{tag: value for tag, value in row.items() if tag not in left} for row in side]
        for side in (our_rows, their_rows)
    ]
    close(*sides, rtol=2e-3, atol=1e-5)


def test_two_ranks_train_as_one_process(ganvas, tmp_path: Path) -> None:
    two, one = ends(tmp_path, ganvas, two=["accelerator=ddp_cpu"], one=[])
    assert_close(two, one)


def test_a_batch_in_parts_trains_as_a_whole_one(ganvas, tmp_path: Path) -> None:
    """With FSQ: a codebook that follows its vectors sees one part at a time (a VQ run comes close only)."""
    words = ["model/quantizer=fsq"]
    parts, whole = ends(tmp_path, ganvas, *words, parts=["trainer.micro_batches=2"], whole=[])
    assert_close(parts, whole, "codes/used", "codes/perplexity")
    parts, whole = ends(tmp_path, ganvas, vq_parts=["trainer.micro_batches=2"], vq_whole=[])
    last, wanted = parts[1][-1]["loss/reconstruction"], whole[1][-1]["loss/reconstruction"]
    assert last == pytest.approx(wanted, rel=0.1)


_COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")


@pytest.mark.parametrize(
    "option", ["channels_last", pytest.param("compile", marks=[_COMPILER, pytest.mark.slow])]
)
def test_other_kernels_train_the_same(option: str, ganvas, tmp_path: Path) -> None:
    words = ["model/quantizer=fsq", "trainer.max_steps=8"]
    other, plain = ends(tmp_path, ganvas, *words, other=[f"accelerator.{option}=true"], plain=[])
    assert_close(other, plain)


@pytest.fixture
def breaks(ganvas, tmp_path: Path) -> Any:
    folder = tmp_path / "conf" / "model" / "adversarial_loss"
    folder.mkdir()
    (folder / "breaks.py").write_text(_BREAKS)
    (folder / "breaks.yaml").write_text("_target_: breaks.Breaks\nside: generator\n")

    def train(side: str, *words: str, code: int = 0) -> Any:
        part = ["model/adversarial_loss=breaks", f"model.adversarial_loss.side={side}"]
        return ganvas("train", *_OWN, *_BARE, *part, "trainer.max_steps=8", *words, code=code)

    return train


_TERMS = {"generator": "loss/adversarial", "discriminator": "loss/discriminator"}


@pytest.mark.parametrize("side", _TERMS)
def test_a_nan_stops_the_run_and_is_named(side: str, breaks: Any, tmp_path: Path) -> None:
    done = breaks(side, "callback.checkpoint.every_examples=32", code=1)
    short, line = done.stderr.splitlines()
    assert short.startswith("model.quantizer.decay=0.99: codes remember 100 batches, and the run has 8")
    assert line.startswith(
        f"{_TERMS[side]} is not finite: batch 4, after 96 examples; last finite values: loss/"
    )
    last = newest_checkpoint(only_run(tmp_path))
    assert last["ganvas_clock"]["examples_seen"] == 96
    assert non_finite_name(last) is None


@pytest.mark.parametrize("side", _TERMS)
def test_a_nan_is_skipped(side: str, breaks: Any, tmp_path: Path) -> None:
    breaks(side, "trainer.non_finite=skip")
    run = only_run(tmp_path)
    assert [row["non_finite/skipped"] for row in rows(run) if "non_finite/skipped" in row] == [1.0] * 5
    last = newest_checkpoint(run)
    assert last["ganvas_clock"]["batches_seen"] == 8
    assert non_finite_name(last) is None
    steps = {int(one["state"][0]["step"]) for one in last["optimizer_states"]}
    assert steps == ({7, 6} if side == "generator" else {8, 5})


_MISTAKES = {
    "an optimizer misspelled": (
        'self.descend("autoencoder"',
        'self.descend("autoencodr"',
        "model.step=descend('autoencodr'): add_optimizer has named no such optimizer; "
        "there are: autoencoder, discriminator",
    ),
    "a frozen network misspelled": (
        'self.frozen("discriminator")',
        'self.frozen("critic")',
        "model.step=frozen('critic'): no optimizer moves a network of this name; there are: encoder, ",
    ),
    "a network misspelled": (
        '["discriminator"]',
        '["critic"]',
        "model.add_optimizer=discriminator: the recipe has no network 'critic'; set self.critic before ",
    ),
    "one name in place of a list": (
        '["discriminator"]',
        '"discriminator"',
        "model.add_optimizer=discriminator: must be given a list of networks' names, not 'discriminator'",
    ),
    "a network forgotten": (
        '["encoder", "quantizer", "decoder"]',
        '["encoder", "quantizer"]',
        "model.add_optimizer=decoder.layers.0.weight: is in no optimizer's networks; add it, or call ",
    ),
    "an optimizer's name twice": (
        '"discriminator", discriminator_optimizer',
        '"autoencoder", discriminator_optimizer',
        "model.add_optimizer=autoencoder: is the name of another optimizer; choose a new one",
    ),
    "no scalar": (
        '"loss/quantizer": codes.loss',
        '"loss/quantizer": codes.quantized',
        "model.step=loss/quantizer: is a tensor of shape [32, 16, 4, 4] and must be a scalar tensor, ",
    ),
    "a number": (
        '"loss/quantizer": codes.loss',
        '"loss/quantizer": 0.0',
        "model.step=loss/quantizer: is 0.0 and must be a scalar tensor",
    ),
    "a detached loss": (
        "real_logits=real_logits, fake_logits=fake_logits",
        "real_logits=real_logits.data, fake_logits=fake_logits.data",
        "model.step=descend('discriminator'): loss/discriminator: depends on no parameter that is trained",
    ),
    "nothing descended": (
        'self.descend("autoencoder", terms)',
        "self.note(terms)",
        "model.step=VQGAN: moved nothing on a batch on which it does everything; call self.descend, ",
    ),
}


@pytest.mark.parametrize("name", _MISTAKES)
def test_a_mistake_is_one_line(name: str, ganvas, tmp_path: Path) -> None:
    right, wrong, line = _MISTAKES[name]
    assert FILES[RECIPE].count(right) == 1
    (tmp_path / RECIPE).write_text(FILES[RECIPE].replace(right, wrong))
    done = ganvas("train", *_OWN, *_BARE, "trainer.max_steps=8", code=2)
    *before, said = done.stderr.splitlines()
    assert all(one.startswith("model.quantizer.decay=0.99: codes remember") for one in before)
    assert said.startswith(line), said
