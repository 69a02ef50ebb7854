"""A comparison on a page says what ``ganvas compare --json`` says, number by number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from forged_runs import forge
from PIL import Image

from ganvas.cli.main import main
from ganvas.errors import OptionError
from ganvas.play.work.comparison import Curves, Samples, compare_words, table

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two variants of two seeds, with curves and grids; a name of one is markup."""
    for number, (fid, rate) in enumerate([(4.0, 0.1), (4.5, 0.1), (2.0, 0.2), (2.5, 0.2)]):
        name = HOSTILE if number == 3 else f"run{number}"
        folder = forge(
            tmp_path / "o" / name,
            seed=number,
            metrics={"fid": fid, "kid": fid / 100, "odd<b>": 7.0 - fid},
            changes={"model.generator_optimizer.lr": rate},
            curves=[
                {"examples": x, "loss/generator": fid / x, "evaluation/fid": fid + 100 / x}
                for x in (64, 128, 640)
            ],
        )
        (folder / "samples").mkdir()
        for examples in (0, 320 if number < 2 else 330, 640):
            grid = Image.new("L", (8 + number, 5), 60 * number)
            grid.save(folder / "samples" / f"{examples:012d}.png")
    return tmp_path / "o"


def by_command(runs: Path, *options: str) -> Any:
    out = runs.parent / "x.json"
    assert main(["compare", str(runs), *options, "--json", str(out)]) == 0
    return json.loads(out.read_text())


@pytest.mark.parametrize(("by", "rank"), [(None, True), ("kid", True), ("odd<b>", False)])
def test_the_table_has_the_numbers_of_the_command(runs: Path, by: str | None, rank: bool) -> None:
    words = [*(("--by", by) if by else ()), *(() if rank else ("--no-rank",))]
    plain = by_command(runs, *words)
    (result,) = compare_words([str(runs)], runs, by=by, rank=rank)
    made = table(result)
    names = {column.heading.split(" (")[0]: column.key for column in made.columns}
    assert len(made.rows) == len(plain["variants"]) == 2
    for row, variant in zip(made.rows, plain["variants"], strict=True):
        assert row["rank"] == variant["rank"]
        assert row["variant"] == variant["variant"]
        assert (row["seeds"], row["examples"]) == (variant["seeds"], variant["examples"][1])
        for name, numbers in variant["metrics"].items():
            assert row[names[name]] == numbers["mean"]
            assert row[f"{names[name]}_shown"].startswith(f"{numbers['mean']:.2g}"[:3])
        if rank:
            assert row["above"] == variant["p_against_above"]
    first, last = (["rank"], ["against the rank above"]) if rank else ([], [])
    metrics = list(plain["variants"][0]["metrics"])
    assert list(names) == [*first, "variant", "seeds", "examples", *metrics, *last]
    assert result.notes == plain["notes"]


def test_curves_are_charts_of_all_runs_with_their_names_as_text(runs: Path) -> None:
    (result,) = compare_words([str(runs)], runs)
    curves = Curves(result)
    assert set(curves.tags) == {"loss/generator", "evaluation/fid"}
    assert curves.sensible == ["loss/generator", "evaluation/fid"]
    svg = curves.panel("evaluation/fid")
    assert len(re.findall(r'<path class="v[01]"', svg)) == 4
    assert "<img" not in svg
    assert "&lt;img src=x" in svg


def test_samples_stand_beside_each_other_at_equal_examples(runs: Path) -> None:
    (result,) = compare_words([str(runs)], runs)
    samples = Samples(result)
    assert samples.is_common
    assert samples.moments == [0, 640]  # 320 and 330 are none of both
    shown = samples.at(640)
    assert [(one.index, one.examples) for one in shown] == [(0, 640), (1, 640)]
    assert [one.grid.width for one in shown] == [10, 8]  # the better variant's first seed is number 2
    assert [one.examples for one in samples.at(321)] == [330, 320]  # the nearest of each
    (runs / "run0/samples/000000000640.png").write_bytes(b"no image")
    assert samples.at(640)[1].grid.uri is None
    assert "no whole PNG" in samples.at(640)[1].grid.told


def test_refusals_are_those_of_the_command(runs: Path) -> None:
    for words, options, match in [
        (["nothing-here"], {}, "RUN"),
        ([str(runs / "run0")], {}, "at least 2"),
        ([str(runs)], {"by": "fidd"}, "did you mean fid"),
        ([str(runs)], {"protocol": ["features.name=x"]}, "no metric has this value"),
    ]:
        with pytest.raises(OptionError, match=match):
            compare_words(words, runs, **options)  # type: ignore[arg-type]
