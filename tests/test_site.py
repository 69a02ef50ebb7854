"""The documentation site: each option of conf/ is on a page, the build is strict, no other host is needed."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
OPTIONS = sorted(path.relative_to(CONF) for path in CONF.glob("*/**/*.yaml"))
PARTS = [path for path in OPTIONS if path.parts[0] in ("model", "metric") and len(path.parts) == 3]
HIDDEN = {"defaults", "_target_", "_partial_", "_shared_", "_convert_", "_recursive_"}


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[ModuleType, dict[str, str]]]:
    """The generator, and each family's page."""
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    try:
        import families

        yield families, {name: families.page(family) for name, family in families.families().items()}
    finally:
        sys.path.remove(str(ROOT / "docs" / "site"))


def keys(tree: Any, path: str = "") -> Iterator[str]:
    """Keys that hold values, by their path."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if key in HIDDEN:
            continue
        if isinstance(value, dict) and value:
            yield from keys(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_every_option_is_on_a_page_with_all_its_keys(pages: tuple[ModuleType, dict[str, str]]) -> None:
    text = "\n".join(pages[1].values())
    for path in OPTIONS:
        anchor = f"{path.parent.as_posix()}-{path.stem}".replace("/", "-").replace("_", "-")
        found = re.findall(rf"^### {path.stem} {{#{anchor}}}\n(.*?)(?=^##+ |\Z)", text, re.M | re.S)
        assert len(found) == 1, f"{path} stands {len(found)} times in the pages of options"
        rows = set(re.findall(r"^\| `([^`]+)` \|", found[0], re.MULTILINE))
        assert rows == set(keys(yaml.safe_load((CONF / path).read_text()))), path


@pytest.mark.parametrize("group", sorted({path.parent.as_posix() for path in PARTS}))
def test_every_part_says_when_to_use_it(group: str) -> None:
    settings = ("model/schedules", "metric/samples/all", "metric/samples/default", "model/regularizer/none")
    for path in PARTS:
        name = path.with_suffix("").as_posix()
        if path.parent.as_posix() == group and not name.startswith(settings):
            assert "\n# Use: " in (CONF / path).read_text(), f"{path}: add a line '# Use: when to use it'"


def test_a_part_has_source_formula_default_and_measured_figures(
    pages: tuple[ModuleType, dict[str, str]],
) -> None:
    fsq = pages[1]["quantizers"].partition("### fsq")[2].partition("\n### ")[0]
    assert "[arXiv:2309.15505](https://arxiv.org/abs/2309.15505)" in fsq
    assert "```text\nrounded    b = h tanh(z + s) - o" in fsq
    assert "| `margin` | `0.001` |" in fsq
    assert "**When to use it:**" in fsq
    row = next(
        line for line in (ROOT / "docs" / "vqvae.md").read_text().splitlines() if "| `fsq` | 20.87" in line
    )
    for figure in row.strip("| ").split(" | ")[1:]:
        assert figure in fsq
    assert "&lt;w, features&gt;" in pages[1]["heads"], "a formula is no HTML"
    penalty = pages[1]["penalties"].partition("### r1 {")[2].partition("\n### ")[0]
    assert "- `gamma`: " in penalty, "arguments that a docstring leaves to its base are told"


def test_the_readme_is_short_and_the_pages_have_its_figures() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    measured = (ROOT / "docs" / "measured.md").read_text()
    for figure in ("1.92 ± 0.54", "24.23 dB", "21.68 ± 0.29", "85.54", "DCGAN 1.013 [1.007, 1.019]", "9,234"):
        assert figure in measured


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the site is built of, to be changed."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("src", "conf"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def build(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "docs" / "site" / "build.py"), "--out", str(tree / "site")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@functools.cache
def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.slow
@pytest.mark.real_processes
def test_the_site_is_built_with_a_page_that_no_navigation_names(tree: Path) -> None:
    pytest.importorskip("zensical", reason="needs the extra ganvas[docs]")
    (tree / "docs" / "brand_new.md").write_text("# Something brand new\n\nWords, [Home](../README.md).\n")
    done = build(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    site = tree / "site"
    new = (site / "brand_new.html").read_text()
    home = (site / "index.html").read_text()
    assert "Something brand new" in new
    assert "index.html" in new
    assert ">How to<" in re.sub(r"\s+", "", home).replace("Howto", "How to")
    assert "brand_new.html" in (site / "vqvae.html").read_text(), "it is in the navigation of How to"
    commands = (site / "reference" / "commands.html").read_text()
    for text in ("ganvas sweep retry --help", "ganvas evaluate --help", "--scale"):
        assert text in commands
    assert "ganvas.evaluate" in (site / "reference" / "python.html").read_text()
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"?(//|https?:)[^>]*>", path.read_text()
        )
        assert not loaded, path
    if chromium() is None:
        pytest.skip("built; there is no Chromium to search it from file://")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="built; no Playwright to search it from file://"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        faults: list[object] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(error))
        page.goto(f"file://{site}/index.html")
        found = page.get_by_role("option", name=re.compile("Something brand new")).first
        for _ in range(10):  # until the page's scripts are there to hear it
            page.keyboard.press("/")
            page.wait_for_timeout(500)
            page.keyboard.type("brand new")
            try:
                found.wait_for(timeout=3_000)
                break
            except sync_api.TimeoutError:
                page.reload()
        assert found.is_visible()
        browser.close()
    assert not faults
    assert all(url.startswith(("file:", "data:", "about:", "blob:")) for url in asked), asked


@pytest.mark.slow
@pytest.mark.real_processes
@pytest.mark.parametrize(
    ("page", "text", "said"),
    [
        ("vqvae.md", "\n[gone](gone_page.md), [gone too](gan.md#no-such-heading)\n", "no-such-heading"),
        ("vqvae.md", "\n![picture](https://example.org/picture.png)\n", "https://example.org/picture.png"),
        ("site/nav.yml", "More: [gone_page.md]\n", "docs/site/nav.yml: gone_page.md: there is no such page"),
        ("untitled.md", "Words.\n", "docs/untitled.md: has no title; begin the page with '# Title'"),
    ],
)
def test_what_is_broken_fails_the_build_by_its_name(tree: Path, page: str, text: str, said: str) -> None:
    pytest.importorskip("zensical", reason="needs the extra ganvas[docs]")
    path = tree / "docs" / page
    path.write_text((path.read_text() if path.exists() else "") + text)
    done = build(tree)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
    assert not (tree / "site").exists()
