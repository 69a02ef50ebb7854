from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ganvas.errors import OptionError
from ganvas.files.plain import MAX_BYTES, MAX_DEPTH, dump_plain, load_object, load_plain, parse_json


def read(folder: Path, text: str) -> object:
    (folder / "x.yaml").write_text(text)
    return load_plain(folder / "x.yaml", "RUN")


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, True, None, "b", {"c": []}], "d": {}},
        {"text": "1e-3", "number": 1e-3, "day": "2026-11-23", "yes": "yes", "empty": "", "lines": "a\nb"},
        "text",
        [],
        {"ä": "€", "key with space": "- x"},
    ],
)
def test_what_is_dumped_is_loaded(value: object, tmp_path: Path) -> None:
    assert read(tmp_path, dump_plain(value)) == value


def test_a_list_in_two_places_is_written_twice(tmp_path: Path) -> None:
    shape = [1, 8, 8]
    text = dump_plain({"a": shape, "b": {"c": shape}})
    assert "&" not in text
    assert "*" not in text
    assert read(tmp_path, text) == {"a": shape, "b": {"c": shape}}


def test_what_yaml_reads_plainly_is_read_alike(tmp_path: Path) -> None:
    text = "a: 1\nb: [x, 2.5e-3, null, ~, .inf]\nc: {d: on, e: 0x10, f: '1'}\n"
    assert read(tmp_path, text) == yaml.safe_load(text)


def test_a_date_stays_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a: 2026-11-23\nb: 2026-11-23T10:00:00Z") == {
        "a": "2026-11-23",
        "b": "2026-11-23T10:00:00Z",
    }


def test_the_deepest_that_is_taken(tmp_path: Path) -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read(tmp_path, deep)
    with pytest.raises(OptionError, match=f"more than {MAX_DEPTH} levels deep"):
        read(tmp_path, f"[{deep}]")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1", "an anchor"),
        ("a: &x 1\nb: *x", "an anchor"),
        ("a: !!python/object/apply:os.system [x]", "the tag"),
        ("a: !!str 1", "the tag"),
        ("a: {1: 2}", "key 1 is no text"),
        ("a: [", "cannot be read"),
        ("a: 1\n--- \nb: 2", "cannot be read"),
        ("a: " + "9" * 5000, "cannot be read"),
        ('a: "\\ud800"', "cannot be read"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=reason) as caught:
        read(tmp_path, text)
    assert caught.value.option == "RUN"
    assert len(str(caught.value).splitlines()) == 1


def test_files_that_are_none_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file"):
        load_plain(tmp_path / "none", "RUN")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OptionError, match="is no regular file"):
        load_plain(tmp_path / "pipe", "RUN")
    (tmp_path / "large").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(OptionError, match="more than"):
        load_plain(tmp_path / "large", "RUN")
    (tmp_path / "large").write_bytes(b"#" * MAX_BYTES)
    assert load_plain(tmp_path / "large", "RUN") is None


@pytest.mark.parametrize("text", ["[1]", "3", "{", "[" * 100_000, "\x00", '"text"'])
def test_no_object_is_an_empty_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    assert load_object(tmp_path / "x.json") == {}
    assert load_object(tmp_path / "absent") == {}


def test_an_object(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": [1, null]}')
    assert load_object(tmp_path / "x.json") == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" * 400, "whole number of 400 digits"),
        (str(2**64), "beyond 64 bits"),
        ("[" * 65 + "]" * 65, "levels deep"),
        ("[" * 100_000 + "]" * 100_000, "levels deep"),
        ('"\\ud800"', "surrogates not allowed"),
        ("{", "Expecting"),
        (b"\xff", "can't decode"),
    ],
)
def test_json_has_limits(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


def test_json_within_its_limits() -> None:
    text = '{"a": [18446744073709551615, -9223372036854775808, 1e-3, null, "\\ud83d\\ude00"]}'
    assert parse_json(text) == {"a": [2**64 - 1, -(2**63), 0.001, None, "\U0001f600"]}
    assert parse_json("[" * 64 + "]" * 64)
