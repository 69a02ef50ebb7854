"""The page of a run's health: what was found, and the curves that it was found in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from ganvas.compare.curves import apart, equal_curves, read_curves, sensible_tags, thinned
from ganvas.compare.show.svg import Line, panel
from ganvas.files.text import one_line
from ganvas.play.pages.parts import Work, card
from ganvas.run.folder.describe import describe
from ganvas.run.folder.run_folder import RunFolder

_MOST_POINTS = 400  # of a line
_MOST = 12  # charts


class HealthPage:
    """Findings, and charts.

    Args:
        folder: the run.
        work: runs a function off the page, and gives what it returns.
    """

    def __init__(self, folder: RunFolder, work: Work) -> None:
        self.folder, self.work = folder, work
        self._curves: dict[str, Any] = {}
        self._tags: dict[str, str] = {}  # title -> tag
        with card():
            self._state = ui.label().classes("numbers").props("data-mark=state")
            self._found = ui.element("div").classes("sections")
        with card():
            self._box = ui.select([], multiple=True, value=[], label="Curves shown", on_change=self._draw)
            self._box.props("use-chips data-mark=curves").classes("w-full")
            self._charts = ui.element("div").classes("charts")

    async def start(self) -> None:
        """Reads the run's files."""
        status, row, curves, tags, problems, watched = await self.work(_read, self.folder)
        self._curves, self._tags = curves, tags
        error = f": {status['error']}" if status.get("error") else ""
        self._state.text = one_line(f"{row['state']} at {row['examples_seen']:,} examples seen{error}", 500)
        findings = [one for one in _list(status.get("findings")) if isinstance(one, dict)]
        with self._found:
            if not findings:
                unwatched = "The run was not watched: its config has no callback.health."
                ui.label("Nothing was found." if watched else unwatched).props("data-mark=finding")
            for finding in findings:
                _told(finding)
            for word in [*problems, *map(str, _list(status.get("write_errors")))]:
                ui.label(one_line(word, 500)).classes("note soft")
        titles = list(tags)
        self._box.set_options(titles, value=_first(titles, tags, findings))

    def _draw(self) -> None:
        self._charts.clear()
        name = self.folder.path.name
        with self._charts:
            for title in self._box.value[:_MOST]:
                line = Line(one_line(name), 0, thinned(self._curves[self._tags[title]], _MOST_POINTS))
                # the panel escapes what runs say
                ui.html(panel(one_line(title), [line]), sanitize=False).classes("chart")


def _told(finding: Mapping[str, Any]) -> None:
    with ui.element("div").props("data-mark=finding"):
        ui.label(one_line(f"{finding.get('says')}", 500)).classes("heading")
        ui.label(one_line(f"at {finding.get('examples')} examples; try {finding.get('try')}", 1000))


def _read(folder: RunFolder) -> tuple[Any, ...]:
    problems: list[str] = []
    curves = read_curves(folder.path, problems)
    drawn, _ = apart([curves])
    callbacks = folder.read_run()["config"].get("callback")
    watched = isinstance(callbacks, dict) and callbacks.get("health") is not None
    return folder.read_status(), describe(folder), curves, equal_curves([curves], drawn), problems, watched


def _first(titles: list[str], tags: Mapping[str, str], findings: list[dict[str, Any]]) -> list[str]:
    """What findings speak of, then what is sensible."""
    spoken = {one.get("metric") for one in findings}
    first = [title for title in titles if tags[title] in spoken]
    sensible = set(sensible_tags(list(tags.values()), 6))
    watched = [title for title in titles if tags[title].startswith("health/")][:4]
    more = [title for title in titles if tags[title] in sensible]
    return list(dict.fromkeys([*first, *watched, *more]))[:_MOST]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
