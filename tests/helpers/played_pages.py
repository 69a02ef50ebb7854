"""Serves the pages of codes, priors and comparisons to a test: ``python played_pages.py PORT``."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from nicegui import ui

from ganvas.play.pages.autoencoder import AutoencoderPage
from ganvas.play.pages.compare import ComparePage
from ganvas.play.pages.prior import PriorPage
from ganvas.play.pages.style import STYLE
from ganvas.play.work.autoencoder import Autoencoder
from ganvas.play.work.prior import PriorDesk
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run

_pool = ThreadPoolExecutor(1)


async def work(function: Any, *args: Any, **options: Any) -> Any:
    call = partial(function, *args, **options)
    return await asyncio.get_running_loop().run_in_executor(_pool, call)


async def _begin() -> None:
    ui.add_head_html(f"<style>{STYLE}</style>")
    await ui.context.client.connected()


@ui.page("/codes")
async def codes(run: str) -> None:
    await _begin()
    model, data, _ = await work(load_run, RunFolder(Path(run)))
    await AutoencoderPage(Autoencoder(model, data, run), work).start()


@ui.page("/prior")
async def prior(run: str) -> None:
    await _begin()
    model, data, _ = await work(load_run, RunFolder(Path(run)))
    await PriorPage(PriorDesk(model, data, run), Autoencoder(model, data, run), work).start()


@ui.page("/compare")
async def compare(runs: str) -> None:
    await _begin()
    await ComparePage([runs], Path(runs), work).compare()


if __name__ in ("__main__", "__mp_main__"):
    torch.set_num_threads(1)
    ui.run(host="127.0.0.1", port=int(sys.argv[1]), reload=False, show=False, uvicorn_logging_level="warning")
