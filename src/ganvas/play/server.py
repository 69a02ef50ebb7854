"""The server of ``ganvas play``: its pages' addresses, one worker for what takes time, who is answered."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ganvas.errors import OptionError, missing_extra
from ganvas.files.text import say
from ganvas.play.catalogue import Catalogue
from ganvas.play.guard import Guard

if TYPE_CHECKING:
    from fastapi import FastAPI, Response

_PATIENCE = 60.0  # seconds that a page which does not answer is kept


def require_nicegui() -> None:
    """Raises OptionError where the extra is not installed."""
    # Its storage would else be a folder where the server was started.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", os.path.join(tempfile.gettempdir(), "ganvas-play"))
    try:
        import nicegui  # noqa: F401
    except ImportError as error:
        raise missing_extra("play", "NiceGUI", ("command", "play")) from error


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any that is free.

    Raises:
        OptionError: ``--host``, ``--port``: nothing can be answered there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        reason = f"is no address of this machine ({error.strerror}); 127.0.0.1 and 0.0.0.0 are usual"
        raise OptionError("--host", host, reason) from error
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        reason = f"cannot be answered on {host} ({error.strerror}); choose another, --port 0 takes a free one"
        raise OptionError("--port", port, reason) from error
    return listening


def serve(catalogue: Catalogue, listening: socket.socket, *, token: str | None) -> None:
    """Answers until it is stopped by a signal.

    Args:
        catalogue: the runs that pages show.
        listening: where it is asked.
        token: what a browser must show; None: this machine's own are answered alone.
    """
    import uvicorn
    from fastapi import FastAPI
    from nicegui import app, ui

    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    work = mount(catalogue, pages)
    app.on_startup(lambda: asyncio.ensure_future(work(_warm_up)))
    # A busy or suspended machine answers late; of a page that was given up what is typed meanwhile is lost.
    ui.run_with(pages, title="ganvas", show_welcome_message=False, reconnect_timeout=_PATIENCE)
    logging.getLogger("nicegui").setLevel(logging.ERROR)
    config = uvicorn.Config(Guard(pages, token), log_level="error", lifespan="on")
    _say_where(listening, token)
    uvicorn.Server(config).run(sockets=[listening])


def mount(catalogue: Catalogue, pages: FastAPI) -> Worker:
    """Registers the pages, once a process; who does their work."""
    from nicegui import ui

    from ganvas.play.pages.compare import ComparePage, split_words
    from ganvas.play.pages.frame import frame
    from ganvas.play.pages.runs import RunsPage

    work = Worker()

    @ui.page("/")
    async def runs() -> None:
        with frame(catalogue, "Runs", here="runs"):
            await ui.context.client.connected()
            await RunsPage(catalogue, work).look()

    @ui.page("/compare")
    async def compare(runs: str = "") -> None:
        with frame(catalogue, "Compare", here="compare"):
            words = split_words(runs) or catalogue.words
            page = ComparePage(words, catalogue.output_dir, work)
            await ui.context.client.connected()
            if words:
                await page.compare()

    for name, make in _PAGES.items():
        _mount_of_a_run(catalogue, work, name, make)

    @pages.get("/preview")
    def preview(run: str) -> Response:
        return _preview(catalogue, run)

    return work


def _mount_of_a_run(catalogue: Catalogue, work: Worker, name: str, make: Callable[..., Any]) -> None:
    from nicegui import ui

    from ganvas.play.pages.frame import frame

    @ui.page(f"/{name}")
    async def page(run: str = "") -> None:
        with frame(catalogue, run, here=name, run=run):
            waiting = ui.label("Reading the run ...").classes("soft").props('role="status"')
            await ui.context.client.connected()  # what takes long comes after the page is there
            try:
                made = await make(catalogue, work, run)
                await made.start()
            finally:
                waiting.delete()


async def _gan(catalogue: Catalogue, work: Worker, run: str) -> Any:
    from ganvas.play.pages.gan import GANPage
    from ganvas.play.work.gan import GANDesk

    model, data = await work(catalogue.load, run)
    return GANPage(await work(GANDesk, model, data, run), work)


async def _codes(catalogue: Catalogue, work: Worker, run: str) -> Any:
    from ganvas.play.pages.autoencoder import AutoencoderPage
    from ganvas.play.work.autoencoder import Autoencoder

    model, data = await work(catalogue.load, run)
    return AutoencoderPage(await work(Autoencoder, model, data, run), work)


async def _prior(catalogue: Catalogue, work: Worker, run: str) -> Any:
    from ganvas.play.pages.prior import PriorPage
    from ganvas.play.work.prior import PriorDesk

    model, data = await work(catalogue.load, run)
    return PriorPage(await work(PriorDesk, model, data, run), work)


async def _health(catalogue: Catalogue, work: Worker, run: str) -> Any:
    from ganvas.play.pages.health import HealthPage

    return HealthPage(catalogue.folder(run), work)


_PAGES = {"gan": _gan, "prior": _prior, "codes": _codes, "health": _health}


class Worker:
    """Runs functions in one thread, one after the other: networks are not asked by two at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ganvas-play")

    async def __call__(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What the function returns or raises; meanwhile pages are answered."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, partial(function, *args, **options)
        )


def _preview(catalogue: Catalogue, run: str) -> Response:
    """The newest grid of samples of one run, a PNG; 404 where there is none."""
    import base64

    from fastapi import Response

    from ganvas.compare.show.images import newest_grid

    try:
        found = newest_grid(catalogue.folder(run).path)
    except OptionError:
        return Response(status_code=404)
    if found.uri is None:
        return Response(status_code=404)
    content = base64.b64decode(found.uri.partition(",")[2])
    return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=3600"})


def _warm_up() -> None:
    """Imports what the first run needs, while nobody has chosen one yet."""
    import ganvas.run.load  # noqa: F401


def _say_where(listening: socket.socket, token: str | None) -> None:
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    name = f"[{shown}]" if ":" in shown else shown
    say(f"http://{name}:{port}/" + ("" if token is None else f"?token={token}"))
