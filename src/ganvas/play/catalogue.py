"""The runs that a page may show, and those of them that are open: weights read once, a few at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from ganvas.compare.find import find_runs
from ganvas.errors import OptionError
from ganvas.run.folder.describe import describe
from ganvas.run.folder.run_folder import RunFolder, all_runs
from ganvas.run.folder.usable import LATENTS, RECONSTRUCTS, abilities, abilities_by_parts

_OPEN = 3  # runs whose weights are held


class Catalogue:
    """Runs by their names; nothing else of the disk can be asked for.

    Args:
        words: runs, globs over them, folders of runs; none: all under ``output_dir``.
        output_dir: where runs are looked for by name.
        allow: modules of the user's own that they may name.
        allows_places: whether they may name folders and addresses beyond their own.
    """

    def __init__(
        self,
        words: Sequence[str],
        output_dir: Path,
        *,
        allow: Sequence[str] = (),
        allows_places: bool = False,
    ) -> None:
        self.words, self.output_dir = list(words), output_dir
        self._allow, self._allows_places = list(allow), allows_places
        self._open: OrderedDict[str, tuple[int, Any, Any]] = OrderedDict()
        self._lock = Lock()
        self._listed: dict[str, RunFolder] = {}  # when it was last looked

    def folders(self) -> dict[str, RunFolder]:
        """What there is now by the names that addresses of pages use, newest first.

        Raises:
            OptionError: ``RUN``: a word fits nothing.
        """
        found = find_runs(self.words, self.output_dir) if self.words else all_runs(self.output_dir)
        ordered = sorted(found, key=lambda one: one.path.name, reverse=True)
        self._listed = {str(one.path): one for one in ordered}
        return self._listed

    def rows(self) -> list[dict[str, Any]]:
        """Each run in a line, as ``ganvas runs ls --json`` has it, and of it for a page:

        ``name``, its key, ``can``, and ``grid``, the file name of its newest grid of samples, or None.
        """
        return [
            {
                **describe(folder),
                "name": name,
                "can": sorted(_able(folder)),
                "grid": max((one.name for one in (folder.path / "samples").glob("*.png")), default=None),
            }
            for name, folder in self.folders().items()
        ]

    def folder(self, name: str) -> RunFolder:
        """One of them.

        Raises:
            OptionError: ``run``: it is none of them.
        """
        found = self._listed.get(name)
        if found is None or not (found.path / "run.yaml").exists():  # it is new, or gone
            found = self.folders().get(name)
        if found is None:
            raise OptionError("run", name, "is none of the runs of this page; choose one of its list")
        return found

    def abilities(self, name: str) -> set[str]:
        """What the run's recipe can do, of a prior what its tokenizer can, too."""
        folder = self.folder(name)
        model = folder.read_run()["config"]["model"]
        return _able(folder) | (abilities_by_parts(model) or set())

    def load(self, name: str) -> tuple[Any, Any]:
        """The run's recipe with the weights of its newest checkpoint, and its data module.

        Raises:
            OptionError: it is none of them, or cannot be read.
        """
        from ganvas.run.load import load_run

        folder = self.folder(name)
        checkpoint = max(folder.checkpoints.glob("*.ckpt"), default=None)
        stamp = 0 if checkpoint is None else checkpoint.stat().st_mtime_ns
        with self._lock:
            held = self._open.get(name)
            if held is not None and held[0] == stamp:
                self._open.move_to_end(name)
                return held[1], held[2]
            place = replace(folder, allows_places=self._allows_places)
            model, data, _ = load_run(place, allow=self._allow)
            self._open[name] = stamp, model, data
            self._open.move_to_end(name)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return model, data


def _able(folder: RunFolder) -> set[str]:
    """What a run's recipe can do; one of codes that has no latents, what its tokenizer can, too."""
    found = set(abilities(folder) or ())
    over_codes = LATENTS not in found and (folder.path / "tokenizer" / "run.yaml").is_file()
    return found | ({RECONSTRUCTS} if over_codes else set())
