"""Configs that the fault matrix composes once are those that each run would compose."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as for tests/faults/run.py

import composed
from recipes import train_words

from ganvas.cli.compose import experiment

_compose = experiment.compose


def test_a_config_composed_once_is_that_of_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "compose", _compose)  # put back afterwards
    monkeypatch.setattr(composed, "_known", {})
    words = train_words("vqvae")
    composed.compose_once(words)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "hydra_session", None)  # nothing is composed any more
    known = experiment.compose(words[1:])
    with pytest.raises(TypeError):
        experiment.compose([*words[1:], "seed=2"])
    monkeypatch.undo()
    assert known == _compose(words[1:])
    assert known.config["paths"]["run_dir"] == "run"
