"""The server of ``ganvas play``: its addresses, and what stands around each page."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from ganvas.errors import OptionError
from ganvas.files.text import one_line
from ganvas.play.door import Door
from ganvas.play.pages.autoencoder import AutoencoderPage
from ganvas.play.pages.compare import ComparePage
from ganvas.play.pages.prior import PriorPage
from ganvas.play.pages.style import STYLE
from ganvas.play.shelf import Shelf
from ganvas.play.work.autoencoder import Autoencoder
from ganvas.play.work.prior import PriorDesk
from ganvas.run.folder.run_folder import TOKENIZER, RunFolder
from ganvas.run.folder.usable import RECONSTRUCTS, SAMPLES, abilities

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def serve(
    shelf: Shelf,
    words: Sequence[str],
    output_dir: Path,
    *,
    listening: socket.socket,
    token: str | None,
) -> None:
    """Serves until it is stopped by a signal.

    Args:
        words: the runs as the user named them, for the page that compares.
        listening: where it is asked.
        token: what who asks must know; None asks nobody, and answers this machine's own names alone.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    _add_pages(shelf, words, output_dir)
    ui.run_with(app, title="ganvas play", dark=None, show_welcome_message=False)
    door = Door(app, hosts=_LOCAL if token is None else None, token=token)
    config = uvicorn.Config(door, log_level="warning", lifespan="on", ws="auto")
    uvicorn.Server(config).run(sockets=[listening])


def kinds_of(folder: RunFolder) -> list[str]:
    """The pages that a run has: ``prior``, ``codes``."""
    known = abilities(folder) or set()
    if SAMPLES in known and (folder.path / TOKENIZER / "run.yaml").exists():
        return ["prior", "codes"]
    return ["codes"] if RECONSTRUCTS in known else []


def _add_pages(shelf: Shelf, words: Sequence[str], output_dir: Path) -> None:
    @ui.page("/")
    async def runs() -> None:
        await _frame("Runs")
        there = [(number, one, kinds_of(one)) for number, one in shelf.runs()]
        with ui.element("section").classes("card"):
            ui.label(f"{len(there)} runs").classes("heading")
            for number, one, kinds in reversed(there):
                with ui.row().classes("items-center tools").props("data-mark=run"):
                    ui.label(one_line(one.path.resolve().name))
                    for kind in kinds:
                        _link(kind, f"/{kind}/{number}")

    @ui.page("/codes/{number}")
    async def codes(number: int) -> None:
        await _frame("Codes")
        with refused():
            folder = shelf.run(number)
            model, data = await shelf.load(number)
            await AutoencoderPage(Autoencoder(model, data, folder.path), shelf.work).start()

    @ui.page("/prior/{number}")
    async def prior(number: int) -> None:
        await _frame("Prior")
        with refused():
            folder = shelf.run(number)
            model, data = await shelf.load(number)
            desk = PriorDesk(model, data, folder.path)
            await PriorPage(desk, Autoencoder(model, data, folder.path), shelf.work).start()

    @ui.page("/compare")
    async def compare() -> None:
        await _frame("Compare")
        page = ComparePage(words or [str(output_dir)], output_dir, shelf.work)
        await page.compare()


@contextmanager
def refused() -> Iterator[None]:
    """A run that cannot be shown is one line in the place of its page."""
    try:
        yield
    except OptionError as error:
        ui.label(one_line(str(error), 1000)).props("role=alert data-mark=refused")


async def _frame(title: str) -> None:
    """What stands around a page; the browser has it before anything is computed."""
    ui.page_title(f"{title} - ganvas play")
    ui.add_head_html(f"<style>{STYLE}</style>")
    with ui.row().classes("items-center tools"):
        _link("Runs", "/")
        _link("Compare", "/compare")
    await ui.context.client.connected()


def _link(text: str, address: str) -> None:
    with ui.element("a").props(f'href="{address}"').classes("link"):
        ui.label(text)
