"""Takes away one safeguard at a time and demands that the fault matrix notices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from run import roomy_memory

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]


@dataclass
class Mutation:
    """``old`` becomes ``new`` in a file of ganvas, where it must stand exactly once; so does ``also``."""

    name: str
    file: str
    old: str
    new: str
    section: str
    tries: str
    also: tuple[str, str] | None = None


MUTATIONS = [
    Mutation(
        "reseeding of a step",
        "model/training/recipe.py",
        '        seed_torch(hash64(seed, self._rank, self.batches_seen, "step"), self.device)\n',
        "",
        "resume_every_step",
        "mlp_gan-workers0-step1",
    ),
    Mutation(
        "hash check",
        "run/folder/checksum.py",
        "bool(known) and sha256_of(path) in known",
        "path.exists()",
        "storage",
        "damage-flip",
    ),
    Mutation(
        "temporary file in the same folder",
        "run/checkpoint/io.py",
        'temporary = path.with_name(f".{path.name}.tmp")',
        'temporary = Path(__import__("tempfile").gettempdir()) / f".{path.name}.tmp"',
        "storage",
        "tmpdir",
    ),
    Mutation(
        "average inside the step",
        "model/training/recipe.py",
        "descent.average.update(descent.network, batch * descent.interval, self.examples_seen + batch)\n",
        "self.average_due = descent, batch * descent.interval, self.examples_seen + batch\n",
        "resume_every_step",
        "dcgan-workers0-step1",
        # Where the average goes instead: behind the callbacks, which have saved by then.
        (
            "            agenda(self.trainer, self, outputs, batch, batch_idx)\n",
            "            agenda(self.trainer, self, outputs, batch, batch_idx)\n"
            '        if due := self.__dict__.pop("average_due", None):\n'
            "            due[0].average.update(due[0].network, *due[1:])\n",
        ),
    ),
]


def main() -> int:
    missed = []
    for mutation in [m for m in MUTATIONS if not sys.argv[1:] or m.section in sys.argv[1:]]:
        # $TMPDIR is on the device of the runs, so that only the tries that move it elsewhere can fail.
        with tempfile.TemporaryDirectory(prefix="ganvas-mutation-", dir=roomy_memory()) as folder:
            noticed, said = _is_noticed(mutation, Path(folder))
        print(f"{mutation.name:36} {'noticed' if noticed else 'MISSED'}: {said}", flush=True)
        if not noticed:
            missed.append(mutation)
    return 1 if missed else 0


def _is_noticed(mutation: Mutation, folder: Path) -> tuple[bool, str]:
    for name in ("src", "conf"):
        shutil.copytree(_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "src" / "ganvas" / mutation.file
    text = path.read_text()
    for old, new in [(mutation.old, mutation.new), *([mutation.also] if mutation.also else [])]:
        if text.count(old) != 1:
            return False, f"{old.strip()!r} stands {text.count(old)} times in {mutation.file}"
        text = text.replace(old, new)
    path.write_text(text)
    command = [
        sys.executable,
        str(_HERE / "run.py"),
        "--no-plain",
        "--only",
        mutation.section,
        "--try",
        mutation.tries,
        "--work",
        str(folder),
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    table = next((line for line in done.stdout.splitlines() if line[:5] not in ("fault", "")), "")
    if not table:
        return False, f"the matrix did not run: {done.stderr[-300:]}"
    tried, survived = table.split()[-6:-4]
    return bool(failed), f"{int(tried) - int(survived)} of {tried} tries failed"


if __name__ == "__main__":
    sys.exit(main())
