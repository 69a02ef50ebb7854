from __future__ import annotations

import logging

import pytest

from ganvas.errors import OptionError, is_secret
from ganvas.run.folder import redact
from ganvas.run.folder.redact import (
    ScrubbingFormatter,
    redacted,
    redacted_override,
    remember,
    remember_words,
    scrub,
    scrubbed,
)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_known", set())


@pytest.mark.parametrize(
    "key", ["key", "api_key", "API_KEY", "hf-token", "db.password", "client_secret", "KEY_2"]
)
def test_secret_keys(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize("key", ["keyboard", "monkey", "num_tokens", "tokens", "passwords", "seed", "", 3])
def test_other_keys(key: object) -> None:
    assert not is_secret(key)


def test_values_are_hidden_under_their_keys() -> None:
    tree = {
        "token": "a",
        "list": [{"api_key": ["b", "c", 3]}],
        "password": 1234,
        "secret_key": 5.5,
        "mask_token": 7,
        "key": None,
        "secret": True,
        "nested_key": {"_target_": "x.Y", "password": "d", "n": 1},
    }
    assert redacted(tree) == {
        "token": "<redacted>",
        "list": [{"api_key": ["<redacted>", "<redacted>", 3]}],
        "password": "<redacted>",
        "secret_key": "<redacted>",
        "mask_token": 7,
        "key": None,
        "secret": True,
        "nested_key": {"_target_": "x.Y", "password": "<redacted>", "n": 1},
    }
    assert tree["token"] == "a"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("+logger.x.api_key=abc", "+logger.x.api_key=<redacted>"),
        ("token='a=b'", "token=<redacted>"),
        ("logger.x.save_dir=abc", "logger.x.save_dir=abc"),
        ("logger.x.api_key=", "logger.x.api_key="),
        ("a sentence about api_key=abc", "a sentence about api_key=abc"),
        ("api_key", "api_key"),
    ],
)
def test_overrides(word: str, shown: str) -> None:
    assert redacted_override(word) == shown
    assert redacted({"overrides": [word]}) == {"overrides": [shown]}


def test_a_secret_that_is_known_is_hidden_in_any_text() -> None:
    remember({"a": {"api_key": "very-secret-1", "name": "harmless-name"}, "password": 987654})
    remember_words(["+x.token='word-of-the-line'", "x.y=public-value", "latest"])
    text = "u=very-secret-1 p=987654 w=word-of-the-line n=harmless-name y=public-value"
    assert scrub(text) == "u=<redacted> p=<redacted> w=<redacted> n=harmless-name y=public-value"
    assert scrubbed({"a": ["x very-secret-1", 3, None]}) == {"a": ["x <redacted>", 3, None]}
    assert redacted({"url": "https://very-secret-1@host"}) == {"url": "https://<redacted>@host"}


def test_the_longest_is_hidden_first() -> None:
    remember({"token": "abcd", "key": "abcd-efgh"})
    assert scrub("x abcd-efgh y abcd") == "x <redacted> y <redacted>"


def test_what_is_short_is_hidden_under_its_key_alone() -> None:
    remember({"key": "abc", "token": "split"})
    assert scrub("abcdef split") == "abcdef <redacted>"
    assert redacted({"split": "split val", "key": "abc"}) == {"split": "split val", "key": "<redacted>"}


def test_what_is_hidden_already_is_not_a_secret() -> None:
    remember({"key": "<redacted>"})
    assert scrub("<redacted>") == "<redacted>"


def test_logs_and_their_tracebacks() -> None:
    remember({"password": "hunter2hunter2"})
    try:
        raise ValueError("login with hunter2hunter2 failed")
    except ValueError as error:
        failed = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "used %s", ("hunter2hunter2",), failed)
    text = ScrubbingFormatter("%(message)s").format(record)
    assert "hunter2" not in text
    assert text.startswith("used <redacted>")
    assert "login with <redacted> failed" in text


def test_an_options_error_hides_a_secrets_value() -> None:
    error = OptionError("logger.x.api_key", "abcdef", "the server does not know abcdef; ask for another")
    assert str(error) == "logger.x.api_key=<redacted>: the server does not know <redacted>; ask for another"
    assert error.value == "abcdef"
    assert "abcdef" not in str(error.under("a"))
    assert str(OptionError("model.keys", 3, "no")) == "model.keys=3: no"
    assert str(OptionError("x.token", "", "is missing")) == "x.token=: is missing"
