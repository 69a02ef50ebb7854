"""Instants as text, in whatever zone this process lives and at whatever clock change."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ganvas.functional.instant import folder_stamp, instant_of, instant_of_folder, timestamp

# Berlin's clocks showed 02:00 to 03:00 twice on 2026-10-25: in summer time, then in winter time.
FIRST, SECOND = 1792889400.25, 1792891200.5  # 02:50:00.25+02:00, 02:20:00.5+01:00


@pytest.fixture(params=["UTC", "Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_zone")
def test_texts_and_names_are_in_utc_and_sort_across_the_clock_change() -> None:
    assert timestamp(FIRST) == "2026-10-25T00:50:00.250Z" < timestamp(SECOND) == "2026-10-25T01:20:00.500Z"
    assert folder_stamp(FIRST) == "20261025-005000Z" < folder_stamp(SECOND) == "20261025-012000Z"
    for moment in (FIRST, SECOND, 0.0):
        assert instant_of(timestamp(moment)) == moment
        assert instant_of_folder(f"{folder_stamp(moment)}_mlp_gan-digits-s1-0a1b2c") == int(moment)


@pytest.mark.usefixtures("_zone")
def test_now_is_now() -> None:
    before = time.time()
    for text, coarse in ((instant_of(timestamp()), 0.001), (instant_of_folder(folder_stamp()), 1.0)):
        assert text is not None
        assert before - coarse <= text <= time.time()


@pytest.mark.usefixtures("_zone")
def test_older_texts_have_an_offset() -> None:
    assert instant_of("2026-10-25T02:50:00+0200") == int(FIRST)
    assert instant_of("2026-10-25T02:20:00+0100") == int(SECOND)


@pytest.mark.parametrize("text", [None, 3, "", "1", "2026-10-25T02:50:00", "yesterday"])
def test_what_is_no_instant(text: object) -> None:
    assert instant_of(text) is None


@pytest.mark.parametrize(
    "name", ["", "a", "20261025-025000_sweep-a", "20261399-990000Z_sweep-a", "20261025-005000Zed"]
)
def test_a_name_that_tells_no_instant(name: str) -> None:
    assert instant_of_folder(name) is None
