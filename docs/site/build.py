"""Builds the documentation site, ``python docs/site/build.py [--out site]``; exit code 1: a link is broken.

Pages are those of docs/, CONTRIBUTING.md, CHANGELOG.md and README.md, and pages generated from conf/, the
commands and the docstrings. The built pages name no other host, and search works from file:// too.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))
import reference
from families import DOCS, ROOT, families, page, title_of

HERE = Path(__file__).parent
ABOVE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
# Attributes by which a browser loads something; links (<a href>) load nothing until they are followed.
LOADS = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|<link\b(?![^>]*rel=[\"']?(?:canonical|next|prev))[^>]*\bhref=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|(?:url\(|@import )[\"']?(?:https?:)?//[^\"')\s]+"
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "site")
    out = parser.parse_args(argv).out.resolve()
    with tempfile.TemporaryDirectory(prefix="ganvas-site-") as name:
        folder = Path(name)
        write_pages(folder / "docs")
        nav = navigation(folder / "docs")
        config = yaml.safe_load((HERE / "zensical.yml").read_text())
        config |= {"docs_dir": "docs", "site_dir": "site", "nav": nav}
        (folder / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False))
        command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "-f", "mkdocs.yml"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)
            print(said.partition("Traceback (most recent call last)")[0].strip(), file=sys.stderr)
            return 1
        bring_worker(folder / "site")
        foreign = requests_elsewhere(folder / "site")
        for line in foreign:
            print(line, file=sys.stderr)
        if foreign:
            return 1
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(folder / "site", out)
    print(f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages")
    return 0


def write_pages(folder: Path) -> None:
    """All pages in Markdown, generated ones too."""
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("site", "__pycache__", ".ipynb_checkpoints"))
    for path in folder.rglob("*.md"):
        text = re.sub(r"\]\((?:\.\./)+(README|CONTRIBUTING|CHANGELOG)\.md", _to_above, path.read_text())
        path.write_text(text.replace("](decisions/)", "](decisions/index.md)").replace("](docs/", "]("))
    for name, target in ABOVE.items():
        text = (ROOT / name).read_text().replace("](docs/decisions/)", "](decisions/index.md)")
        text = re.sub(r"\]\((?:docs/)", "](", text)
        text = re.sub(r"\]\((README|CONTRIBUTING|CHANGELOG)\.md", _to_above, text)
        (folder / target).write_text(
            text.replace("](LICENSE)", "](https://www.apache.org/licenses/LICENSE-2.0)")
        )
    for made in ("families", "reference"):
        (folder / made).mkdir()
    for name, family in families().items():
        (folder / "families" / f"{name}.md").write_text(page(family))
    (folder / "reference" / "commands.md").write_text(reference.commands())
    (folder / "reference" / "python.md").write_text(reference.python())
    rows = [f"- [{title_of(path)}]({path.name})" for path in sorted((DOCS / "decisions").glob("*.md"))]
    decisions = ["# Decisions", "Why things are as they are.", "\n".join(rows)]
    (folder / "decisions" / "index.md").write_text("\n\n".join(decisions) + "\n")
    for path in sorted((folder / "notebooks").glob("*.ipynb")):
        path.with_suffix(".md").write_text(from_notebook(path))


def _to_above(found: re.Match[str]) -> str:
    return f"]({ABOVE[found[1] + '.md']}"


def from_notebook(path: Path) -> str:
    """A notebook's cells as a page."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    parts.append(f"This page is the notebook [{path.name}]({path.name}).")
    return "\n\n".join(parts) + "\n"


def navigation(folder: Path) -> list[Any]:
    """The sections of nav.yml; pages that it does not name come below its section "How to".

    Raises:
        SystemExit: nav.yml names a page that is not there.
    """
    named = yaml.safe_load((HERE / "nav.yml").read_text())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}
    listed = [page for pages in named.values() for page in pages]
    gone = [page for page in listed if "*" not in page and page not in there]
    if gone:
        raise SystemExit(f"docs/site/nav.yml: {', '.join(gone)}: there is no such page")
    spread = {
        title: [one for word in pages for one in _spread(word, folder)] for title, pages in named.items()
    }
    known = {one for pages in spread.values() for one in pages}
    spread["How to"] += sorted(there - known)
    return [
        {title: [{title_of(folder / page): page} for page in pages]} if len(pages) > 1 else {title: pages[0]}
        for title, pages in spread.items()
    ]


def _spread(word: str, folder: Path) -> list[str]:
    return (
        sorted(path.relative_to(folder).as_posix() for path in folder.glob(word)) if "*" in word else [word]
    )


def bring_worker(site: Path) -> None:
    """The script by which search works from file:// is ours, in the place of one of another host."""
    shutil.copy(HERE / "local_worker.js", site / "assets" / "local_worker.js")
    for path in site.rglob("*.html"):
        up = "../" * (len(path.relative_to(site).parts) - 1)
        text = path.read_text(encoding="utf-8")
        ours = f'<script src="{up}assets/local_worker.js"'
        path.write_text(
            re.sub(r'<script src="https://unpkg.com/iframe-worker/shim"', ours, text), encoding="utf-8"
        )


def requests_elsewhere(site: Path) -> list[str]:
    """``page: what it loads``, of what a browser would load from another host."""
    return [
        f"{path.relative_to(site)}: {found}"
        for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")])
        for found in LOADS.findall(path.read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    sys.exit(main())
