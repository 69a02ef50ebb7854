"""Runs one try in this process and judges it: exit code, one line, no traceback, no event, finite numbers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from subject import Reader
from watch import Watch, watching

from ganvas.api.state import preserved_state
from ganvas.cli.main import main
from ganvas.errors import NonFiniteError, OptionError
from ganvas.files.text import one_line

LONGEST = 5.0  # seconds, without those in which other processes had the processor
_LONGEST_LINE = 4100  # letters; cli/main.py cuts an error after 4,000
_MOST_LINES = 3
_WARNING = re.compile(r"^\S+:\d+: \w*Warning: ", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """How a try ended; ``wrong`` is None where it held."""

    wrong: str | None
    code: int
    seconds: float
    says: str = ""


class _Stream(io.TextIOWrapper):
    """Takes what a terminal would be sent, and refuses what UTF-8 cannot hold, as a terminal does."""

    def __init__(self, errors: str) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


def judge(reader: Reader, folder: Path) -> Verdict:
    """Reads what lies in the folder, and says what is wrong with how that ended."""
    out, err = _Stream("strict"), _Stream("backslashreplace")
    probes = ("*.ganvas-[0-9]*",) if reader.writes else ()  # whether a folder can be written is tried out
    watch = Watch(str(folder), (*reader.writes, *probes, "tmp/*", "cache/*"), reader.programs)
    crash = ""
    with _inside(folder), preserved_state():
        began, waited = time.monotonic(), _waited()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), watching(watch):
            try:
                code = _end(reader)
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                code, crash = 1, traceback.format_exc()
        seconds = time.monotonic() - began - (_waited() - waited)
    told, said = out.text(), err.text()
    wrong = _wrong(code, told, said, crash, watch.seen, seconds)
    if wrong is None and code == 0 and reader.finite is not None:
        wrong = _not_finite(folder / reader.finite)
    if wrong is None and code == 0 and "--json" in reader.words:
        wrong = _no_json(told)
    if wrong is None and code == 0 and reader.prints not in (None, told):
        wrong = f"damage was believed: {told[:300]!r}"
    return Verdict(wrong, code, seconds, (said if code else told)[:200])


def _end(reader: Reader) -> int:
    if reader.call is None:
        return main(reader.words)
    try:
        code = reader.call()
    except OptionError as error:
        print(one_line(" ".join(str(error).split()), 4000), file=sys.stderr)
        return 2
    except NonFiniteError as error:
        print(one_line(" ".join(str(error).split()), 4000), file=sys.stderr)
        return 1
    return code if isinstance(code, int) else 0


def _wrong(code: int, out: str, err: str, crash: str, seen: list[str], seconds: float) -> str | None:
    lines = err.strip().splitlines()
    if seen:
        return f"not expected: {'; '.join(dict.fromkeys(seen))}"
    if crash or "Traceback" in out + err:
        return f"a traceback: {_innermost(crash or out + err)}"
    if code not in (0, 1, 2):
        return f"exit code {code}: {err[-300:]}"
    if seconds > LONGEST:
        return f"took {seconds:.1f} s"
    if _WARNING.search(err):
        return f"a warning of Python's: {err[:300]}"
    # A line of its own may say what was passed over before the one that says what is wrong.
    if code and (not 1 <= len(lines) <= _MOST_LINES or max(map(len, lines)) > _LONGEST_LINE):
        return f"code {code} with {len(lines)} lines, {len(err)} letters: {err[:300]!r}"
    odd = next((letter for letter in out + err if not letter.isprintable() and letter not in "\n\t"), None)
    return None if odd is None else f"prints {odd!r}: {(out + err)[:300]!r}"


def innermost(error: BaseException) -> str:
    """The error and where it was raised, on one line."""
    return _innermost("".join(traceback.format_exception(error)))


def _innermost(text: str) -> str:
    frames = re.findall(r'File "([^"]+)", line (\d+), in (\S+)', text)
    own = [frame for frame in frames if "/ganvas/" in frame[0] or "/fuzz/" in frame[0]] or frames
    lines = text.strip().splitlines()
    said = [line for line in lines if re.match(r"[\w.]+(: |$)", line) and not line.startswith("Traceback")]
    last = (said or lines)[-1][:200]
    at = ":".join((*own[-1][0].split("/")[-2:], own[-1][1])) if own else "?"
    inner = ":".join((*frames[-1][0].split("/")[-2:], frames[-1][1])) if frames else "?"
    return f"{last} (at {at}, in {inner})"


def _not_finite(path: Path) -> str | None:
    if not path.is_file():
        return f"{path.name} is not there"
    with np.load(path) as arrays:
        bad = [name for name in arrays if not np.isfinite(arrays[name]).all()]
    return f"{path.name} holds numbers that are not finite: {bad}" if bad else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _no_json(text: str) -> str | None:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        return f"--json prints no JSON ({error}): {text[:200]!r}"
    return None


def _waited() -> float:
    """Seconds for which this thread could run and had no processor."""
    try:
        with open("/proc/self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


@contextlib.contextmanager
def _inside(folder: Path):  # type: ignore[no-untyped-def]
    """In the folder, with a cache and a place for temporary files of the try's own."""
    old = os.getcwd()
    for name in ("cache", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    os.environ["GANVAS_CACHE"] = str(folder / "cache")
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    tempfile.tempdir = str(folder / "tmp")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(old)
        tempfile.tempdir = None
