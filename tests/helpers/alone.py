"""An interpreter that has some packages and what these need, and nothing else: no ganvas."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def packages(folder: Path, *names: str) -> Path:
    """A folder of links to these distributions and all that they require on this machine."""
    folder.mkdir()
    left, seen = list(names), set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another platform
            assert name not in names, name
            continue
        for line in found.requires or ():
            if "extra ==" not in line and "extra==" not in line:
                left.append(re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0])
        for top in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
            place = folder / top
            if not place.exists():
                place.symlink_to(Path(str(found.locate_file(top))))
    return folder


def run_alone(path: Path, script: Path, *words: str) -> str:
    """What a script prints, whose only packages are those in ``path``; it must end well."""
    start = f"import sys, runpy; sys.path.insert(0, {str(path)!r}); sys.argv = {[str(script), *words]!r}; "
    start += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
