from __future__ import annotations

import pytest

from ganvas.cli.compose.completion import line_for_hydra, matching_commands


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ganvas train model=", "ganvas model="),
        ("ganvas train model=dcgan data=f", "ganvas model=dcgan data=f"),
        ("ganvas train model=dcgan ", "ganvas model=dcgan "),
        ("ganvas train ", "ganvas "),
        ("ganvas train", None),
        ("ganvas tr", None),
        ("ganvas sample la", None),
        ("ganvas ", None),
    ],
)
def test_line_for_hydra(line: str, expected: str | None) -> None:
    made = line_for_hydra(line)
    assert (made or "").rstrip() == (expected or "").rstrip()
    assert (made is None) == (expected is None)
    if made is not None and expected is not None and len(expected.split()) > 1:
        assert made[-1].isspace() == expected[-1].isspace()


def test_commands_complete_the_first_word_alone() -> None:
    commands = ["train", "resume", "runs", "reconstruct"]
    assert matching_commands("ganvas r", commands) == ["resume", "runs", "reconstruct"]
    assert matching_commands("ganvas ", commands) == commands
    assert matching_commands("ganvas sample ", commands) == []
    assert matching_commands("ganvas sample la", commands) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ganvas train model=mlp", {"model=mlp_gan", "model=mlp_vqvae"}),
        ("ganvas train model=vqvae model/quantizer=f", {"model/quantizer=fsq"}),
        ("ganvas train trainer.max_i", {"trainer.max_examples="}),
        ("ganvas re", {"resume", "reconstruct"}),
    ],
)
def test_query_answers(line: str, expected: set[str], ganvas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert set(ganvas("-sc", "query=bash").stdout.split()) == expected
