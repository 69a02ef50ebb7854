"""A server over some small runs, and a real browser that looks at it."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pytest
from forged_runs import forge
from heard_and_read import recipes
from PIL import Image

from ganvas.cli.main import main

try:
    from playwright import sync_api
except ImportError:  # whose tests are skipped
    sync_api = None

CHROMIUM = shutil.which("chromium")
HOSTILE = "<img src=x onerror=document.title='owned'>"
_SHORT = ["trainer.max_examples=64", "callback=none", "logger=none", "accelerator=cpu"]
_LONGER = ["trainer.max_examples=6400"]  # until codes decode to what a person tells apart
_WATCHED = ["trainer.max_examples=640", "callback=default", "trainer.log_every_examples=64"]
_PREVIEWS = ["callback=default", "callback.preview.num=4", "~callback.evaluation", "~callback.codebook"]
_CODES = ["model.num_embeddings=16", "model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8"]
_RESIDUAL = ["model/quantizer=residual", "model.quantizer.levels=2"]
_PRIOR = [
    *("data=codes", "model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2"),
    *("model.conditional=true", "model.label_dropout=0.1"),
]


@pytest.fixture(autouse=True)
def _there(request: pytest.FixtureRequest) -> None:
    """Skips where there is no NiceGUI, Playwright or Chromium."""
    pytest.importorskip("nicegui", reason="needs the extra ganvas[play]")
    if sync_api is None or CHROMIUM is None:
        pytest.skip("needs playwright and chromium (Debian's package of that name)")


@pytest.fixture(scope="session")
def hostile() -> str:
    """A name that would be a script, were it not shown as text."""
    return HOSTILE


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of 64 digits: a VQ-VAE of two levels, priors over it, a GAN; in ``o`` some that nobody trained."""
    folder = tmp_path_factory.mktemp("runs")
    tokenizer = f"data.tokenizer={folder}/grid"
    for name, words in {
        "grid": ["model=vqvae", *_CODES, *_RESIDUAL, *_LONGER],
        "raster": ["model=autoregressive", *_PRIOR, tokenizer],
        "masked": ["model=masked", *_PRIOR, tokenizer],
        "gan": ["model=mlp_gan", "model.conditional=true", *_WATCHED],
    }.items():
        assert main(["train", *_SHORT, *words, f"paths.run_dir={folder}/{name}"]) == 0
    for number, (fid, rate) in enumerate([(4.0, 0.1), (4.5, 0.1), (2.0, 0.2), (2.25, 0.2)]):
        name = HOSTILE.replace("/", "") if number == 3 else f"run{number}"
        made = forge(
            folder / "o" / name,
            seed=number,
            metrics={"fid": fid, HOSTILE: 9 - fid, "kid": fid, "psnr": fid, "ssim": fid, "mse": fid},
            changes={"model.generator_optimizer.lr": rate, "name": HOSTILE},
            curves=[{"examples": x, "loss/generator": fid / x, HOSTILE: x} for x in (64, 128, 640)],
        )
        (made / "samples").mkdir()
        for examples in (320, 640):
            Image.new("L", (20, 10), 10 * number + 100).save(made / "samples" / f"{examples:012d}.png")
    return folder


@pytest.fixture(scope="session")
def heard_and_read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of small sounds and texts, see :func:`heard_and_read.recipes`."""
    folder = tmp_path_factory.mktemp("heard")
    for name, words in recipes(folder).items():
        shown = _PREVIEWS if name in ("codec", "phrases") else []
        assert main(["train", *_SHORT, *words, *shown, f"paths.run_dir={folder}/{name}"]) == 0
    return folder


@pytest.fixture(scope="session")
def address(runs: Path) -> Iterator[Address]:
    with served(runs) as found:
        yield found


@pytest.fixture(scope="session")
def other_address(heard_and_read: Path) -> Iterator[Address]:
    with served(heard_and_read) as found:
        yield found


class Address(str):
    """Where a server is reached, with the number of its process."""

    process: int


@contextmanager
def served(runs: Path) -> Iterator[Address]:
    """The address of the command, in a process of its own."""
    # NiceGUI wants to be told by a test of its own kind where it finds this variable
    environment = {name: x for name, x in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment["OMP_NUM_THREADS"] = "1"
    words = [sys.executable, "-m", "ganvas", "play", str(runs), "--port", "0", "--output-dir", str(runs)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", said), said
            found = Address(said.rstrip("/"))
            found.process = process.pid
            yield found
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")  # its loop, while it runs, is in the way of others that drive a browser
def browser() -> Iterator[Any]:
    sync_api.expect.set_options(timeout=20_000)
    with sync_api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


class Page:
    """A page of the browser, which notes what must not be there."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.wrong: list[str] = []
        self._address = address
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda one: self.wrong.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        own = (f"{address}/", "data:", f"blob:{address}/", address.replace("http", "ws", 1))
        self.page.on("request", lambda one: None if one.url.startswith(own) else self.wrong.append(one.url))

    def open(self, name: str, kind: str) -> None:
        """A run's page, from the list of runs."""
        self.page.goto(f"{self._address}/")
        row = self.page.locator("[data-mark=run]", has=self.page.get_by_text(name, exact=True))
        row.get_by_role("link", name=kind, exact=True).click()

    def at(self, name: str) -> Any:
        return self.page.locator(f"[data-mark={name}]")

    def click(self, name: str) -> None:
        self.at(name).click()

    def type(self, name: str, text: str) -> None:
        self.at(name).fill(text)
        self.at(name).press("Enter")

    def choose(self, name: str, option: str) -> None:
        self.at(name).click()
        self.page.locator(".q-menu").last.get_by_role("option", name=option, exact=True).click()

    def cell(self, name: str, row: int, column: int, rows: int, columns: int) -> None:
        image = self.at(name).locator("img")
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        place = {"x": (column + 0.5) * box["width"] / columns, "y": (row + 0.5) * box["height"] / rows}
        image.click(position=place)

    def pixels(self, name: str) -> Any:
        """An image's pixels, as the browser was given them."""
        data = self.at(name).get_attribute("src").partition("base64,")[2]
        return numpy.asarray(Image.open(io.BytesIO(base64.b64decode(data))))

    def becomes(self, name: str, other: Any, *, equal: bool = True) -> None:
        """Waits until an image is, or is not, another one."""
        for _ in range(100):
            if numpy.array_equal(self.pixels(name), other) == equal:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(name)

    def says(self, name: str, text: str | re.Pattern[str]) -> None:
        sync_api.expect(self.at(name)).to_contain_text(text, timeout=20_000)

    def refuses(self, text: str) -> None:
        sync_api.expect(self.page.locator(".q-notification", has_text=text)).to_be_visible()
        self.page.locator(".q-notification", has_text=text).get_by_role("button").click()

    def check(self) -> None:
        """Nothing went wrong, and at 400 pixels nothing is wider than the page."""
        assert self.page.title() != "owned"
        self.page.set_viewport_size({"width": 400, "height": 800})
        self.page.wait_for_timeout(300)
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 400
        assert not self.wrong, self.wrong
        self.page.close()


@pytest.fixture
def page(browser: Any, address: str) -> Page:
    return Page(browser, address)


@pytest.fixture
def other(browser: Any, other_address: str) -> Page:
    """Of runs of sounds and texts."""
    return Page(browser, other_address)
