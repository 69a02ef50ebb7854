from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from ganvas.data.text_files import TextFiles
from ganvas.errors import OptionError


def make(root: Path, **options) -> TextFiles:
    defaults = {"batch_size": 1, "crop_length": 4, "val_fraction": 0.0, "test_fraction": 0.0}
    return TextFiles(root=str(root), **(defaults | options))


def stored(module: TextFiles, name: str = "train") -> list[bytes]:
    return [bytes(row.tolist()) for row in module.split(name).x]


def write(root: Path, **texts: bytes) -> None:
    root.mkdir(exist_ok=True)
    for name, content in texts.items():
        (root / f"{name}.txt").write_bytes(content)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "texts"


def refused(root: Path, **options) -> str:
    with pytest.raises(OptionError) as caught:
        make(root, **options).prepare()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- windows ----


def test_windows_tile_every_document_and_the_last_ends_with_it(root):
    write(root, a=b"abcdefghij", b=b"ABCD", c=b"xyz")
    module = make(root)
    assert stored(module) == [b"abcd", b"efgh", b"ghij", b"ABCD"]
    assert (module.sample_shape, module.split("train").x.dtype) == ((4,), torch.uint8)
    assert module.modality.wrong_with(module.split("train").x) is None
    (batch, _) = module.batches("train", 2)
    assert (batch.x.dtype, batch.x.tolist()) == (torch.int64, [list(b"abcd"), list(b"efgh")])
    assert "1 of 3 texts (3 bytes) are shorter than a window and left out" in module.notes[-1]


def test_mixed_documents_have_a_newline_between_two(root):
    write(root, a=b"abcde", b=b"AB", c=b"xyz")
    assert stored(make(root, mix_documents=True)) == [b"abcd", b"e\nAB", b"\nxyz"]


def test_one_file_is_a_data_set_and_its_ends_are_held_out(root):
    write(root, a=bytes(range(100)))
    module = make(root / "a.txt", val_fraction=0.2, test_fraction=0.1)
    parts = {name: b"".join(stored(module, name)) for name in ("train", "val", "test")}
    # 70, 20 and 10 bytes: the last windows of 70 and 10 repeat two
    assert parts["train"] == bytes([*range(68), *range(66, 70)])
    assert parts["val"] == bytes(range(70, 90))
    assert parts["test"] == bytes([*range(90, 98), *range(96, 100)])


def test_parts_are_cut_before_a_letter(root):
    write(root, a="aé".encode() * 20)  # 60 bytes; half of them ends inside of no letter, 29 does
    module = make(root, val_fraction=0.5167, crop_length=1)
    assert b"".join(stored(module)).decode() + b"".join(stored(module, "val")).decode() == "aé" * 20


def test_of_ten_documents_whole_ones_are_held_out_the_same_for_every_seed(root):
    write(root, **{f"t{number}": bytes([number]) * (8 + number) for number in range(1, 31)})
    found = [make(root, val_fraction=0.3, test_fraction=0.2, seed=seed, pattern="*.txt") for seed in (1, 2)]
    values = [[{one[0] for one in stored(own, name)} for name in ("train", "val", "test")] for own in found]
    assert values[0] == values[1]
    train, val, test = values[0]
    assert train | val | test == set(range(1, 31))
    assert len(train) + len(val) + len(test) == 30
    assert 30 in train  # the largest
    total = sum(8 + number for number in range(1, 31))
    for split, share in ((val, 0.3), (test, 0.2)):
        assert abs(sum(8 + number for number in split) / total - share) < 0.04


def test_folders_of_splits_are_taken(root):
    for split in ("train", "valid", "test"):
        (root / split / "deep").mkdir(parents=True)
        (root / split / "deep" / "a").write_bytes(f"{split:5}".encode())
    module = make(root, crop_length=5, val_fraction=0.5)
    assert [stored(module, name) for name in ("train", "val", "test")] == [[b"train"], [b"valid"], [b"test "]]


# ---- crops ----


def crops(module: TextFiles, epoch: int) -> dict[int, bytes]:
    loader = module._loader("train")
    loader.order.position = lambda: (epoch, 0)
    found = {int(row): bytes(x.tolist()) for batch in loader for row, x in zip(batch.row, batch.x)}
    loader.close()
    return found


def test_crops_are_anywhere_in_their_document_and_a_function_of_seed_epoch_and_row(root):
    write(root, a=bytes(range(10)), b=bytes(range(100, 104)))
    module = make(root, seed=3, pattern="*.txt")
    epochs = [crops(module, epoch) for epoch in range(300)]
    again = make(root, seed=3, pattern="*.txt", batch_size=2)
    assert crops(again, 7) == epochs[7]
    assert [crops(make(root, seed=4, pattern="*.txt"), epoch) for epoch in range(5)] != epochs[:5]
    firsts = torch.tensor([epoch[row][0] for epoch in epochs for row in range(3)])
    counts = torch.bincount(firsts, minlength=7)
    assert len(counts) == 7
    assert (counts - 900 / 7).abs().max() < 4 * (900 / 7) ** 0.5
    assert all(one == bytes(range(one[0], one[0] + 4)) for epoch in epochs for one in epoch.values())
    assert all(epoch[3] == bytes(range(100, 104)) for epoch in epochs)


@pytest.mark.slow  # starts processes
def test_workers_hand_out_the_same(root):
    write(root, a=bytes(range(1, 101)))
    here = [(batch.row.tolist(), batch.x.tolist()) for batch in make(root).train_dataloader()]
    module = make(root, num_workers=1)
    assert [(batch.row.tolist(), batch.x.tolist()) for batch in module.train_dataloader()] == here
    module.teardown("fit")


# ---- files ----


def test_bytes_are_taken_as_they_are(root):
    content = b"\xef\xbb\xbfBOM\0NUL\xff\xfebad\r\n" + "é".encode()
    write(root, a=content)
    module = make(root, crop_length=len(content), pattern="*.txt")
    assert stored(module) == [content]
    assert any("byte order mark, which is kept" in note for note in module.notes)


def test_one_huge_line(root):
    write(root, a=b"x" * 300_001)
    module = make(root, crop_length=1000)
    assert (len(module.split("train")), set(b"".join(stored(module)))) == (301, {ord("x")})


def test_binary_hidden_and_empty_files_are_passed_over_and_said(root):
    write(root, a=b"text", b=b"te\0t", c=b"", d=b"more")
    (root / ".hidden").write_bytes(b"hide")
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to(root)
    (root / "again.txt").symlink_to(root / "a.txt")
    module = make(root)
    assert stored(module) == [b"text", b"more"]
    assert "passed over: 1 binary, 1 empty, 1 hidden, 1 pipe or devices, 2 reached twice" in module.notes[0]


def test_what_cannot_be_taken_is_refused_in_one_line(root, tmp_path):
    assert "does not exist" in refused(root)
    root.mkdir()
    assert "holds no text (passed over: nothing)" in refused(root)
    write(root, a=b"", b=b"\0")
    assert "holds no text (passed over: 1 binary, 1 empty)" in refused(root)
    assert "is empty" in refused(root / "a.txt")
    assert "name a file or a folder" in refused(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be read" in refused(tmp_path / "pipe")
    assert "cannot be read" in refused(Path("/dev/null"))


def test_all_damaged_files_are_in_one_line(root):
    write(root, a=b"text", b=b"fine")
    os.mkfifo(root / "c.txt")
    (root / "d.txt").symlink_to(root / "nowhere")
    told = refused(root, pattern="*.txt")
    assert "2 of its files cannot be read" in told
    assert "c.txt" in told
    assert "d.txt" in told


def test_a_crop_longer_than_every_text(root):
    write(root, a=b"abc", b=b"defgh")
    told = refused(root, crop_length=6)
    assert "crop_length=6: is more than any of the 2 training texts has, 8 bytes in all" in told
    assert "data.mix_documents=true joins them" in told
    assert len(stored(make(root, crop_length=6, mix_documents=True))) == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("crop_length", 0),
        ("pattern", ""),
        ("val_fraction", 1.0),
        ("test_fraction", -0.1),
        ("vocabulary", 255),
    ],
)
def test_options_out_of_range(root, option, value):
    with pytest.raises(OptionError, match=f"^{option}="):
        make(root, **{option: value})


def test_the_fingerprint_is_of_the_content_and_the_documents(root, tmp_path):
    write(root, a=b"abcdefgh")
    found = []
    for texts in ({"a": b"abcdefgh"}, {"a": b"abcdefgX"}, {"a": b"abcd", "b": b"efgh"}):
        folder = tmp_path / str(len(found))
        write(folder, **texts)
        module = make(folder)
        module.prepare()
        found.append(module.fingerprint())
    assert found[0] != found[1]
    assert found[0] != found[2]
    again = make(root)
    again.prepare()
    assert again.fingerprint() == found[0]


# ---- tokenizers ----


def tokenizer(path: Path, normalizer=None, extra: int = 0) -> str:
    """Byte-level, without merges but ``th``: lossless where it has no normalizer."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "th"])}
    vocabulary |= {f"<{number}>": len(vocabulary) + number for number in range(extra)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[("t", "h")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    if normalizer is not None:
        made.normalizer = normalizer
    made.save(str(path))
    return str(path)


def test_ids_of_a_tokenizer(root, tmp_path):
    write(root, a="the thé th\n".encode() * 5)
    file = tokenizer(tmp_path / "t.json")
    module = make(root, tokenizer_file=file, vocabulary=257)
    x = module.split("train").x
    assert x.dtype is torch.int32
    assert module.modality.wrong_with(x) is None
    # "the thé th\n" is 12 bytes and 9 ids
    assert module.modality.units((4,)) == {"bits_per_byte": pytest.approx(4 * 12 / 9)}
    content = b"".join(module.modality.content(row) for row in make_rows(module, 9))
    assert content.decode() == "the thé th\n" * 5
    with pytest.raises(OptionError, match=r"vocabulary=256: .*has 257 ids; vocabulary=257"):
        make(root, tokenizer_file=file)


def make_rows(module: TextFiles, length: int) -> torch.Tensor:
    again = make(module.root, tokenizer_file=module.tokenizer_file, vocabulary=257, crop_length=length)
    return again.split("train").x


def test_a_tokenizer_of_text_that_is_no_utf8_names_all(root, tmp_path):
    write(root, a=b"fine text", b=b"bad \xff\xfe", c=b"\x80 bad")
    told = refused(root, tokenizer_file=tokenizer(tmp_path / "t.json"), vocabulary=257)
    assert "2 texts that are no UTF-8" in told
    assert "b.txt" in told
    assert "c.txt" in told


def test_another_tokenizer_is_another_fingerprint(root, tmp_path):
    write(root, a=b"abcdefgh")
    found = []
    for extra in (1, 2):  # ids that no text has: the symbols are the same
        file = tokenizer(tmp_path / "t.json", extra=extra)
        module = make(root, tokenizer_file=file, vocabulary=257 + extra)
        module.prepare()
        found.append((module.fingerprint(), module.split("train").x.tolist()))
    assert found[0][1] == found[1][1]
    assert found[0][0] != found[1][0]


def test_a_tokenizer_takes_a_byte_order_mark(root, tmp_path):
    content = b"\xef\xbb\xbfa text"
    write(root, a=content)
    module = make(root, tokenizer_file=tokenizer(tmp_path / "t.json"), vocabulary=257, crop_length=9)
    assert module.modality.content(module.split("train").x[0]) == content


def test_a_tokenizer_that_loses_text_is_refused(root, tmp_path):
    write(root, a=b"a text", b=b"a Text")
    file = tokenizer(tmp_path / "t.json", normalizers.Lowercase())
    told = refused(root, tokenizer_file=file, vocabulary=257)
    assert told.startswith(f"tokenizer_file={file}: ")
    assert "does not give back every text it takes: 'Text' at letter 2 of " in told


@pytest.mark.parametrize("content", [None, b"{}", b"no json"])
def test_a_file_that_is_no_tokenizer(root, tmp_path, content):
    if content is not None:
        (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(OptionError, match=r"^tokenizer_file=.*(cannot be read|no file of the library)"):
        make(root, tokenizer_file=str(tmp_path / "t.json"), vocabulary=257)
