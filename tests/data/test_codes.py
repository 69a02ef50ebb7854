"""Codes as data: batches are codes, all else sees the samples; encoded once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from digit_tokenizers import codes, tokenizer

from ganvas.data.codes import Codes
from ganvas.data.digits import Digits
from ganvas.errors import OptionError
from ganvas.functional.batch import StoredBatch


def counted(kind: str = "residual") -> tuple[Codes, list[int]]:
    """Data, and the sizes of the batches that their tokenizer encodes."""
    data, sizes = codes(kind), list[int]()
    own: Any = data.tokenizer
    encode = own.encode
    own.encode = lambda x: (sizes.append(len(x)), encode(x))[1]
    return data, sizes


def test_batches_of_training_hold_the_codes_of_the_samples_that_others_see() -> None:
    data = codes("residual")
    data.prepare()
    for name in ("train", "val", "test"):
        pairs = zip(data.codes(name, 100), data.batches(name, 100), strict=True)
        for coded, real in pairs:
            assert torch.equal(coded.x, data.tokenizer.encode(real.x))
            assert torch.equal(coded.label, real.label)  # type: ignore[arg-type]
    stored = next(iter(data.train_dataloader()))
    assert isinstance(stored, StoredBatch)
    batch = data.on_after_batch_transfer(stored, 0)
    assert batch.x.dtype == torch.int64
    assert torch.equal(
        batch.x, data.tokenizer.encode(data.source.split("train").x[stored.row].float() / 127.5 - 1)
    )
    assert data.sample_shape == (1, 8, 8)
    assert data.num_classes == 10
    assert data.facts() == data.source.facts()
    assert data.describe_split("test") == data.source.describe_split("test")


def test_samples_are_encoded_once_in_batches_and_read_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    first, sizes = counted()
    first.prepare()
    assert sum(sizes) == 1797
    assert max(sizes) == 256
    again, sizes = counted()
    again.prepare()
    assert not sizes
    assert first.fingerprint() == again.fingerprint()
    other, sizes = counted()
    other.tokenizer.sha256 = "1" * 64
    other.prepare()
    assert sizes


def test_a_damaged_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    first, _ = counted()
    first.prepare()
    (path,) = (tmp_path / "codes").iterdir()
    content = bytearray(path.read_bytes())
    for place in (len(content) - 5, 100, 3):
        damaged = content.copy()
        damaged[place] ^= 1
        path.write_bytes(damaged)
        again, sizes = counted()
        again.prepare()
        assert sizes
        assert again.fingerprint() == first.fingerprint()
    path.write_bytes(content[:-1])
    again, sizes = counted()
    again.prepare()
    assert sizes


def test_what_is_no_tokenizer_or_not_of_these_data_is_refused() -> None:
    with pytest.raises(OptionError, match="tokenizer=null"):
        Codes()
    own = tokenizer()
    own.data = Digits(channels=1, image_size=16, num_classes=10)
    with pytest.raises(OptionError, match=r"holds samples of \[1, 16, 16\]; the tokenizer takes \[1, 8, 8\]"):
        Codes(tokenizer=own).prepare()
    with pytest.raises(OptionError, match="batch_size=5000"):
        codes(batch_size=5000).prepare()
    with pytest.raises(OptionError, match="encode_batch_size=0"):
        Codes(tokenizer=tokenizer(), encode_batch_size=0)
