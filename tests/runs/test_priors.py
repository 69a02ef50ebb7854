"""The second stage as a user runs it: a tokenizer, a prior, samples, bits; and what can go wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_files import newest_checkpoint
from safetensors.torch import load_file
from same_run import KEYS, equal
from worlds import close

from ganvas import OptionError, load
from ganvas.cli.main import main
from ganvas.functional.images import to_uint8
from ganvas.run.folder.checksum import sha256_of

_QUICK = ["trainer.log_every_examples=128", "logger=none", "accelerator=cpu"]
_SMALL = ["model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2", "data=codes"]
_PIXELCNN = ["model.prior.channels=8", "model.prior.layers=1", "model.prior.skip_channels=16"]
CASES = {
    "autoregressive": ["model=autoregressive", *_SMALL, "model.conditional=true", "model.prior.dropout=0.1"],
    "masked": ["model=masked", *_SMALL, "model.conditional=true"],
    "pixelcnn": ["model=autoregressive", "model/prior=pixelcnn", "data=codes", *_PIXELCNN],
}


_CODES = "data.tokenizer={there}/codes"


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run ``codes`` of a VQ-VAE, 8 codes of 16, and ``gan`` of a GAN."""
    folder = tmp_path_factory.mktemp("tokenizers")
    for name, words in (
        ("codes", ["model=mlp_vqvae", "model.num_embeddings=16"]),
        ("gan", ["model=mlp_gan"]),
    ):
        more = ["trainer.max_examples=512", "callback=none", "logger=none", f"paths.run_dir={folder}/{name}"]
        assert main(["train", *words, *more]) == 0
    return folder


@pytest.fixture
def trained(ganvas: Callable[..., Any], tokenizers: Path) -> Callable[..., Path]:
    """Trains a case's prior into a folder, by a tokenizer that is gone afterwards."""

    def train(case: str, folder: str, *words: str, callback: str = "minimal") -> Path:
        shutil.copytree(tokenizers / "codes", "tokenizer")
        ganvas(
            *("train", *CASES[case], "data.tokenizer=tokenizer", *_QUICK, f"callback={callback}"),
            *(f"paths.run_dir={folder}", *words),
        )
        shutil.rmtree("tokenizer")
        return Path(folder)

    return train


@pytest.mark.parametrize("case", CASES)
def test_a_prior_samples_scores_and_resumes_without_the_tokenizers_run(
    case: str, ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    whole = trained(case, "outputs/train/whole", "trainer.max_examples=2560")
    run = trained(case, "outputs/train/run", "trainer.max_examples=1664")  # into the second epoch
    ganvas("resume", str(run), "trainer.max_examples=2560")
    resumed, straight = newest_checkpoint(run), newest_checkpoint(whole)
    assert straight["ganvas_clock"]["examples_seen"] == 2560
    for key in KEYS:
        assert equal(resumed[key], straight[key]), key
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss/nats_per_code"] for row in rows if "loss/nats_per_code" in row]
    assert losses[-1] < losses[0] < np.log(16) * 1.2
    assert any("validation/bits_per_dim" in row for row in rows)
    ganvas("sample", str(run), "--num", "6", "--out", "a.npz")
    ganvas("sample", str(run), "--num", "6", "--out", "b.npz", "--batch-size", "4")
    assert np.array_equal(np.load("a.npz")["images"], np.load("b.npz")["images"])
    ganvas("sample", str(run), "--num", "6", "--out", "c.npz", "--temperature", "0.1", "--top-k", "2")
    assert not np.array_equal(np.load("a.npz")["images"], np.load("c.npz")["images"])
    ganvas("evaluate", str(run), "--num", "64", "--num-real", "64")
    row = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert {"fid", "bits_per_image", "bits_per_dim", "psnr"} <= row["metrics"].keys()
    assert 0 < row["metrics"]["bits_per_image"] < 40  # 8 codes of 4 bits, and what training gained
    images = load(run).sample(6, 1, temperature=0.1, top_k=2)  # as the command does
    assert np.array_equal(to_uint8(images).permute(0, 2, 3, 1).numpy(), np.load("c.npz")["images"])
    ganvas("export", str(run), "--out", "weights.safetensors")
    weights = load_file("weights.safetensors")
    state = load(run).model.network().state_dict()
    assert all(torch.equal(weights[f"prior.{name}"], value) for name, value in state.items())
    (path,) = (run / "tokenizer/checkpoints").glob("*.ckpt")
    tokenizer = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(weights[f"tokenizer.{name}"], value) for name, value in tokenizer.items())
    assert len(weights) == len(state) + len(tokenizer)
    listed = ganvas("runs", "ls", "--json").stdout
    assert "tokenizer" not in listed
    assert load(run).model.tokenizer.sha256 == sha256_of(path)


def test_classes_are_asked_for_by_name_number_and_row(
    ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    run = trained("autoregressive", "run", "trainer.max_examples=512", callback="[minimal,preview]")
    ganvas("sample", str(run), "--num", "4", "--label", "3,8", "--guidance", "2", "--out", "x.npz")
    assert np.load("x.npz")["labels"].tolist() == [3, 3, 8, 8]
    assert list((run / "samples").glob("*.png"))
    assert torch.equal(load(run).sample(2, 1, label=3), load(run).sample(2, 1, label=[3, 3]))
    assert not torch.equal(load(run).sample(2, 1, label=3), load(run).sample(2, 1, label=8))
    with pytest.raises(OptionError, match=r"temperatur=0.5: is no way of drawing"):
        load(run).sample(1, temperatur=0.5)
    refused = ganvas("sample", str(run), "--label", "12", code=2).stderr
    assert refused.startswith("--label=12: must be from 0 to 9")


def test_another_tokenizer_in_the_runs_folder_is_drift(
    ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    run = trained("autoregressive", "run", "trainer.max_examples=256")
    (path,) = (run / "tokenizer/checkpoints").glob("*.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["quantizer.codebook"] = checkpoint["state_dict"]["quantizer.codebook"] + 1
    torch.save(checkpoint, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
    told = ganvas("resume", str(run), "trainer.max_examples=512", code=2).stderr
    assert "tokenizer" in told
    assert "would change the training of this run" in told
    told = ganvas("resume", str(run), "data.tokenizer=other", code=2).stderr
    assert told.startswith("data.tokenizer")
    assert "is part of the run" in told


def test_a_damaged_tokenizer_in_the_runs_folder_is_told(
    ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    run = trained("autoregressive", "run", "trainer.max_examples=256")
    (path,) = (run / "tokenizer/checkpoints").glob("*.ckpt")
    path.write_bytes(path.read_bytes()[:-9])
    told = ganvas("sample", str(run), code=2).stderr
    assert told.startswith("data.tokenizer=")
    assert "damaged" in told


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["model=autoregressive", "data=codes"], "data.tokenizer=null: names no run of a VQ-VAE"),
        (["model=autoregressive", "data=codes", "data.tokenizer=nowhere"], "data.tokenizer=nowhere: "),
        (["model=autoregressive", "data=codes", "data.tokenizer={there}/gan"], "data.tokenizer="),
        (
            ["model=autoregressive"],
            "autoregressive.Autoregressive: learns codes",
        ),
        (["model=masked", "data=digits"], "masked.Masked: learns codes"),
        (["model=mlp_gan", "data=codes", _CODES], "data=codes: has no sample_shape"),
        (
            [*CASES["masked"], _CODES, "model.prior.causal=true"],
            "model.prior=TransformerPrior: sees earlier codes alone",
        ),
        (
            [*CASES["autoregressive"], _CODES, "model.prior.causal=false"],
            "model.prior=TransformerPrior: sees later codes; model=masked takes it",
        ),
        (["model=masked", "model/prior=pixelcnn", "data=codes", _CODES], "model.prior=PixelCNNPrior: sees"),
        ([*CASES["pixelcnn"], _CODES, "model.guidance=2"], "model.guidance=2.0"),
        ([*CASES["pixelcnn"], _CODES, "model.top_p=1.5"], "model.top_p=1.5"),
        (
            [*CASES["pixelcnn"], _CODES, "model.temperature=-1"],
            "model.temperature=-1.0",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    words: list[str], refused: str, ganvas: Callable[..., Any], tokenizers: Path, tmp_path: Path
) -> None:
    told = ganvas("train", *(word.format(there=tokenizers) for word in words), *_SMALL_BUDGET, code=2).stderr
    assert refused in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


_SMALL_BUDGET = ["trainer.max_examples=128", "logger=none"]


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["--steps", "3"], "--steps=3: is of model=masked"),
        (["--top-p", "0"], "--top-p=0.0: must be above 0"),
        (["--top-p", "1.5"], "--top-p=1.5: must be above 0"),
        (["--top-k", "0"], "--top-k=0: must be at least 1"),
        (["--temperature", "-1"], "--temperature=-1.0: must be 0"),
        (["--guidance", "2"], "--guidance=2.0: needs a prior with classes"),
        (["--truncation", "0.5"], "--truncation=0.5: is of latents"),
        (["--label", "3"], "--label=3: "),
    ],
)
def test_ways_of_drawing_that_there_are_not(
    words: list[str], refused: str, ganvas: Callable[..., Any], trained: Callable[..., Path]
) -> None:
    run = trained("pixelcnn", "run", "trainer.max_examples=64")
    told = ganvas("sample", str(run), *words, "--out", "x.png", code=2).stderr
    assert told.startswith(refused)
    assert not Path("x.png").exists()
    ganvas("sample", str(run), "--temperature", "0", "--out", "x.png")


def test_a_gan_draws_no_codes(ganvas: Callable[..., Any], tokenizers: Path) -> None:
    told = ganvas("sample", str(tokenizers / "gan"), "--temperature", "0.5", code=2).stderr
    assert told.startswith("--temperature=0.5: is of a prior over codes")


def test_a_tokenizer_that_is_not_finished_is_warned_of(
    ganvas: Callable[..., Any], tokenizers: Path, tmp_path: Path
) -> None:
    shutil.copytree(tokenizers / "codes", "tokenizer")
    status = json.loads(Path("tokenizer/status.json").read_text())
    Path("tokenizer/status.json").write_text(json.dumps(status | {"state": "interrupted"}))
    ganvas("train", *CASES["pixelcnn"], "data.tokenizer=tokenizer", *_SMALL_BUDGET, "paths.run_dir=run")
    assert "the tokenizer tokenizer is not finished: it has 512 examples" in Path("run/train.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["autoregressive", "masked"])
def test_two_ranks_train_as_one(
    case: str, ganvas: Callable[..., Any], tokenizers: Path, tmp_path: Path
) -> None:
    words = [*CASES[case], f"data.tokenizer={tokenizers}/codes", "logger=none", "callback=none"]
    words += ["trainer.max_examples=192", "model.optimizer.eps=0.01"]
    words += ["model.prior.dropout=0"]  # torch's own stream is each rank's
    ganvas("train", *words, "accelerator=ddp_cpu", "paths.run_dir=two", fresh=True)
    ganvas("train", *words, "accelerator=cpu", "paths.run_dir=one")
    two, one = newest_checkpoint(tmp_path / "two"), newest_checkpoint(tmp_path / "one")
    close(dict(two["state_dict"]), dict(one["state_dict"]), rtol=2e-4, atol=2e-5)
