from __future__ import annotations

import csv
import io

import pytest

from ganvas.files.text import one_line, screen_size, write_csv


def test_a_line_moves_no_cursor() -> None:
    assert one_line("a\x1b[2Jb\nc", longest=6) == "a?[2Jb"
    assert one_line("\u202eabc \ud800") == "?abc ?"  # right to left, and half a surrogate pair


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+x", "-cmd|' /C calc'!A0", "=HYPERLINK(1)"])
def test_no_cell_is_a_formula(text: str) -> None:
    stream = io.StringIO()
    write_csv(stream, [text], [[text]])
    assert list(csv.reader(stream.getvalue().splitlines())) == [[f"'{text}"], [f"'{text}"]]


def test_numbers_stay_numbers_and_letters_that_move_a_cursor_go() -> None:
    stream = io.StringIO()
    write_csv(stream, ["a", "b"], [[-1.5, "-1e-3"], [None, True], ["a\x1b[2J\n", 'x,"y']])
    assert stream.getvalue() == 'a,b\n-1.5,-1e-3\n,True\na?[2J?,"x,""y"\n'


@pytest.mark.parametrize("text", ["x", "-1", "0", "1.5", "9" * 5000, "99999999999", "\u00b2", " 80"])
def test_a_size_of_the_screen_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """rich takes digits of any number, and of any kind that ``str.isdigit`` knows."""
    monkeypatch.setenv("COLUMNS", text)
    monkeypatch.setenv("LINES", text)
    assert screen_size() == (80, 25)
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.delenv("LINES")
    assert screen_size() == (132, None)
