from __future__ import annotations

import os
import sys
from contextlib import suppress

import pytest

from ganvas.cli.terminal import console, format_duration, format_estimate, format_metrics


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45.4, "45 s"), (99.9, "100 s"), (100, "2 min"), (5999, "1 h 40 min"), (11100, "3 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_an_estimate_says_what_it_rests_on() -> None:
    assert format_estimate(None, 0, "about").startswith("time: not known; ")
    assert format_estimate(60, 3, "at most") == (
        "time: at most 60 s, by the pace of 3 finished runs of such models and data"
    )


def test_usual_metrics_come_first_and_absent_values_are_left_out() -> None:
    assert format_metrics({"a": 1.0, "fid": 12.34567, "psnr": None}) == "fid 12.35"
    assert format_metrics({"a": 1.0, "b": 2.0, "c": 3.0}) == "a 1, b 2"
    prior = {"fid": 12.5, "psnr": 20.0, "bits_per_byte": 2.75}
    assert format_metrics(prior, main="bits_per_byte") == "bits_per_byte 2.75, fid 12.5, psnr 20"
    assert format_metrics(prior, main="absent") == "fid 12.5, psnr 20"


def test_a_table_whose_reader_is_gone_is_a_broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """As what is said without one; rich alone would end the process with exit code 1."""
    reading, writing = os.pipe()
    os.close(reading)
    with suppress(BrokenPipeError), open(writing, "w", buffering=1) as gone:  # what is left at its end
        monkeypatch.setattr(sys, "stdout", gone)
        with pytest.raises(BrokenPipeError):
            console().print("text")
