"""The pages of all runs, of a GAN and of health in a real browser: every control once, no other host."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from ganvas.cli.main import main

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright, a browser's driver").expect
pytestmark = pytest.mark.slow


def saved(page: Any, name: str) -> bytes:
    """What a button hands to the browser as a file."""
    with page.page.expect_download() as download:
        page.click(name)
    return Path(download.value.path()).read_bytes()


def grid(page: Any) -> Any:
    return page.page.locator(".cells").first


def test_a_gan_makes_what_its_command_makes(page: Any, runs: Path, tmp_path: Path) -> None:
    page.open("gan", "Samples")
    page.says("command", "--num 36 --seed 1")
    page.choose("num", "16")
    page.says("command", "--num 16 --seed 1")
    page.click("next")
    page.click("next")
    page.says("command", "--seed 3")
    page.click("before")
    page.says("command", "--seed 2")
    page.type("seed", "7")
    page.says("command", "--seed 7")
    page.type("truncation", "0.5")
    page.says("command", "--truncation 0.5")
    page.choose("class", "3")
    page.says("command", "--label 3")
    page.click("raw")
    page.says("command", "--raw")
    line = page.at("command").inner_text()
    assert main([*shlex.split(line)[1:-1], str(tmp_path / "x.png")]) == 0
    with Image.open(tmp_path / "x.png") as written, Image.open(io.BytesIO(saved(page, "save-png"))) as page_s:
        assert numpy.array_equal(numpy.asarray(written), numpy.asarray(page_s))
    assert main([*shlex.split(line)[1:-1], str(tmp_path / "x.npz")]) == 0
    arrays, images = numpy.load(io.BytesIO(saved(page, "save-npz"))), numpy.load(tmp_path / "x.npz")
    assert numpy.array_equal(arrays["images"], images["images"])
    page.type("truncation", "-1")
    page.refuses("must be 0 or more")
    page.says("command", "--truncation 0.5")  # what is shown is what was made last
    page.check()


def test_two_samples_are_picked_and_what_lies_between(page: Any) -> None:
    page.open("gan", "Samples")
    page.says("command", "--num 36")
    expect(page.page.get_by_text("A: sample 0", exact=True)).to_be_visible()
    first, second = page.pixels("first"), page.pixels("second")
    box = grid(page).bounding_box()
    grid(page).click(position={"x": box["width"] * 0.25, "y": box["height"] * 0.1})
    expect(page.page.get_by_text("A: sample 1", exact=True)).to_be_visible()
    page.becomes("first", second)
    grid(page).press("ArrowDown")
    grid(page).press("ArrowRight")
    grid(page).press("Enter")
    expect(page.page.get_by_text("B: sample 8", exact=True)).to_be_visible()
    slider = page.at("slider")
    width = slider.bounding_box()["width"]
    slider.click(position={"x": 1, "y": 10})
    expect(page.page.get_by_text("0 % of the way", exact=True)).to_be_visible()
    page.becomes("between", page.pixels("first"))
    slider.click(position={"x": width - 1, "y": 10})
    expect(page.page.get_by_text("100 % of the way", exact=True)).to_be_visible()
    page.becomes("between", page.pixels("second"))
    assert not numpy.array_equal(first, page.pixels("second"))
    page.click("steps")
    expect(page.at("row")).to_be_visible()
    page.click("look")
    expect(page.at("near").locator("img")).to_have_count(5, timeout=20_000)
    far = [float(text.split()[0]) for text in page.at("near").locator("figcaption").all_inner_texts()]
    assert far == sorted(far)
    assert far[0] > 0
    page.check()


def test_all_runs_are_listed_and_found(page: Any, address: str, runs: Path, hostile: str) -> None:
    page.page.goto(f"{address}/")
    page.says("count", "8 runs")
    rows = page.at("runs").locator("tbody tr")
    expect(rows).to_have_count(8)
    named = page.page.get_by_text(hostile.replace("/", ""), exact=True)
    expect(named).to_have_count(1)
    expect(page.at("runs").locator("img.preview")).to_have_count(5)  # those that have samples
    page.type("filter", "autoregressive")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("raster")
    page.type("filter", "")
    page.page.get_by_role("columnheader", name="examples seen").click()
    expect(rows.first.locator("td").nth(4)).to_have_text("64")
    # One that comes while the page is open.
    (runs / "o" / "late").mkdir()
    try:
        for name in ("run.yaml", "status.json"):
            text = (runs / "gan" / name).read_text()
            (runs / "o" / "late" / name).write_text(text)
        page.says("count", "9 runs")
    finally:
        for one in (runs / "o" / "late").iterdir():
            one.unlink()
        (runs / "o" / "late").rmdir()
    page.says("count", "8 runs")
    page.choose("colours", "dark")
    expect(page.page.locator("body.body--dark")).to_have_count(1)
    page.check()


def test_health_says_what_was_found(page: Any, address: str, runs: Path) -> None:
    status = json.loads((runs / "gan" / "status.json").read_text())
    finding = {
        "name": "x", "examples": 320, "metric": "loss/generator", "threshold": 1.0, "value": 2.0,
        "says": "G <b>loses</b>", "try": "model.d_steps=1",
    }  # fmt: skip
    (runs / "gan" / "status.json").write_text(json.dumps({**status, "findings": [finding]}))
    page.open("raster", "Health")
    page.says("finding", "The run was not watched")
    try:
        page.open("gan", "Health")
        page.says("state", "finished at 640 examples seen")
        page.says("finding", "G <b>loses</b>")
        page.says("finding", "at 320 examples; try model.d_steps=1")
    finally:
        (runs / "gan" / "status.json").write_text(json.dumps(status))
    charts = page.page.locator(".chart svg")
    expect(page.page.locator(".chart .title", has_text="loss/generator")).to_have_count(1)
    before = charts.count()
    page.choose("curves", "loss/generator")  # which was among them
    page.page.keyboard.press("Escape")
    expect(charts).to_have_count(before - 1)
    page.check()


def test_what_is_no_run_of_the_page_is_refused(page: Any, address: str) -> None:
    for there in ("gan?run=/etc", "codes", "health?run=nothing", "prior?run=x"):
        page.page.goto(f"{address}/{there}")
        page.says("refused", "is none of the runs of this page")
    assert page.page.request.get(f"{address}/preview?run=/etc").status == 404
    page.check()
