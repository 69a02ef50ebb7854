from __future__ import annotations

import pytest

from ganvas.compare import directions
from ganvas.compare.rows import Row
from ganvas.errors import OptionError
from ganvas.metric.reconstruction_evaluation import BETTER
from ganvas.metric.samples.fid import FID


def row(**better: str) -> Row:
    return Row(1, dict.fromkeys(better, 1.0), (), (), better)


def test_what_evaluations_say_goes_before_what_is_known() -> None:
    assert directions.mode_of("psnr", []) == "max"
    assert directions.mode_of("psnr", [row(psnr="min"), row(fid="max")]) == "min"
    assert directions.mode_of("own", [row(own="max"), row(own="max")]) == "max"
    assert directions.mode_of("own", []) is None
    assert directions.mode_of("psnr", [row(psnr="min"), row(psnr="max")]) is None


def test_what_is_known_is_what_metrics_say() -> None:
    assert directions.BETTER["fid"] == ("max" if FID.directions["fid"] else "min")
    assert all(directions.BETTER.get(name, way) == way for name, way in BETTER.items())


def test_the_usual_metrics_come_first() -> None:
    assert directions.preferred(["x", "ssim", "a", "kid", "fid"]) == ["fid", "kid", "ssim", "a", "x"]


def test_a_metric_that_no_run_has() -> None:
    directions.check_by("fid", ["fid"])
    with pytest.raises(OptionError, match="did you mean fid"):
        directions.check_by("fidd", ["fid", "kid"])
    with pytest.raises(OptionError, match="there are: fid, kid"):
        directions.check_by("zzz", ["fid", "kid"])
