"""The pages of codes, priors and comparisons in a real browser: every control once, no other host."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from ganvas.cli.main import main

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright, a browser's driver").expect
pytestmark = pytest.mark.slow


def test_codes_are_picked_painted_swapped_and_undone(page: Any) -> None:
    page.open("grid", "Codes")
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


def test_images_come_from_any_split_or_from_a_file(page: Any, hostile: str) -> None:
    page.open("grid", "Codes")
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
    upload.set_input_files({"name": f"{hostile}.png", "mimeType": "image/png", "buffer": b"<script>"})
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


def test_a_prior_draws_what_its_commands_draw(page: Any, tmp_path: Path) -> None:
    page.open("masked", "Prior")
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


def test_a_raster_prior_is_given_first_codes_alone(page: Any) -> None:
    page.open("raster", "Prior")
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
    page: Any, address: str, runs: Path, tmp_path: Path, hostile: str
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

    metric = page.at("table").locator("thead th", has_text=hostile)
    expect(metric).to_have_count(0)
    page.choose("metrics", hostile)
    expect(metric).to_have_count(1)
    page.page.keyboard.press("Escape")
    charts = page.page.locator(".chart svg")
    expect(charts).to_have_count(1)
    page.choose("curves", hostile)
    page.page.keyboard.press("Escape")
    expect(charts).to_have_count(2)
    expect(page.page.locator(".chart .title", has_text=hostile)).to_have_count(1)
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
    page.refuses("RUN=nothing")
    page.check()


def test_what_is_typed_while_the_server_sleeps_is_done_when_it_wakes(page: Any, address: Any) -> None:
    page.page.goto(f"{address}/compare")
    page.refuses("have no")  # what the page says of all runs: it is connected
    os.kill(address.process, signal.SIGSTOP)
    try:
        page.type("runs", "nothing here")
        page.page.wait_for_timeout(14_000)  # longer than a page was kept once
    finally:
        os.kill(address.process, signal.SIGCONT)
    page.refuses("RUN=nothing")
    page.check()
