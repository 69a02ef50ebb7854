"""The runs of a page: which there are, what they can do, which stay open."""

from __future__ import annotations

from pathlib import Path

import pytest
from forged_runs import forge, forge_two_variants

from ganvas.cli.main import main
from ganvas.errors import OptionError
from ganvas.play.catalogue import Catalogue


def test_runs_are_those_of_the_words_and_no_others(tmp_path: Path) -> None:
    there = forge_two_variants(tmp_path)
    every = Catalogue([], tmp_path / "outputs")
    assert [Path(name).name for name in every.folders()] == ["b1", "a2", "a1"]
    some = Catalogue([str(there / "a*")], tmp_path / "outputs")
    assert {Path(row["name"]).name for row in some.rows()} == {"a1", "a2"}
    assert {(row["state"], row["examples_seen"]) for row in some.rows()} == {("finished", 640)}
    with pytest.raises(OptionError, match=r"^run=.*b1: is none of the runs of this page"):
        some.folder(str(there / "b1"))
    with pytest.raises(OptionError, match=r"^run=/etc/passwd: "):
        every.load("/etc/passwd")
    with pytest.raises(OptionError, match=r"^RUN=nothing"):
        Catalogue(["nothing"], tmp_path / "outputs").folders()
    assert Catalogue([], tmp_path / "empty").rows() == []


def test_a_prior_has_what_its_tokenizer_has_and_a_model_of_symbols_has_none(tmp_path: Path) -> None:
    for name in ("codes", "symbols", "latents"):
        able = ["samples", "latents"] if name == "latents" else ["samples"]
        made = forge(tmp_path / "o" / name, status={"abilities": able})
        if name != "symbols":
            (made / "tokenizer").mkdir()
            (made / "tokenizer" / "run.yaml").write_text((made / "run.yaml").read_text())
    found = {Path(row["name"]).name: row["can"] for row in Catalogue([], tmp_path / "o").rows()}
    assert found["codes"] == ["reconstructs", "samples"]
    assert found["symbols"] == ["samples"]
    assert found["latents"] == ["latents", "samples"]


def test_weights_are_read_once_until_there_are_newer_ones(tmp_path: Path) -> None:
    short = ["trainer.max_examples=64", "callback=minimal", "logger=none", "accelerator=cpu", "model=mlp_gan"]
    names = [str(tmp_path / name) for name in "abcd"]
    for name in names:
        assert main(["train", *short, "model.latent_dim=4", f"paths.run_dir={name}"]) == 0
    runs = Catalogue([str(tmp_path)], tmp_path)
    first, _ = runs.load(names[0])
    assert runs.load(names[0])[0] is first
    assert main(["resume", names[0], "trainer.max_examples=128"]) == 0
    newer, _ = runs.load(names[0])
    assert newer is not first
    assert newer.examples_seen == 128
    for name in names[1:]:
        runs.load(name)
    assert runs.load(names[0])[0] is not newer, "three at most are held"
    assert runs.abilities(names[0]) >= {"samples", "latents"}
