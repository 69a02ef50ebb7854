"""Pages of the config groups: headers and keys of the YAMLs, docstrings of the classes, measured rows.

Nothing is imported of the classes: their docstrings are read off the syntax trees.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ganvas.cli.compose.describe import Described, defaults_of, described, file_of, groups, places, shown

ROOT = Path(__file__).parents[2]
DOCS, SOURCE = ROOT / "docs", ROOT / "src"
LABELS = "Source|Command|Cost|Result|Use"  # words with which a paragraph of a YAML's header may begin
SPELLED = {"Use": "When to use it"}


@dataclass(frozen=True)
class Family:
    """A page of some config groups.

    Attributes:
        column: head of the first column of those tables of measured figures, in docs/*.md, whose rows are
            options of these groups.
        more: pages that say more.
    """

    title: str
    groups: tuple[str, ...]
    column: str = ""
    more: tuple[str, ...] = ()


FAMILIES = {
    "models": Family("Models", ("model",), more=("gan.md", "vqvae.md", "second_stage.md")),
    "losses": Family("Adversarial losses", ("model/adversarial_loss",), "loss", ("gan.md",)),
    "penalties": Family("Gradient penalties", ("model/gradient_penalty",), "penalty", ("gan.md",)),
    "regularizers": Family("Regularizers", ("model/regularizer",), "regularizer", ("gan.md",)),
    "networks": Family(
        "GAN networks", ("model/generator", "model/discriminator", "model/network"), "network", ("gan.md",)
    ),
    "heads": Family("Heads", ("model/head",), "head", ("gan.md",)),
    "augmentations": Family("Augmentations", ("model/augment",), "augmentation", ("gan.md", "small_data.md")),
    "schedules": Family(
        "Schedules, optimizers, averages",
        ("model/schedule", "model/schedules", "model/optimizer", "model/ema"),
        more=("gan.md",),
    ),
    "quantizers": Family("Quantizers", ("model/quantizer",), "quantizer", ("vqvae.md", "quantizers.md")),
    "autoencoders": Family("Encoders and decoders", ("model/encoder", "model/decoder"), more=("vqvae.md",)),
    "reconstruction_losses": Family(
        "Reconstruction losses", ("model/reconstruction_loss",), "reconstruction loss", ("vqvae.md",)
    ),
    "priors": Family("Priors", ("model/prior",), "prior", ("second_stage.md", "files_of_codes.md")),
    "metrics": Family(
        "Metrics and features",
        ("metric/samples", "metric/features", "metric/perceptual"),
        "metric",
        ("judging.md",),
    ),
    "data": Family("Data", ("data",), more=("data_sets.md", "own_images.md", "sound.md", "small_data.md")),
    "callbacks": Family("Callbacks", ("callback",), more=("health.md", "run_folder.md")),
    "running": Family(
        "Trainer, accelerators, loggers, launchers",
        ("trainer", "accelerator", "logger", "debug", "hydra/launcher", "hydra/sweeper"),
        more=("distributed.md", "clusters.md", "search.md"),
    ),
    "experiments": Family("Experiments", ("experiment", "pipeline"), more=("measured.md", "pipelines.md")),
}


def families() -> dict[str, Family]:
    """All pages; a group that none of them names comes onto one more, so that no option is left out."""
    told = {group for family in FAMILIES.values() for group in family.groups}
    rest = tuple(group for group in groups() if group not in told)
    studies = tuple(group for group in rest if group.startswith("experiment/"))
    others = tuple(group for group in rest if group not in studies)
    made = dict(FAMILIES)
    found = made["experiments"]
    made["experiments"] = Family(found.title, (*found.groups, *studies), found.column, found.more)
    return made | ({"others": Family("Other groups", others)} if others else {})


def options_of(group: str) -> list[str]:
    """Names of a group's options; of ``pipeline``, which is no group of an experiment, the pipelines."""
    if group == "pipeline":
        return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))
    return groups()[group]


def page(family: Family) -> str:
    """The Markdown of a family's page."""
    parts = [f"# {family.title}"]
    if family.more:
        links = ", ".join(f"[{title_of(DOCS / name)}](../{name})" for name in family.more)
        parts.append(f"More: {links}.")
    for group in family.groups:
        names = options_of(group)
        where = places(group)
        parts.append(f"## {group}")
        place = [f"`{group}@{one}=...`" for one in where if one != group.replace("/", ".")]
        chosen = f"{place[0]} and so on" if len(place) > 2 else " or ".join(place) or f"`{group}=...`"
        chosen = f"`ganvas {group} NAME`" if group == "pipeline" else chosen
        parts.append(
            f"Chosen by {chosen}. " + ", ".join(f"[`{name}`](#{anchor(group, name)})" for name in names)
        )
        for name in names:
            parts += option(group, name, where[0], family.column)
    return "\n\n".join(parts) + "\n"


def anchor(group: str, name: str) -> str:
    return f"{group}-{name}".replace("/", "-").replace("_", "-")


def option(group: str, name: str, place: str, column: str) -> Iterator[str]:
    """An option's paragraphs: header, docstring, keys, arguments, measured rows."""
    path = file_of(group, name)
    assert path is not None, f"{group}={name}: no such file"
    yield f"### {name} {{#{anchor(group, name)}}}"
    header = header_of(path)
    yield from labelled(header)
    targets = [target for target in targets_of(path) if target.startswith("ganvas.")]
    sections: list[tuple[str, str]] = []
    for target in targets[:1]:
        text = docstring(target)
        body, sections = split(text)
        yield markdown(body)
    parts = [entry for entry in defaults_of(path) if entry != "_self_"]
    if parts and not group.startswith("experiment"):
        yield "Made of: " + ", ".join(f"`{said}`" for entry in parts if (said := said_of(entry))) + "."
    rows = described(path)
    is_global = "@package _global_" in path.read_text(encoding="utf-8")
    if rows:
        yield table(rows, "" if is_global or group == "pipeline" else place)
    if targets:
        yield f"In Python: `{targets[0]}`."
    for label, text in sections:
        yield f'??? note "{label}"\n\n' + indented(arguments(text))
    yield from measured(name, column)


def header_of(path: Path) -> list[str]:
    """Lines of the comment at the file's top."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line.removeprefix("#").strip())
    return lines


def labelled(lines: list[str]) -> Iterator[str]:
    """Paragraphs of a header: a line that opens with a word and a colon (Source:, Use:) begins one."""
    paragraphs: list[list[str]] = []
    for line in lines:
        if not paragraphs or re.match(rf"(?:{LABELS}): ", line):
            paragraphs.append([])
        paragraphs[-1].append(line)
    for paragraph in paragraphs:
        text = escape(" ".join(paragraph))
        yield re.sub(rf"^({LABELS}): ", lambda found: f"**{SPELLED.get(found[1], found[1])}:** ", text)


def targets_of(path: Path) -> list[str]:
    """What a YAML builds, the outermost first."""
    found: list[str] = []

    def walk(tree: Any) -> None:
        if isinstance(tree, dict):
            if isinstance(tree.get("_target_"), str):
                found.append(tree["_target_"])
            for value in tree.values():
                walk(value)

    walk(yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((SOURCE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def docstring(target: str) -> str:
    """Of a class or function by its import path; where it says "Args: see :class:`other`", with other's."""
    module, _, name = target.rpartition(".")
    for node in tree_of(module).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node) or ""
            found = re.search(r"^Args: see :class:`([\w.]+)`\.?", text, re.MULTILINE)
            if found is None:
                return text
            _, sections = split(docstring(found[1]))
            more = "\n\n".join(f"{label}:\n{indented(body)}" for label, body in sections)
            return text.replace(found[0], more)
    raise LookupError(f"{target}: there is no such class or function")


def split(text: str) -> tuple[str, list[tuple[str, str]]]:
    """What a docstring says, and its sections Args, Attributes, Returns, Raises."""
    pieces = re.split(r"^(Args|Attributes|Returns|Raises|Yields):\n", text, flags=re.MULTILINE)
    sections = [(label, dedented(body)) for label, body in zip(pieces[1::2], pieces[2::2])]
    return pieces[0].strip("\n"), sections


def dedented(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def markdown(text: str) -> str:
    """A docstring as Markdown: an indented block is a formula or code, and is kept as it stands."""
    made: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if all(line.startswith("    ") for line in lines):
            made.append("\n".join(["```text", *(line.removeprefix("    ") for line in lines), "```"]))
        else:
            made.append(escape("\n".join(lines)))
    return "\n\n".join(made)


def arguments(text: str) -> str:
    """``name: what it is`` as a list."""
    items: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and items:
            items[-1] += f" {line.strip()}"
        elif line.strip():
            items.append(line.strip())
    made = []
    for item in items:
        found = re.match(r"([\w, *.]+): (.*)", item)
        made.append(f"- `{found[1]}`: {escape(found[2])}" if found else f"- {escape(item)}")
    return "\n".join(made)


def escape(text: str) -> str:
    """Plain text as Markdown; what stands in backticks stays code, papers become links."""
    text = re.sub(r":\w+:`~?\.?([\w.]+)`", r"`\1`", text).replace("``", "`")
    pieces = re.split(r"(`[^`]*`)", text)
    for number, piece in enumerate(pieces):
        if not piece.startswith("`") or len(piece) == 1:
            plain = re.sub(r"([\\*_\[\]{}|])", r"\\\1", piece)
            plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            pieces[number] = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", plain)
    return "".join(pieces)


def said_of(entry: object) -> str:
    """An entry of a defaults list in short; an open place (``null``) is left out."""
    if not isinstance(entry, dict):
        return str(entry).lstrip("/")
    return ", ".join(
        f"{str(key).removeprefix('override ').lstrip('/')}={value}"
        for key, value in entry.items()
        if value is not None
    )


def table(rows: list[Described], place: str) -> str:
    """Keys, defaults and what they mean; keys are those of the section ``place``."""

    def code(text: str) -> str:
        return "`" + text.replace("|", "\\|").replace("\n", " ") + "`"

    lines = [f"| key{f' of {code(place)}' if place else ''} | default | meaning |", "|---|---|---|"]
    lines += [f"| {code(row.key)} | {code(shown(row.value))} | {escape(row.comment)} |" for row in rows]
    return "\n".join(lines)


@cache
def tables() -> list[tuple[Path, str, list[list[str]]]]:
    """Every table of docs/*.md: its page, the heading or bold words above it, and its rows as cells."""
    found = []
    for path in sorted(DOCS.glob("*.md")):
        above, rows = "", []
        for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
            if line.startswith("|"):
                rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
                continue
            if len(rows) > 2:
                found.append((path, above, rows))
            rows = []
            bold = re.match(r"#+ (.*)|\*\*(.+?)\*\*|([^|].{0,100}):$", line)
            above = next((word for word in bold.groups() if word), above) if bold else above
    return found


def measured(name: str, column: str) -> Iterator[str]:
    """Rows of measured tables whose first cell is this option, each with its table's head.

    A row whose figures another page has too, with more beside them, is left out.
    """
    found = [
        (path, above, rows[0], row)
        for path, above, rows in tables()
        for row in rows[2:]
        if column and rows[0][0].lower() == column and row[0] == f"`{name}`"
    ]
    figures = {path: set[str]() for path, *_ in found}
    for path, _, _, row in found:
        figures[path] |= {cell for cell in row if "±" in cell}
    for path, above, head, row in found:
        if any(figures[path] < figures[other] for other in figures):
            continue
        said = "; ".join(f"{title}: {cell}" for title, cell in zip(head[1:], row[1:]) if cell != "—")
        yield f"**Measured** ([{title_of(path)}](../{path.name}), {above.rstrip(':?')}): {said}."


def title_of(path: Path) -> str:
    """A page's first heading."""
    found = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"docs/{path.name}: has no title; begin the page with '# Title'")
    return found[1].replace("`", "")
