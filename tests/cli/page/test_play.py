"""``ganvas play``: what it refuses before it serves anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from refusal import refused

pytest.importorskip("nicegui", reason="needs the extra ganvas[play]")


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["nothing"], "RUN", "=nothing: there is no such folder, and no run under outputs; "),
        (["no/where"], "RUN", "=no/where: there is no such folder, and no run under outputs"),
        (["--port", "-1"], "--port", "must be from 0"),
        (["--port", "99999"], "--port", "must be from 0 (any free one) to 65535"),
        (["--host", "nowhere.example"], "--host", "is no address of this machine"),
        (["--port", "x"], "--port", "must be a whole number"),
        (["--host", "192.0.2.77"], "--port", "cannot be answered on 192.0.2.77"),
        (["--config-dir", "nowhere"], "--config-dir", "there is no such folder"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], key: str, part: str, ganvas, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, ["play", *words], key, part)


def test_a_short_token_is_refused_and_not_repeated(ganvas) -> None:
    done = ganvas("play", "--token", "abc", code=2)
    assert done.stderr.startswith("--token=")
    assert "must have 8 plain letters or more" in done.stderr
    assert "abc" not in done.stderr


def test_a_port_that_is_taken_is_named(ganvas, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = ("Address already in use", "--port 0 takes a free one")
        refused(ganvas, tmp_path, ["play", "--port", str(port)], "--port", *said)
