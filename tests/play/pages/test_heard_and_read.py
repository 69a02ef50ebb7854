"""The pages of sounds and texts in a real browser: sounds are played, texts are text, no other host."""

from __future__ import annotations

import base64
import io
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from heard_and_read import CLIP, LETTERS, RATE, SCRIPT

from ganvas.cli.main import main

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright, a browser's driver").expect
pytestmark = pytest.mark.slow


def plays(sound: Any, seconds: float = CLIP / RATE) -> None:
    """Waits until a sound can be played from its beginning to its end."""
    expect(sound).to_be_visible(timeout=20_000)
    for _ in range(50):
        ready, duration = sound.evaluate("one => [one.readyState, one.duration]")
        if ready > 0 and abs(duration - seconds) < 0.002:
            return
        sound.page.wait_for_timeout(100)
    raise AssertionError((ready, duration))


def has_no_script(page: Any) -> None:
    """What looks like one was not obeyed, and is none of the page's elements."""
    found = page.page.locator("script").evaluate_all("all => all.map(one => one.textContent)")
    assert not [text for text in found if "owned" in text and len(text) < 200]
    assert page.page.title() != "owned"


def test_a_sound_s_codes_are_painted_swapped_and_heard(other: Any) -> None:
    other.open("codec", "Codes")
    for side in "ab":
        other.says(f"told-{side}", re.compile(r"SI-SDR .* dB.*log mel distance .* dB.*codes as encoded"))
        for name in ("original", "decoded", "error"):
            plays(other.at(f"{name}-{side}-sound"))
            assert other.pixels(f"{name}-{side}").shape == (160, 256)
    other.says("told-a", "96 bits  \u00b7  0.48 kilobits per second")
    plays(other.at("everywhere-sound"))
    assert other.pixels("levels-a").shape == (2, 16, 3)
    before = other.pixels("decoded-a")
    heard = other.at("decoded-a-sound").get_attribute("src")
    other.cell("codes-a", 0, 3, 1, 16)
    expect(other.page.get_by_text(re.compile(r"place 4: code \d"))).to_be_visible()
    code = int(other.page.get_by_text(re.compile(r"place 4: code \d")).inner_text()[-1])
    other.type("code", str((code + 1) % 8))
    other.cell("codes-a", 0, 3, 1, 16)
    other.says("told-a", "1 code changed")
    other.becomes("decoded-a", before, equal=False)
    assert other.at("decoded-a-sound").get_attribute("src") != heard
    other.at("codes-a").press("u")
    other.says("told-a", "codes as encoded")
    other.becomes("decoded-a", before)
    second = other.pixels("decoded-b")
    other.click("swap-all")
    other.becomes("decoded-a", second)
    other.choose("cut", "the first 1 of 2")
    other.says("told-a", "48 bits  \u00b7  0.24 kilobits per second")
    other.at("codes-a").press("r")
    other.cell("codes-a", 0, 2, 1, 16)
    other.cell("codes-a", 0, 6, 1, 16)
    other.says("region", "Region: places 3 to 7 of the codes shown.")
    other.check()


def test_a_sound_of_one_s_own_is_taken_or_refused(other: Any, hostile: str) -> None:
    other.open("codec", "Codes")
    other.says("told-b", "codes as encoded")
    file = io.BytesIO()
    soundfile.write(file, np.linspace(-0.5, 0.5, 800, dtype=np.float32), RATE, format="FLAC")
    upload = other.at("upload-a").locator("input[type=file]")
    upload.set_input_files({"name": "<b>.flac", "mimeType": "audio/flac", "buffer": file.getvalue()})
    expect(other.page.get_by_text("your sound", exact=True)).to_be_visible()
    plays(other.at("original-a-sound"), 0.1)
    plays(other.at("decoded-a-sound"), 0.1)
    upload.set_input_files({"name": f"{hostile}.wav", "mimeType": "audio/wav", "buffer": b"<script>"})
    other.refuses("no sound of a kind that can be read")
    upload.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"x"})
    other.refuses("must be a sound (.wav, .flac")
    other.type("number-b", "99")
    other.refuses("the test split holds 2 sounds; take one from 0 to 1")
    other.check()


def test_a_prior_s_sounds_are_those_of_its_command(other: Any, tmp_path: Path) -> None:
    other.open("speech", "Prior")
    sounds = other.at("samples").locator("audio")
    expect(sounds).to_have_count(6, timeout=20_000)
    other.says("samples-told", "6 samples: step 32 of 32")
    plays(sounds.last)
    other.type("num", "2")
    other.type("seed", "7")
    other.click("draw")
    expect(sounds).to_have_count(2, timeout=20_000)
    other.says("samples-told", "2 samples: step 32 of 32")
    line = shlex.split(other.at("command").inner_text())
    assert line[-1] == "samples.wav"
    assert main([*line[1:-1], str(tmp_path / "x.npz")]) == 0
    expected = np.load(tmp_path / "x.npz")["sounds"]
    for number, row in enumerate(expected):
        source = sounds.nth(number).get_attribute("src")
        content = io.BytesIO(base64.b64decode(source.partition("base64,")[2]))
        heard, rate = soundfile.read(content, dtype="int16", always_2d=True)
        assert rate == RATE
        assert np.abs(heard.T.astype(int) - row).max() <= 1  # the page's full scale is 32767
    for name in ("original", "decoded", "masked"):
        plays(other.at(f"{name}-sound"))
    expect(other.page.get_by_text("16 of 32 codes given")).to_be_visible()
    other.cell("mask", 0, 11, 1, 16)
    expect(other.page.get_by_text("24 of 32 codes given")).to_be_visible()
    other.click("half-first")
    other.type("completions", "2")
    other.click("complete")
    other.says("completed-told", "2 completions: step 32 of 32")
    expect(other.at("completed").locator("audio")).to_have_count(2)
    plays(other.at("completed").locator("audio").first)
    line = "--given first --completions 2 --seed 7 --out completions.wav   # its last row"
    other.says("complete-command", line)
    other.check()


def test_texts_of_a_vqvae_are_text(other: Any) -> None:
    other.open("phrases", "Codes")
    other.says("original-a-text", "<script>")
    told = re.compile(r"accuracy .*128 bits.*bits that the decoder leaves.*in all .* bits per byte")
    other.says("told-a", told)
    expect(
        other.page.get_by_text(re.compile(r"of 64 symbols are wrong; \u00b7 is right")).first
    ).to_be_visible()
    assert len(other.at("decoded-a-text").inner_text()) >= 16
    upload = other.at("upload-b").locator("input[type=file]")
    upload.set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": SCRIPT.encode()})
    other.says("original-b-text", SCRIPT)
    expect(other.page.get_by_text("your text", exact=True)).to_be_visible()
    other.click("swap-all")
    other.says("told-b", re.compile("changed|as encoded"))
    has_no_script(other)
    other.check()


def test_bytes_are_drawn_as_text_and_go_on_from_what_is_typed(other: Any, tmp_path: Path) -> None:
    other.open("bytes", "Prior")
    other.says("samples-told", f"6 samples: step {LETTERS} of {LETTERS}")
    expect(other.page.get_by_role("link", name="Codes", exact=True)).to_have_count(0)
    texts = other.at("samples").locator("pre")
    expect(texts).to_have_count(6)
    line = shlex.split(other.at("command").inner_text())
    assert main([*line[1:-1], str(tmp_path / line[-1])]) == 0
    written = (tmp_path / "samples.txt").read_text()
    shown = texts.evaluate_all("all => all.map(one => one.textContent)")
    assert written == "".join(f"--- {number}\n{text}\n" for number, text in enumerate(shown))

    other.click("slow")
    other.at("typed").fill(SCRIPT)
    other.click("take-typed")
    expect(other.page.get_by_text(f"{len(SCRIPT)} of {LETTERS} codes given")).to_be_visible()
    other.says("masked-text", SCRIPT + "\u2592" * (LETTERS - len(SCRIPT)))
    other.type("completions", "3")
    other.click("complete")
    filling = re.compile(rf"step \d+ of {LETTERS}, \d+ codes to come")
    other.says("completed-told", filling)
    expect(other.at("completed").locator("pre").first).to_contain_text("\u2592")
    other.click("slow")
    other.click("complete")
    other.says("completed-told", f"3 completions: step {LETTERS} of {LETTERS}")
    for text in other.at("completed").locator("pre").all():
        assert text.inner_text().startswith(SCRIPT)
    line = shlex.split(other.at("complete-command").inner_text())
    assert main([*line[1:-1], str(tmp_path / line[-1])]) == 0
    parts = (tmp_path / "completions.txt").read_text().split("--- beginning, ")
    shown = other.at("completed").locator("pre").evaluate_all("all => all.map(one => one.textContent)")
    assert parts[2:] == [f"completion {number}\n{text}\n" for number, text in enumerate(shown)]
    other.at("typed").fill("")
    other.click("take-typed")
    other.refuses("is empty; type one")
    has_no_script(other)
    other.check()


def test_texts_are_drawn_from_codes(other: Any) -> None:
    other.open("written", "Prior")
    other.says("samples-told", "6 samples: step 32 of 32")
    other.at("typed").fill("the cat sat")
    other.click("take-typed")
    expect(other.page.get_by_text("5 of 32 codes given")).to_be_visible()
    other.click("complete")
    other.says("completed-told", "5 completions: step 32 of 32")
    expect(other.at("completed").locator("pre")).to_have_count(5)
    has_no_script(other)
    other.check()


def test_a_comparison_plays_sounds_and_shows_texts(
    other: Any, other_address: str, heard_and_read: Path, tmp_path: Path
) -> None:
    runs = [str(heard_and_read / name) for name in ("codec", "phrases")]
    other.page.goto(f"{other_address}/compare")
    other.at("runs").fill(" ".join(runs))
    other.click("rank")
    other.click("compare")
    other.says("command", "--no-rank")
    sound, text = other.at("sound"), other.at("text")
    expect(sound).to_have_count(1)  # all runs were compared before
    plays(sound, 4 * (CLIP / RATE + 0.25))  # two pairs, and silence behind each
    expect(text).to_contain_text("--- 0, original")
    expect(text).to_contain_text("<script>")
    has_no_script(other)

    assert main(["compare", *runs, "--no-rank", "--html", str(tmp_path / "x.html")]) == 0
    other.page.goto(f"file://{tmp_path}/x.html")
    other.wrong.clear()  # that is no page of the server
    plays(other.page.locator("audio"), 4 * (CLIP / RATE + 0.25))
    expect(other.page.locator("pre")).to_contain_text("<script>")
    assert other.page.locator("script").count() == 0
    other.check()
