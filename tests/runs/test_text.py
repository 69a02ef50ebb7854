"""Texts as a user runs them: a VQ-VAE, a model of bytes, a prior over codes of texts; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_files import newest_checkpoint
from same_run import KEYS, equal
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from ganvas.cli.compose.experiment import compose

_QUICK = ["trainer.log_every_examples=32", "logger=none", "accelerator=cpu", "callback=minimal"]
_DATA = ["data=text_files", "data.root=texts", "data.crop_length=16", "data.batch_size=8"]
_VQVAE = [
    *("model=text_vqvae", *_DATA, "model.encoder.width=16", "model.encoder.heads=2"),
    *("model.embedding_dim=8", "model.num_embeddings=16"),
]
_PRIOR = ["model=autoregressive", "model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2"]
CASES = {"vqvae": _VQVAE, "bytes": [*_PRIOR, *_DATA]}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(3):
        line = f"{number} green bottles hanging on the wall, and if one should fall\n"
        (folder / f"{number}.txt").write_text(line * 12)
    return folder


@pytest.fixture
def train(ganvas: Callable[..., Any], texts: Path) -> Callable[..., Path]:
    def run(folder: str, *words: str) -> Path:
        ganvas("train", *words, *_QUICK, f"paths.run_dir={folder}")
        return Path(folder)

    return run


def metrics(run: Path) -> dict[str, float]:
    return json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])["metrics"]


@pytest.mark.slow  # trains three times
@pytest.mark.parametrize("case", CASES)
def test_a_run_resumes_to_the_bit(case: str, ganvas: Callable[..., Any], train: Callable[..., Path]) -> None:
    whole = train("whole", *CASES[case], "trainer.max_examples=320")
    run = train("run", *CASES[case], "trainer.max_examples=200")
    ganvas("resume", str(run), "trainer.max_examples=320")
    resumed, straight = newest_checkpoint(run), newest_checkpoint(whole)
    for key in KEYS:
        assert equal(resumed[key], straight[key]), key


def test_a_vqvae_of_texts_shows_and_counts(ganvas: Callable[..., Any], train: Callable[..., Path]) -> None:
    run = train("run", *_VQVAE, "trainer.max_examples=128")
    ganvas("reconstruct", str(run), "--num", "3", "--out", "pairs.txt")
    lines = Path("pairs.txt").read_text().splitlines()
    assert [lines.count(f"--- {number}, original") for number in range(4)] == [1, 1, 1, 0]
    assert lines.count("--- 2, reconstruction") == 1
    ganvas("evaluate", str(run))
    found = metrics(run)
    assert 0 <= found["accuracy"] <= 1
    parts = found["code_bits_per_byte"] + found["decoder_bits_per_byte"]
    assert found["bits_per_byte"] == pytest.approx(parts, rel=1e-9)
    assert found["bits_per_text"] == pytest.approx(16 * parts, rel=1e-9)
    assert found["code_bits_per_byte"] == pytest.approx(np.log2(16) / 2, rel=1e-9)  # 4 bits for two bytes


def test_a_model_of_bytes_counts_samples_and_codes_without_loss(
    ganvas: Callable[..., Any], train: Callable[..., Path], texts: Path
) -> None:
    run = train("run", *CASES["bytes"], "trainer.max_examples=128")
    ganvas("evaluate", str(run))
    assert 0 < metrics(run)["bits_per_byte"] < 10
    ganvas("sample", str(run), "--num", "3", "--out", "samples.txt")
    assert Path("samples.txt").read_text().count("--- ") == 3
    ganvas("sample", str(run), "--num", "3", "--out", "samples.npz")
    assert np.load("samples.npz").files
    content = b"\xef\xbb\xbfhanging on\0the wall \xff" + bytes(range(256))
    Path("a.txt").write_bytes(content)
    ganvas("encode", str(run), "a.txt", "--out", "a.gvq")
    ganvas("decode", "a.gvq", str(run), "--out", "decoded")
    (decoded,) = Path("decoded").iterdir()
    assert decoded.read_bytes() == content


@pytest.mark.parametrize("case", CASES)
def test_no_floor_is_known_of_texts(
    case: str, ganvas: Callable[..., Any], train: Callable[..., Path]
) -> None:
    run = train("run", *CASES[case], "trainer.max_examples=32")
    before = (run / "evaluations.jsonl").read_text()
    told = ganvas("evaluate", str(run), "--floor", "--num", "4", code=2).stderr
    assert told == "--floor=True: is of features, and none are known of texts; leave it out\n"
    assert (run / "evaluations.jsonl").read_text() == before


def test_codes_of_texts_forget_sooner_than_those_of_images() -> None:
    decays = [
        compose([word]).config["model"]["quantizer"]["decay"] for word in ("model=text_vqvae", "model=vqvae")
    ]
    assert decays == [0.9, 0.99]


@pytest.mark.slow  # two runs
def test_a_prior_over_codes_of_texts(ganvas: Callable[..., Any], train: Callable[..., Path]) -> None:
    train("codes", *_VQVAE, "trainer.max_examples=128")
    run = train("prior", *_PRIOR, "data=codes", "data.tokenizer=codes", "trainer.max_examples=64")
    ganvas("sample", str(run), "--num", "2", "--out", "samples.txt")
    assert Path("samples.txt").read_text().count("--- ") == 2
    ganvas("evaluate", str(run))
    assert 0 < metrics(run)["bits_per_byte"] < 20


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["model=mlp_gan", *_DATA], "model=autoregressive or model=text_vqvae"),
        (["model=vqvae", *_DATA], "model=autoregressive or model=text_vqvae"),
        (["model=text_vqvae", "data=digits"], "data=text_files"),
        ([*_VQVAE, "data.crop_length=2000"], "data.crop_length=2000: is more than any"),
        ([*_VQVAE, "data.root=nowhere"], "data.root=nowhere: does not exist"),
        ([*_VQVAE, "data.tokenizer_file=none.json"], "data.tokenizer_file=none.json: cannot be read"),
        ([*_VQVAE, "model/reconstruction_loss=mse"], "model.reconstruction_loss=mse: is of values"),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    words: list[str], refused: str, ganvas: Callable[..., Any], texts: Path, tmp_path: Path
) -> None:
    told = ganvas("train", *words, "trainer.max_examples=64", "logger=none", code=2).stderr
    assert refused in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == [texts]


def test_another_tokenizer_at_its_place_is_refused(
    ganvas: Callable[..., Any], train: Callable[..., Path], tmp_path: Path
) -> None:
    def save(*more: str) -> None:
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {letter: number for number, letter in enumerate(letters)}
        made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        if more:
            made.normalizer = normalizers.NFC()  # which leaves these texts as they are
        made.save(str(tmp_path / "t.json"))

    save()
    run = train("run", *CASES["bytes"], "data.tokenizer_file=t.json", "trainer.max_examples=32")
    ganvas("evaluate", str(run), "--num", "16")
    save("another")
    for words in (["evaluate", str(run)], ["sample", str(run), "--num", "1", "--out", "a.txt"]):
        told = ganvas(*words, code=2).stderr
        assert told.startswith("data.tokenizer_file=")
        assert "put back the file of that" in told
        assert told.count("\n") == 1
    told = ganvas("resume", str(run), "trainer.max_examples=64", code=2).stderr
    assert "tokenizer_sha256" in told
