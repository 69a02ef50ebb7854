"""Pages of the commands and of the Python API, generated from ``--help`` and from docstrings."""

from __future__ import annotations

import contextlib
import inspect
import io
import os

from families import arguments, escape, indented, markdown, split

VERBS = {
    "sweep": ("plan", "run", "status", "resume", "retry", "best", "ls"),
    "runs": ("ls", "show", "diff", "rm"),
}


def commands() -> str:
    """Every command of ``ganvas`` with what its ``--help`` says."""
    from ganvas.cli.commands import COMMANDS

    parts = ["# Commands", "Each block is what `ganvas COMMAND --help` prints."]
    parts.append("\n".join(f"- [`{name}`](#{name}): {escape(text)}" for name, text in COMMANDS.items()))
    for name, text in COMMANDS.items():
        parts += [f"## {name} {{#{name}}}", f"{escape(text[0].upper() + text[1:])}."]
        for verb in ("", *VERBS.get(name, ())):
            words = [name, verb] if verb else [name]
            parts.append(f"```text\n$ ganvas {' '.join(words)} --help\n{help_of(words)}\n```")
    return "\n\n".join(parts) + "\n"


def help_of(words: list[str]) -> str:
    """What a command prints with ``--help``."""
    from ganvas.cli.main import main

    said = io.StringIO()
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        code = main([*words, "--help"])
        assert code == 0, f"ganvas {' '.join(words)} --help: exit code {code}"
    text = said.getvalue().strip()
    assert text, f"ganvas {' '.join(words)} --help printed nothing"
    return text


def python() -> str:
    """Every public name of ``ganvas`` with its signature and docstring."""
    import ganvas

    parts = ["# Python API", "How it is used: [From Python](../python.md)."]
    for name in sorted(ganvas.__all__, key=str.lower):
        thing = getattr(ganvas, name)
        if name == "compare":
            from ganvas.compare.side_by_side import compare_runs as thing
        if isinstance(thing, str):
            continue
        parts += [f"## ganvas.{name} {{#{name}}}", *described(f"ganvas.{name}", thing)]
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if member.startswith("_") or not (callable(value) or isinstance(value, property)):
                    continue
                if inspect.getdoc(value):
                    parts += [f"### {name}.{member}", *described(member, value)]
    return "\n\n".join(parts) + "\n"


def described(name: str, thing: object) -> list[str]:
    """Signature, docstring and its sections."""
    parts = []
    if callable(thing) and not (inspect.isclass(thing) and issubclass(thing, Exception)):
        parts.append(f"```python\n{name}{signature(thing)}\n```")
    body, sections = split(inspect.getdoc(thing) or "")
    parts.append(markdown(body))
    for label, text in sections:
        said = markdown(text) if label in ("Returns", "Yields") else arguments(text)
        parts.append(f'!!! note "{label}"\n\n{indented(said)}')
    return parts


def signature(thing: object) -> str:
    """As it is written, an argument a line where it is long."""
    found = inspect.signature(thing)  # type: ignore[arg-type]
    words, is_keyword = [], False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_keyword:
            words.append("*")
            is_keyword = True
        word = parameter.name
        if parameter.annotation is not parameter.empty:
            word += f": {annotation(parameter.annotation)}"
        words.append(word if parameter.default is parameter.empty else f"{word} = {parameter.default!r}")
    back = "" if found.return_annotation is found.empty else f" -> {annotation(found.return_annotation)}"
    line = f"({', '.join(words)}){back}"
    return line if len(line) <= 80 else "(\n" + "".join(f"    {word},\n" for word in words) + f"){back}"


def annotation(written: object) -> str:
    return written if isinstance(written, str) else inspect.formatannotation(written)
