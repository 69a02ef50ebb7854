"""What every page has: its head, the way to the others, light or dark, room for what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from nicegui import ui

from ganvas.errors import OptionError
from ganvas.files.text import one_line
from ganvas.play.catalogue import Catalogue
from ganvas.play.pages.style import STYLE
from ganvas.run.folder.usable import LATENTS, RECONSTRUCTS, SAMPLES

# Page -> its title, and what a run must be able to do for it.
OF_A_RUN = {
    "gan": ("Samples", LATENTS),
    "prior": ("Prior", "prior"),
    "codes": ("Codes", RECONSTRUCTS),
    "health": ("Health", None),
}
_STYLE = """
.nicegui-content { gap: .6rem; margin: 0 auto; max-width: 1280px; padding: .8rem 1rem 3rem; }
.top { align-items: center; border-bottom: 1px solid var(--rule); display: flex; flex-wrap: wrap;
  gap: .3rem 1.2rem; padding-bottom: .5rem; width: 100%; }
.top a { border-radius: 4px; color: var(--ink); padding: .25rem .5rem; text-decoration: none; }
.top a:hover { text-decoration: underline; } .top a:focus-visible { outline: 3px solid var(--c0); }
.top a[aria-current=page] {
  background: color-mix(in srgb, var(--c0) 18%, transparent); font-weight: 600; }
.top .brand { font-weight: 700; } .top .fill { flex: 1; }
.which { overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; font-weight: 600; line-height: 1.4; margin: .2rem 0 0; }
main.sections { gap: .8rem; }
body { background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
@media (max-width: 700px) { .nicegui-content { padding: .5rem .6rem 3rem; } }
"""


def pages_of(abilities: set[str]) -> list[str]:
    """The pages that a run has, the first one first."""
    is_prior = SAMPLES in abilities and LATENTS not in abilities
    able = abilities | ({"prior"} if is_prior else set())
    return [page for page, (_, need) in OF_A_RUN.items() if need is None or need in able]


def address(page: str, run: str | None = None) -> str:
    """Of a page, of a run where it is one's."""
    return f"/{page}" + ("" if run is None else f"?{urlencode({'run': run})}")


@contextmanager
def frame(catalogue: Catalogue, title: str, *, here: str, run: str | None = None) -> Iterator[None]:
    """A page's own content goes inside; an OptionError in there becomes a line on the page.

    Args:
        title: the heading.
        here: which page it is.
        run: whose.
    """
    ui.page_title(one_line(f"{title} · ganvas", 200))
    ui.add_head_html(f"<style>{STYLE}{_STYLE}</style>")
    dark = ui.dark_mode(value=None)
    with ui.element("header").classes("top"):
        _link("ganvas", "/", False).classes("brand")
        _link("Runs", "/", here == "runs")
        _link("Compare", address("compare"), here == "compare")
        if run is not None:
            for page in _pages(catalogue, run):
                _link(OF_A_RUN[page][0], address(page, run), here == page)
        ui.element("span").classes("fill")
        box = ui.select({None: "as the system", False: "light", True: "dark"}, value=None, label="Colours")
        box.classes("w-36").props("dense data-mark=colours").bind_value_to(dark, "value")
    with ui.element("main").classes("sections"):
        heading = ui.element("h1").classes("which")
        with heading:
            ui.label(one_line(title, 500))
        try:
            yield
        except OptionError as error:
            refused(error)


def refused(error: OptionError) -> None:
    """What cannot be shown, as a line of the page."""
    ui.label(one_line(str(error), 1000)).classes("note").props('role="alert" data-mark=refused')


def _pages(catalogue: Catalogue, run: str) -> list[str]:
    try:
        return pages_of(catalogue.abilities(run))
    except (OptionError, KeyError, TypeError):
        return []


def _link(text: str, to: str, is_here: bool) -> ui.element:
    link = ui.element("a")
    link.props["href"] = to
    with link:
        ui.label(text)
    if is_here:
        link.props('aria-current="page"')
    return link
