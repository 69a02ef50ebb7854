"""Which run a command means by ``latest``, ``latest:KIND`` and globs: told from files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forged_runs import forge

from ganvas.errors import OptionError
from ganvas.run.folder.lock import RunLock
from ganvas.run.folder.usable import NEEDS, find_usable

GAN, VQVAE = {"abilities": ["samples", "latents"]}, {"abilities": ["reconstructs"]}
# name -> (model, data, what status.json says, has a checkpoint), oldest first
RUNS: dict[str, tuple[str, str, dict[str, Any], bool]] = {
    "0_old": ("mlp_gan", "digits", {}, True),  # of before abilities were noted: told by its generator
    "1_dcgan": ("dcgan", "cifar10", GAN, True),
    "2_vq": ("mlp_vqvae", "digits", VQVAE, True),
    "3_gan": ("mlp_gan", "digits", GAN, True),
    "4_classes": ("classifier", "digits", {"abilities": []}, True),
    "5_stopped": ("vqvae", "cifar10", VQVAE | {"state": "interrupted"}, True),
    "6_began": ("dcgan", "digits", GAN | {"state": "failed"}, False),
}


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for minute, (name, (model, data, status, saved)) in enumerate(RUNS.items()):
        run = forge(
            tmp_path / "outputs" / "train" / name,
            choices={"model": model, "data": data},
            status={"started": f"2026-11-23T12:0{minute}:00+0000", **status},
        )
        (run / "checkpoints").mkdir()
        if saved:
            (run / "checkpoints" / "000000000640.ckpt").write_bytes(b"x")
    (tmp_path / "outputs" / "train" / "2_vq" / "metrics.jsonl").write_text("{}\n")
    return Path("outputs")


@pytest.mark.parametrize(
    ("command", "word", "name"),
    [
        ("sample", "latest", "3_gan"),  # 6_began has no checkpoint
        ("walk", "latest", "3_gan"),
        ("reconstruct", "latest", "5_stopped"),
        ("codes", "latest", "5_stopped"),
        ("evaluate", "latest", "5_stopped"),
        ("resume", "latest", "6_began"),
        ("resume with overrides", "latest", "6_began"),
        ("plot", "latest", "2_vq"),
        ("sample", "latest:dcgan", "1_dcgan"),
        ("sample", "latest:cifar10", "1_dcgan"),
        ("evaluate", "latest:digits", "3_gan"),
        ("reconstruct", "latest:mlp_vqvae", "2_vq"),
        ("reconstruct", "latest:vqvae", "5_stopped"),
        ("evaluate", "latest:gan", "3_gan"),
        ("resume", "latest:vqvae", "5_stopped"),
        ("resume", "latest:classifier", "4_classes"),  # finished: the command says so
        ("sample", "0_old", "0_old"),
        ("sample", "*_g?n", "3_gan"),
        ("sample", "outputs/train/1*", "1_dcgan"),
    ],
)
def test_the_newest_that_the_command_can_use(command: str, word: str, name: str, outputs: Path) -> None:
    assert find_usable(word, outputs, NEEDS[command]).path.name == name


def test_a_run_that_another_process_writes_is_not_resumed(outputs: Path) -> None:
    with RunLock(outputs / "train" / "6_began"):
        assert find_usable("latest", outputs, NEEDS["resume"]).path.name == "5_stopped"


def test_newer_runs_that_are_passed_over_are_said(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    find_usable("latest", outputs, NEEDS["sample"])
    assert capsys.readouterr().err == "latest: outputs/train/3_gan (the newest that can be used)\n"
    find_usable("latest", outputs, NEEDS["resume"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("command", "word", "line"),
    [
        (
            "sample",
            "latest:vqvae",
            "RUN=outputs/train/5_stopped: makes no samples from nothing; ",
        ),
        ("sample", "2_vq", "RUN=outputs/train/2_vq: makes no samples from nothing; ganvas reconstruct"),
        (
            "reconstruct",
            "0_old",
            "RUN=outputs/train/0_old: reconstructs nothing; ganvas sample takes GANs and priors",
        ),
        ("codes", "0_old", "RUN=outputs/train/0_old: has no codes; it must be the run of a VQ-VAE"),
        ("evaluate", "4_", "RUN=outputs/train/4_classes: neither samples nor reconstructs; there is"),
        (
            "sample",
            "latest:wgan",
            "RUN=latest:wgan: no run under outputs is of this kind; there are: ci",
        ),
        ("sample", "latest:", "RUN=latest:: no run under outputs is of this kind; there are: ci"),
        ("sample", "*", "RUN=*: fits 7 runs (0_old, 1_dcgan, 2_vq ...); give more letters"),
        ("sample", "9*", "RUN=9*: fits no run; see ganvas runs ls"),
    ],
)
def test_what_no_command_can_use(command: str, word: str, line: str, outputs: Path) -> None:
    with pytest.raises(OptionError) as caught:
        find_usable(word, outputs, NEEDS[command])
    assert str(caught.value).startswith(line)


def test_abilities_of_strangers_are_data(outputs: Path) -> None:
    status = outputs / "train" / "3_gan" / "status.json"
    for abilities in ("samples", [["samples"]], 3, None):
        status.write_text(json.dumps(json.loads(status.read_text()) | {"abilities": abilities}))
        assert find_usable("3_gan", outputs, NEEDS["sample"]).path.name == "3_gan"


def test_torch_is_not_imported_for_it(outputs: Path) -> None:
    source = "import sys; from ganvas.cli.main import main; code = main(['sample', '2_vq'])\n"
    source += "sys.exit(9 if 'torch' in sys.modules else code)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 2


@pytest.mark.parametrize("command", ["reconstruct", "codes"])
def test_the_tokenizer_of_a_prior_is_named(command: str, tmp_path: Path) -> None:
    prior = tmp_path / "prior"
    for folder, able in ((prior, ["samples"]), (prior / "tokenizer", ["reconstructs"])):
        folder.mkdir()
        (folder / "run.yaml").write_text("{}")
        (folder / "status.json").write_text(json.dumps({"abilities": able}))
    with pytest.raises(OptionError, match=f"^RUN={prior}: .*; its tokenizer's run is {prior}/tokenizer$"):
        find_usable(str(prior), tmp_path, NEEDS[command])
    assert find_usable(f"{prior}/tokenizer", tmp_path, NEEDS[command]).path == prior / "tokenizer"
