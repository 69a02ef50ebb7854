from __future__ import annotations

import base64
import io
import re
import wave
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from forged_runs import changed, forge, png

from ganvas.compare.rows import read_metrics
from ganvas.compare.sets import compare
from ganvas.compare.show.page import page
from ganvas.run.folder.run_folder import RunFolder

_EMPTY = {"meta", "img"}


class Page(HTMLParser):
    """Tags, attributes and texts; an end without a beginning fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in (*_EMPTY, "br", "wbr"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


def made(folders: list[Path], **options: Any) -> Page:
    return Page(page(*compare([read_metrics(RunFolder(folder)) for folder in folders], **options)))


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two seeds of one variant and one of another, with samples and curves."""
    found = []
    for name, seed, lr, fid in (("a1", 1, 0.1, 3.0), ("a2", 2, 0.1, 4.0), ("b", 1, 0.2, 9.0)):
        curves = [{"examples": i, "loss/generator": fid + i} for i in range(1, 50)]
        folder = forge(
            tmp_path / name, seed=seed, fid=fid, curves=curves, changes={"model.generator_optimizer.lr": lr}
        )
        (folder / "samples").mkdir()
        (folder / "samples" / "000000000640.png").write_bytes(png(8, 6))
        found.append(folder)
    return found


def test_a_page_holds_table_samples_curves_and_protocol(folders: list[Path]) -> None:
    shown = made(folders)
    text = "".join(shown.texts)
    assert "2 variants, 3 runs, ranked by fid, lower is better" in text
    assert "3.5 ± 6.4" in text
    assert [(one["width"], one["alt"]) for one in shown.named("img")] == [
        ("360", "samples of model.generator_optimizer.lr=0.1"),  # 45 times 8 pixels
        ("360", "samples of model.generator_optimizer.lr=0.2"),
    ]
    (chart,) = (one for one in shown.named("svg") if one.get("role") == "img")
    assert chart["aria-label"] == "loss/generator against examples seen"
    assert text.count("model.generator_optimizer.lr=0.1") >= 4  # table, image, legend, runs
    for key in ("features.name", "pixels", "num_samples", "2000"):
        assert key in text


def test_a_page_needs_nothing_beside_itself(folders: list[Path]) -> None:
    shown = made(folders)
    assert not shown.named("script")
    assert not shown.named("link")
    assert not shown.named("iframe")
    for _, attributes in shown.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "style", "srcset"):
                assert value.startswith("data:image/png;base64,")
    policy = shown.named("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in "".join(shown.texts)
    assert not re.search(r"url\(|@import|https?:", "".join(shown.texts))


_HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_what_runs_say_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    evil = forge(
        tmp_path / "<script>alert(1)<",
        metrics={"fid": 1.0, _HOSTILE: 2.0},
        protocol=changed(split=_HOSTILE),
        changes={"seed": _HOSTILE, "model.x": _HOSTILE, _HOSTILE: 1, "data": {_HOSTILE: _HOSTILE}},
        choices={"model": _HOSTILE, "data": "\u202e\x1b[2J"},
        curves=[{"examples": 1, f"loss/{_HOSTILE}": 1.0}],
        status={"state": _HOSTILE},
    )
    (evil / "samples").mkdir()
    (evil / "samples" / "<img src=x>.png").write_bytes(b"<script>alert(3)</script>")
    other = forge(tmp_path / "b", fid=2.0, protocol=changed(split=_HOSTILE))
    shown = made([evil, other])
    names = {name for name, _ in shown.tags}
    assert names.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for _, attributes in shown.tags for name in attributes)
    text = "".join(shown.texts)
    assert "<script>alert(1)</script>" in text  # as letters
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "is no whole PNG and is left out" in text


def test_sounds_are_played_and_texts_are_text(folders: list[Path]) -> None:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"\1\2" * 400)
    (folders[0] / "samples" / "000000000640.wav").write_bytes(sound.getvalue())
    (folders[2] / "samples" / "000000000640.txt").write_text(f"--- 0\n{_HOSTILE}\u202e\n")
    shown = made(folders)
    (played,) = shown.named("audio")
    assert "controls" in played
    assert played["src"] == f"data:audio/wav;base64,{base64.b64encode(sound.getvalue()).decode()}"
    assert len(shown.named("img")) == 1, "a text stands for the picture of it"
    assert len(shown.named("pre")) == 1
    assert f"--- 0\n{_HOSTILE}?\n" in "".join(shown.texts)
    assert not shown.named("script")
    policy = dict(one.split(" ", 1) for one in shown.named("meta")[1]["content"].split("; "))
    assert policy == {
        "default-src": "'none'", "img-src": "data:", "media-src": "data:", "style-src": "'unsafe-inline'",
    }  # fmt: skip


def test_images_in_all_have_a_limit(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.compare.show.page._MOST_IMAGES", 150)
    shown = made(folders)
    assert len(shown.named("img")) == 1
    assert "images are too many" in "".join(shown.texts)


def test_curves_of_all_tables_have_a_limit(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.compare.show.page._MOST_CURVES", 3)
    rows = [{"examples": i, "loss/total": i} for i in range(1, 50)]
    other = forge(folders[0].parent / "v", metrics={"psnr": 9.0}, curves=rows, choices={"model": "vqvae"})
    shown = made([*folders, other])
    assert len(shown.named("g")) == 2  # the mean of a1 and a2, and b
    bands = [one for one in shown.named("path") if "band" in (one.get("class") or "")]
    assert len(bands) == 1
    assert "Curves are those of the page's first 3 runs." in "".join(shown.texts)


def test_a_page_without_ranks_samples_or_curves(tmp_path: Path) -> None:
    folders = [forge(tmp_path / "a"), forge(tmp_path / "b", protocol=changed(split="val"))]
    text = "".join(made(folders, rank=False).texts)
    assert "side by side, not ranked: fid" in text
    assert "no samples" in text
    assert "Curves" not in text
    assert "val" in text


def test_broken_curves_are_said(folders: list[Path]) -> None:
    (folders[0] / "metrics.jsonl").write_text("{\n")
    assert "1 lines of metrics.jsonl are not JSON" in "".join(made(folders).texts)


def test_small_grids_are_enlarged_by_whole_factors_and_stay_sharp(tmp_path: Path) -> None:
    """A browser that fits 530 pixels into 360 blurs every pixel of an 8-pixel digit."""
    folders = []
    for name, width, height in (("a", 100, 60), ("b", 530, 266), ("c", 2000, 1000)):
        folder = forge(tmp_path / name, changes={"model.x": name})
        (folder / "samples").mkdir()
        (folder / "samples" / "1.png").write_bytes(png(width, height))
        folders.append(folder)
    shown = made(folders)
    sizes = [(one["width"], one["height"], one.get("class")) for one in shown.named("img")]
    assert sizes == [("300", "180", None), ("530", "266", None), ("2000", "1000", "large")]
    style = "".join(shown.texts)
    assert "image-rendering: pixelated" in style
    assert "max-width: 100%" not in style  # which would shrink by any factor


def test_labels_break_between_words_alone(folders: list[Path]) -> None:
    text = page(*compare([read_metrics(RunFolder(folder)) for folder in folders]))
    assert "model.<wbr>generator_optimizer.<wbr>lr=0.2" in text
    assert "anywhere" not in text
    assert "break-word" not in text


def test_what_was_recorded_once_is_a_number(tmp_path: Path) -> None:
    folders = []
    for name, fid in (("a", 3.25), ("b", 4.5)):
        rows = [{"examples": i, "loss/generator": 1.0 / i} for i in (64, 128)]
        rows.append({"examples": 128, "evaluation/fid": fid, "validation/psnr": 20.125})
        folders.append(forge(tmp_path / name, curves=rows, changes={"model.x": name}))
    shown = made(folders)
    charts = [one["aria-label"] for one in shown.named("svg") if one.get("role") == "img"]
    assert charts == ["loss/generator against examples seen"]
    text = "|".join(shown.texts)
    assert "Recorded once" in text
    assert "|evaluation/fid|validation/psnr|" in text.replace("\n", "")
    for number in ("3.25", "4.5", "20.125", "128"):
        assert f"|{number}|" in text


def test_a_tag_of_one_point_in_one_run_and_more_in_another_is_a_chart(tmp_path: Path) -> None:
    rows = [{"examples": i, "evaluation/fid": 1.0} for i in (64, 128)]
    folders = [
        forge(tmp_path / "a", curves=rows[:1], changes={"model.x": 1}),
        forge(tmp_path / "b", curves=rows, changes={"model.x": 2}),
    ]
    shown = made(folders)
    assert [one["aria-label"] for one in shown.named("svg") if one.get("role") == "img"] == [
        "evaluation/fid against examples seen"
    ]
    assert "Recorded once" not in "".join(shown.texts)


def test_unlike_runs_are_sections_of_one_page(tmp_path: Path) -> None:
    folders = [
        forge(tmp_path / "g1"),
        forge(tmp_path / "v1", metrics={"psnr": 20.0}, choices={"model": "vqvae"}),
        forge(tmp_path / "g2", changes={"model.x": 2}),
        forge(tmp_path / "none", rows=[]),
    ]
    shown = made(folders, rank=False)
    text = "".join(shown.texts)
    assert "3 tables, one for each set of runs that share metrics" in text
    assert len(shown.named("section")) == 3
    for title in ("2 variants, 2 runs, side by side, not ranked: fid", "1 run without metrics"):
        assert title in text
