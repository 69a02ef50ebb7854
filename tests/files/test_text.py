from __future__ import annotations

import csv
import math

import pytest

from ganvas.files.text import as_csv, one_line, say, say_json, say_page, screen_size


def test_a_line_moves_no_cursor() -> None:
    assert one_line("a\x1b[2Jb\nc", longest=6) == "a?[2Jb"
    assert one_line("\u202eabc \ud800") == "?abc ?"  # right to left, and half a surrogate pair


@pytest.mark.parametrize(
    "text", ["=1+1", "@SUM(A1)", "+x", "-cmd|' /C calc'!A0", "=HYPERLINK(1)", " =1", "\uff1d1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    made = as_csv([text], [[text]])
    assert list(csv.reader(made.splitlines())) == [[f"'{text}"], [f"'{text}"]]


def test_numbers_stay_numbers_and_letters_that_move_a_cursor_go() -> None:
    made = as_csv(["a", "b"], [[-1.5, "-1e-3"], [None, True], ["a\x1b[2J\n", 'x,"y'], [math.nan, 1]])
    assert made == 'a,b\n-1.5,-1e-3\n,True\na?[2J?,"x,""y"\n,1\n'


def test_what_is_said_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[2J\nb", 1.5)
    say("\u202e\ud800[red]x[/red]", error=True)
    say_page("a\tb\nc\x1b]8;;x\x07\n")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a?[2J?b 1.5\na\tb\nc?]8;;x?\n", "??[red]x[/red]\n")


def test_json_is_strict_and_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": [math.nan, math.inf, 1.5], "b": "\x1b\u202e\ud800"})
    assert capsys.readouterr().out == '{"a": [null, null, 1.5], "b": "\\u001b\\u202e\\ud800"}\n'


@pytest.mark.parametrize("text", ["x", "-1", "0", "1.5", "9" * 5000, "99999999999", "\u00b2", " 80"])
def test_a_size_of_the_screen_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """rich takes digits of any number, and of any kind that ``str.isdigit`` knows."""
    monkeypatch.setenv("COLUMNS", text)
    monkeypatch.setenv("LINES", text)
    assert screen_size() == (80, 25)
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.delenv("LINES")
    assert screen_size() == (132, None)
