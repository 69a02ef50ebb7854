"""``ganvas play`` refuses what it cannot serve, in one line and before anything is served."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from forged_runs import forge
from refusal import refused

pytest.importorskip("nicegui", reason="needs the extra ganvas[play]")


def test_what_cannot_be_served_is_one_line(ganvas: Any, tmp_path: Path) -> None:
    forge(tmp_path / "o" / "one")
    words = ["play", "--output-dir", "o"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(ganvas, tmp_path, [*words, "--port", port], "--port", f"={port}: ", "--port 0 takes a free")
    refused(ganvas, tmp_path, [*words, "nothing"], "RUN", "=nothing: ")
    refused(ganvas, tmp_path, [*words, "--port", "70000"], "--port", "=70000: ")
    refused(ganvas, tmp_path, [*words, "--host", "nowhere.example"], "--host", "=nowhere.example: ")
    refused(ganvas, tmp_path, ["play", "--output-dir", "none"], "--output-dir", "=none: ", "ganvas train")
