"""The pages of codes, priors and comparisons in a real browser: every control once, no other host."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from forged_runs import forge
from PIL import Image

from ganvas.cli.main import main

pytest.importorskip("nicegui", reason="needs the extra ganvas[play]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which drives the browser")
_CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_CHROMIUM is None, reason="needs chromium (Debian's package of that name)"),
]
expect = playwright.expect

_HOSTILE = "<img src=x onerror=document.title='owned'>"
_SHORT = ["trainer.max_examples=64", "callback=none", "logger=none", "accelerator=cpu"]
_LONGER = ["trainer.max_examples=6400"]  # until codes decode to what a person tells apart
_CODES = ["model.num_embeddings=16", "model.encoder.hidden_channels=8", "model.decoder.hidden_channels=8"]
_RESIDUAL = ["model/quantizer=residual", "model.quantizer.levels=2"]
_PRIOR = [
    *("data=codes", "model.prior.width=16", "model.prior.depth=1", "model.prior.heads=2"),
    *("model.conditional=true", "model.label_dropout=0.1"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of 64 digits: a VQ-VAE of two levels, priors over it; in ``o`` some that nobody trained."""
    folder = tmp_path_factory.mktemp("runs")
    tokenizer = f"data.tokenizer={folder}/grid"
    for name, words in {
        "grid": ["model=vqvae", *_CODES, *_RESIDUAL, *_LONGER],
        "raster": ["model=autoregressive", *_PRIOR, tokenizer],
        "masked": ["model=masked", *_PRIOR, tokenizer],
    }.items():
        assert main(["train", *_SHORT, *words, f"paths.run_dir={folder}/{name}"]) == 0
    for number, (fid, rate) in enumerate([(4.0, 0.1), (4.5, 0.1), (2.0, 0.2), (2.25, 0.2)]):
        name = _HOSTILE.replace("/", "") if number == 3 else f"run{number}"
        made = forge(
            folder / "o" / name,
            seed=number,
            metrics={"fid": fid, _HOSTILE: 9 - fid, "kid": fid, "psnr": fid, "ssim": fid, "mse": fid},
            changes={"model.generator_optimizer.lr": rate, "name": _HOSTILE},
            curves=[{"examples": x, "loss/generator": fid / x, _HOSTILE: x} for x in (64, 128, 640)],
        )
        (made / "samples").mkdir()
        for examples in (320, 640):
            Image.new("L", (20, 10), 10 * number + 100).save(made / "samples" / f"{examples:012d}.png")
    return folder


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    """Of the command, in a process of its own."""
    # NiceGUI wants to be told by a test of its own kind where it finds this variable
    environment = {name: x for name, x in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment["OMP_NUM_THREADS"] = "1"
    words = [sys.executable, "-m", "ganvas", "play", str(runs), "--port", "0", "--output-dir", str(runs)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", said), said
            yield said.rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
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
        self.page.get_by_role("option", name=option, exact=True).click()

    def cell(self, name: str, row: int, column: int, rows: int, columns: int) -> None:
        image = self.at(name).locator("img")
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        place = {"x": (column + 0.5) * box["width"] / columns, "y": (row + 0.5) * box["height"] / rows}
        image.click(position=place)

    def pixels(self, name: str) -> Any:
        """An image's pixels, as the browser was given them."""
        import base64

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
        expect(self.at(name)).to_contain_text(text, timeout=20_000)

    def refuses(self, text: str) -> None:
        expect(self.page.locator(".q-notification", has_text=text)).to_be_visible()
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


def test_codes_are_picked_painted_swapped_and_undone(page: Page) -> None:
    page.open("grid", "codes")
    page.says("told-b", re.compile(r"PSNR .* dB.*SSIM .*32 bits.*codes as encoded"))
    page.says("told-a", "codes as encoded")
    before = page.pixels("decoded-a")
    page.cell("codes-a", 1, 1, 2, 2)
    expect(page.at("tool").get_by_role("button", name="Paint")).to_have_attribute("aria-pressed", "true")
    page.type("code", "9")
    page.cell("codes-a", 0, 1, 2, 2)
    expect(page.page.get_by_text("row 1, column 2: code 9", exact=True)).to_be_visible()
    page.type("code", "3")
    page.at("codes-a").press("ArrowLeft")
    page.at("codes-a").press("Enter")
    expect(page.page.get_by_text("row 1, column 1: code 3", exact=True)).to_be_visible()
    page.says("told-a", re.compile(r"codes? changed"))
    page.becomes("decoded-a", before, equal=False)
    for _ in range(3):
        page.at("codes-a").press("u")
    page.says("told-a", "codes as encoded")
    page.becomes("decoded-a", before)

    other = page.pixels("decoded-b")
    page.click("swap-region")
    page.refuses("mark one first")
    page.at("codes-b").press("r")
    page.cell("codes-b", 0, 0, 2, 2)
    page.cell("codes-b", 1, 1, 2, 2)
    page.says("region", "rows 1 to 2, columns 1 to 2")
    page.click("swap-region")
    page.says("told-a", re.compile(r"changed"))
    page.says("told-b", re.compile(r"changed"))
    page.becomes("decoded-a", other)
    page.becomes("decoded-b", before)
    page.click("swap-all")
    page.says("told-a", "codes as encoded")
    page.choose("what", "codes of the level shown")
    page.choose("level", "level 2: 2 x 2 codes of 16")
    page.choose("cut", "the first 1 of 2")
    page.click("swap-all")
    page.click("reset-a")
    page.says("told-a", "codes as encoded")
    page.click("undo-b")

    page.check()


def test_images_come_from_any_split_or_from_a_file(page: Page) -> None:
    page.open("grid", "codes")
    page.says("told-b", "codes as encoded")
    page.type("number-a", "7")
    page.choose("split-a", "train")
    expect(page.page.get_by_text(re.compile("train image 7"))).to_be_visible()
    page.type("number-a", "99999")
    page.refuses("images; take one from 0 to")
    upload = page.at("upload-b").locator("input[type=file]")
    picture = io.BytesIO()
    Image.new("RGB", (50, 40), (250, 9, 9)).save(picture, "PNG")
    upload.set_input_files({"name": "<b>a.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    expect(page.page.get_by_text("your image", exact=True)).to_be_visible()
    assert page.pixels("original-b").shape == (8, 8)
    upload.set_input_files({"name": f"{_HOSTILE}.png", "mimeType": "image/png", "buffer": b"<script>"})
    page.refuses("cannot be read as an image")
    bomb = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(bomb, "PNG")
    upload.set_input_files({"name": "b.png", "mimeType": "image/png", "buffer": bomb.getvalue()})
    page.refuses("pixels")
    page.check()


def written(line: str, out: Path) -> Any:
    """What a command line of the page writes: a picture's pixels, or the images of an array."""
    words = shlex.split(line, comments=True)
    assert main([*words[1:-1], str(out)]) == 0
    return numpy.load(out)["images"] if out.suffix == ".npz" else numpy.asarray(Image.open(out))


def tiles(sheet: Any, rows: int, columns: int) -> Any:
    """The images of 8 x 8 pixels of a grid that is enlarged by 8, [N, 8, 8, 1]."""
    side = 64 + 2
    return numpy.stack([
        sheet[2 + r * side + 4 : 2 + r * side + 64 : 8, 2 + c * side + 4 : 2 + c * side + 64 : 8, None]
        for r in range(rows) for c in range(columns)
    ])  # fmt: skip


def test_a_prior_draws_what_its_commands_draw(page: Page, tmp_path: Path) -> None:
    page.open("masked", "prior")
    expect(page.page.get_by_text(re.compile(r"16 samples: step (\d+) of \1"))).to_be_visible(timeout=20_000)
    for name, value in {
        "temperature": "0.8",
        "top-k": "9",
        "top-p": "0.9",
        "guidance": "2",
        "steps": "3",
        "seed": "5",
        "num": "6",
    }.items():
        page.type(name, value)
    page.choose("class", "7")
    page.click("draw")
    caption = page.page.get_by_text("6 samples: step 3 of 3")
    expect(caption).to_be_visible()
    line = page.at("command").inner_text()
    for word in ("--temperature 0.8", "--top-k 9", "--top-p 0.9", "--guidance 2", "--steps 3", "--label 7"):
        assert word in line
    assert numpy.array_equal(page.pixels("samples"), written(line, tmp_path / "x.png"))

    page.choose("class", "any class")
    page.type("completions", "4")
    page.type("image", "2")
    expect(page.page.get_by_text("test image 2", exact=True)).to_be_visible()
    page.click("half-right")
    expect(page.page.get_by_text("4 of 8 codes given")).to_be_visible()
    page.click("complete")
    expect(page.page.get_by_text("4 completions: step 3 of 3")).to_be_visible()
    line = page.at("complete-command").inner_text()
    made = written(line, tmp_path / "x.npz")[2]
    assert numpy.array_equal(tiles(page.pixels("completed"), 1, 4), made)

    page.cell("mask", 0, 0, 2, 2)
    expect(page.page.get_by_text("6 of 8 codes given")).to_be_visible()
    page.click("invert")
    expect(page.page.get_by_text("2 of 8 codes given")).to_be_visible()
    page.click("slow")
    page.type("steps", "6")
    page.click("complete")
    expect(page.page.get_by_text(re.compile(r"step 2 of 6, \d codes to come"))).to_be_visible()
    page.click("stop")
    expect(page.at("stop")).to_be_disabled()
    assert not page.page.get_by_text("step 6 of 6").is_visible()
    page.says("complete-command", "No command takes a mask that is drawn by hand")
    page.click("clear")
    expect(page.page.get_by_text("0 of 8 codes given")).to_be_visible()
    page.click("half-upper")
    page.choose("split", "val")
    picture = io.BytesIO()
    Image.new("L", (9, 8), 77).save(picture, "PNG")
    upload = page.at("upload").locator("input[type=file]")
    upload.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    expect(page.page.get_by_text("your image", exact=True)).to_be_visible()
    page.type("top-p", "0")
    page.click("draw")
    page.refuses("must be above 0 and at most 1")
    page.check()


def test_a_raster_prior_is_given_first_codes_alone(page: Page) -> None:
    page.open("raster", "prior")
    expect(page.page.get_by_text("16 samples: step 8 of 8")).to_be_visible(timeout=20_000)
    assert page.at("half-upper").count() == 1
    assert page.at("half-left").count() == page.at("invert").count() == 0
    assert not page.at("steps").is_visible()
    page.cell("mask", 1, 0, 2, 2)
    expect(page.page.get_by_text("6 of 8 codes given")).to_be_visible()
    page.at("mask").press("Enter")
    expect(page.page.get_by_text("4 of 8 codes given")).to_be_visible()
    page.click("complete")
    expect(page.page.get_by_text("5 completions: step 8 of 8")).to_be_visible()
    page.check()


def test_a_comparison_says_what_the_command_says(
    page: Page, address: str, runs: Path, tmp_path: Path
) -> None:
    assert main(["compare", str(runs / "o"), "--json", str(tmp_path / "x.json")]) == 0
    plain = json.loads((tmp_path / "x.json").read_text())
    page.page.goto(f"{address}/compare")
    page.at("runs").fill(str(runs / "o"))
    page.click("compare")
    rows = page.at("table").locator("tbody tr")
    expect(rows).to_have_count(2)
    head = page.at("table").locator("thead th")
    column = next(i for i, text in enumerate(head.all_inner_texts()) if "fid" in text)
    shown = [row.locator("td").nth(column).inner_text() for row in rows.all()]
    means = [one["metrics"]["fid"]["mean"] for one in plain["variants"]]
    assert [float(text.split(" ")[0]) for text in shown] == pytest.approx(means, abs=0.1)
    head.nth(column).click()
    head.nth(column).click()  # the larger first
    expect(rows.first.locator("td").nth(column)).to_have_text(shown[1])

    metric = page.at("table").locator("thead th", has_text=_HOSTILE)
    expect(metric).to_have_count(0)
    page.choose("metrics", _HOSTILE)
    expect(metric).to_have_count(1)
    page.page.keyboard.press("Escape")
    charts = page.page.locator(".chart svg")
    expect(charts).to_have_count(1)
    page.choose("curves", _HOSTILE)
    page.page.keyboard.press("Escape")
    expect(charts).to_have_count(2)
    expect(page.page.locator(".chart .title", has_text=_HOSTILE)).to_have_count(1)
    page.says("examples", "640 examples seen")
    page.at("moment").locator("[tabindex]").first.press("ArrowLeft")
    page.says("examples", "320 examples seen")
    expect(page.page.locator(".grids img")).to_have_count(2)

    line = page.at("command").inner_text()
    assert main([*shlex.split(line)[1:], "--json", str(tmp_path / "y.json")]) == 0
    assert json.loads((tmp_path / "y.json").read_text()) == plain
    page.type("by", "fidd")
    page.refuses("did you mean fid")
    page.type("by", "kid")
    page.says("command", "--by kid")
    page.type("protocol", "features.name=pixels")
    page.click("rank")
    page.click("compare")
    page.says("command", "--protocol features.name=pixels --no-rank")
    page.type("runs", "nothing 'here")
    page.refuses("RUN=")
    page.check()
