"""``ganvas init``: what it writes, and that nothing of the user's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ganvas.cli.before_training.init import starter
from ganvas.cli.main import main


def test_every_file_is_written_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a new" / "project"
    assert main(["init", str(folder)]) == 0
    written = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, text in written.items():
        assert text == (starter() / name).read_bytes()
    assert {path.stem for path in (folder / "mine").glob("*.py")} == {
        *("__init__", "generator", "adversarial_loss", "quantizer", "data", "callback", "recipe")
    }
    lines = capsys.readouterr().out.splitlines()
    assert {Path(line) for line in lines if Path(line).is_file()} == {folder / name for name in written}
    assert f"cd '{folder}' && ganvas train --config-dir conf experiment=mine_gan" in lines[-1]


def test_each_part_is_a_page(tmp_path: Path) -> None:
    main(["init", str(tmp_path / "p")])
    for path in (tmp_path / "p").rglob("*"):
        assert path.is_dir() or len(path.read_text().splitlines()) <= 60, path


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "conf" / "data" / "mine.yaml").is_file()


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"FOLDER={tmp_path}: is not empty; ")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert main(["init", str(tmp_path / "thesis.tex")]) == 2
    assert capsys.readouterr().err.startswith(f"FOLDER={tmp_path}/thesis.tex: ")


def test_its_yamls_name_its_own_classes() -> None:
    targets = [
        yaml.safe_load(path.read_text())["_target_"]
        for path in (starter() / "conf" / "model").rglob("*.yaml")
    ]
    for target in targets:
        module, _, name = target.rpartition(".")
        assert f"class {name}(" in (starter() / f"{module.replace('.', '/')}.py").read_text()
