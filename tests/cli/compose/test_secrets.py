from __future__ import annotations

import sys

import pytest

from ganvas.cli.compose.secrets import (
    fill_secrets,
    hidden_keys,
    hidden_values,
    leaves,
    remember_environment,
    require_secrets,
)
from ganvas.errors import OptionError
from ganvas.run.folder import redact
from ganvas.run.folder.redact import scrub


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_known", set())


STORED = {
    "seed": 1,
    "logger": {"x": {"api_key": "<redacted>", "urls": ["a", "https://<redacted>@host"], "save_dir": "run"}},
}
COMPOSED = {
    "seed": 2,
    "logger": {"x": {"api_key": "abc", "urls": ["b", "https://abc@host"], "save_dir": "another run"}},
}


def test_what_was_hidden_and_nothing_else_comes_from_the_composed_config() -> None:
    assert fill_secrets(STORED, dict(leaves(COMPOSED))) == {
        "seed": 1,
        "logger": {"x": {"api_key": "abc", "urls": ["a", "https://abc@host"], "save_dir": "run"}},
    }
    assert STORED["logger"]["x"]["api_key"] == "<redacted>"


def test_a_number_under_a_password_is_filled_in_again() -> None:
    config = {"logger": {"password": 1234, "port": 80}}
    hidden = hidden_values(config)
    assert hidden == {"logger.password": 1234}
    assert fill_secrets(redact.redacted(config), hidden) == config


@pytest.mark.parametrize("composed", [{}, None, {"logger": None}, {"logger": {"x": {"urls": ["only one"]}}}])
def test_what_is_nowhere_stays_hidden(composed: object) -> None:
    assert fill_secrets(STORED, dict(leaves(composed))) == STORED


def test_hidden_keys_are_listed_as_overrides_name_them() -> None:
    assert hidden_keys(STORED) == ["logger.x.api_key", "logger.x.urls[1]"]
    assert hidden_keys(COMPOSED) == []


def test_a_config_without_its_secrets_does_not_train() -> None:
    with pytest.raises(
        OptionError, match=r"^logger\.x\.api_key=<redacted>: .*give it again: logger\.x\.api_key=V"
    ):
        require_secrets(STORED)
    require_secrets(COMPOSED)
    assert scrub("login with abcd") == "login with abcd"
    require_secrets({"logger": {"x": {"api_key": "abcd"}}})
    assert scrub("login with abcd") == "login with <redacted>"


def test_secrets_of_the_environment_are_known_under_any_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "of-the-environment")
    monkeypatch.setenv("MY_FOLDER", "some-folder")
    remember_environment({"a": {"auth": "x ${oc.env:MY_API_KEY}"}, "b": ["${oc.env:MY_FOLDER,none}", 3]})
    assert scrub("of-the-environment some-folder") == "<redacted> some-folder"
    remember_environment({"a": "${oc.env:NOT_THERE_KEY,fallback}"})


def test_where_a_run_came_from_is_told_without_secrets_however_short(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganvas.cli.compose.experiment import Composed, provenance

    monkeypatch.setattr(sys, "argv", ["ganvas", "train", "+logger.x.api_key=zq", "seed=1"])
    told = redact.redacted(provenance(Composed({}, {}, ["+logger.x.api_key=zq", "seed=1"], {})))
    assert told["command"] == "ganvas train '+logger.x.api_key=<redacted>' seed=1"
    assert told["overrides"] == ["+logger.x.api_key=<redacted>", "seed=1"]
