from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from forged_runs import forge_two_variants

import ganvas
from ganvas.cli.main import main


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return forge_two_variants(tmp_path)


def test_a_comparison_is_that_of_the_command(runs, capsys):
    (result,) = ganvas.compare([runs / "a1", str(runs / "a2"), str(runs / "b*")])
    best, second = result.variants
    assert (best.rank, best.summaries["fid"].mean, len(best.members)) == (1, 2.0, 1)
    assert (second.rank, second.summaries["fid"].mean, len(second.members)) == (2, 6.0, 2)
    assert main(["compare", str(runs / "*"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["by"], len(told["variants"])) == (result.by, 2)


def test_options_and_what_cannot_be_compared(runs):
    (result,) = ganvas.compare(["a*", "b1"], output_dir=runs.parent, rank=False, protocol={"split": "test"})
    assert [one.rank for one in result.variants] == [None, None]
    for options, line in (
        ({"runs": "a1"}, r"^runs=a1: must be a list"),
        ({"runs": [runs / "a1"]}, r"^RUN=.*a comparison needs at least 2"),
        ({"runs": [runs], "by": "fidd"}, r"^by=fidd: "),
        ({"runs": [runs], "protocol": {"splat": "x"}}, r"^protocol=splat=x: "),
    ):
        with pytest.raises(ganvas.OptionError, match=line):
            ganvas.compare(**options)


def test_the_package_of_this_name_can_be_called_however_it_was_imported(runs):
    package = importlib.import_module("ganvas.compare")
    assert ganvas.compare is package
    assert package.__path__, "it is a package still"
    assert package([runs])[0].by == "fid"
