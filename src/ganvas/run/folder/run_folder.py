"""A run's folder: how it is named, found, and what status.json and run.yaml say."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError, require
from ganvas.files.plain import MAX_BYTES, dump_plain, load_object, load_plain
from ganvas.files.read import read_bytes
from ganvas.files.remove import is_rest
from ganvas.files.schema import (
    Kind,
    is_count,
    is_finite,
    is_number,
    is_text,
    listing,
    mapping,
    maybe,
    misfit,
    one_of,
    section,
)
from ganvas.files.text import hidden_letter, one_line
from ganvas.files.write import new_folder, try_folder, write_bytes, write_text
from ganvas.functional.instant import folder_stamp, instant_of, timestamp
from ganvas.run.folder.checksum import checksum_matches
from ganvas.run.folder.redact import redacted, scrubbed

_BEST = {"metric": is_text, "value": maybe(is_finite), "examples": maybe(is_count)}
_ALSO = {"also": listing(section(_BEST)), "reported": listing(is_text)}
_OPTIMIZED = section(_BEST | {"mode": maybe(one_of("min", "max"))}, _ALSO)
# What others may have written into status.json, or it counts as broken; a job's record holds some of it too.
SUMMARY: dict[str, Kind] = {
    "examples_seen": is_count,
    "seconds": maybe(is_finite),
    "metrics": maybe(mapping(maybe(is_number))),
    "protocols": maybe(mapping(is_text)),
    "optimized": maybe(_OPTIMIZED),
}
_STATUS = SUMMARY | {"state": is_text, "error": maybe(is_text), "started": is_text, "updated": is_text}
RUN_DEPTH = 3  # folders from --output-dir to a run: <experiment>/<sweep>/<run>

TOKENIZER = "tokenizer"  # folder in a run, of the run whose codes it learns
WEIGHTS = "model.safetensors"  # of a folder that was exported: it stands for the checkpoints
EXPORTS = "export"  # folder in a run, of what was exported of it
_MAX_CHECKPOINT = 1 << 36  # bytes

_LONGEST_NAME = 255  # bytes, of a file's or a folder's
_NO_NAME = "no run's name begins so"


@dataclass(frozen=True)
class RunFolder:
    """One run on disk; self-contained: nothing outside it is needed to read it.

    Attributes:
        path: the folder.
        allows_places: whether the command line lets it name folders to write and addresses beyond its own.
    """

    path: Path
    allows_places: bool = field(default=False, compare=False)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def read_status(self) -> dict[str, Any]:
        """status.json, or an empty dict where it is absent or broken."""
        status = load_object(self.path / "status.json")
        return status if misfit(status, {}, _STATUS) is None else {}

    def write_status(self, **values: Any) -> None:
        """Updates status.json atomically."""
        status = self.read_status() | scrubbed(values) | {"updated": timestamp()}
        write_text(self.path / "status.json", json.dumps(status, indent=2) + "\n")

    def read_run(self) -> dict[str, Any]:
        """run.yaml: keys ``ganvas`` (where it came from) and ``config`` (plain values)."""
        run = load_plain(self.path / "run.yaml", "RUN")
        if not isinstance(run, dict) or not isinstance(run.get("config"), dict):
            raise OptionError("RUN", self.path, "run.yaml holds no config; this is no run of ganvas")
        return run

    def choices(self, status: dict[str, Any]) -> dict[str, Any]:
        """Group -> chosen option, or an empty dict where run.yaml is broken.

        Read from ``status`` where run.yaml has the size that it was written with: parsing it takes a hundred
        times as long, and lists are of thousands of runs.
        """
        noted = status.get("choices")
        path = self.path / "run.yaml"
        if isinstance(noted, dict) and path.is_file() and path.stat().st_size == status.get("run_yaml_bytes"):
            return noted
        try:
            choices = self.read_run()["ganvas"]["choices"]
        except (OptionError, KeyError, TypeError):
            return {}
        return choices if isinstance(choices, dict) else {}

    @property
    def has_weights(self) -> bool:
        """Whether there is a checkpoint, or weights that were exported."""
        return any(self.checkpoints.glob("*.ckpt")) or (self.path / WEIGHTS).is_file()

    def check_resumable(self) -> None:
        """Raises OptionError for a folder that was exported, which has no state of a training."""
        weights_alone = self.has_weights and not any(self.checkpoints.glob("*.ckpt"))
        reason = f"was exported: it has weights alone; model.init_from={self.path} starts a run with them"
        require(not weights_alone, "RUN", self.path, reason)

    def newest_checkpoint(self) -> Path | None:
        """The newest checkpoint whose sha256 is right; None where there is none."""
        return self.find_checkpoint()[0]

    def find_checkpoint(self) -> tuple[Path | None, list[Path]]:
        """The newest checkpoint whose sha256 is right, and the newer ones, which are damaged.

        Of a folder that was exported it is model.safetensors.
        """
        damaged: list[Path] = []
        for path in sorted(self.checkpoints.glob("*.ckpt"), reverse=True):
            if checksum_matches(path):
                return path, damaged
            damaged.append(path)
        weights = self.path / WEIGHTS
        if weights.is_file():
            if checksum_matches(weights):
                return weights, damaged
            damaged.append(weights)
        return None, damaged


def check_name(name: Any) -> None:
    """Raises OptionError unless the experiment's name is that of one folder."""
    text = "null" if name is None else str(name)
    fits = name is not None and text not in ("", ".", "..") and "/" not in text
    require(fits, "name", text, "must be the name of one folder, without /")


def new_folder_path(config: dict[str, Any], choices: dict[str, str]) -> Path:
    """outputs/<name>/<date in UTC>_<slug>-<hash>; the hash tells runs of one second and one slug apart."""
    slug = f"{choices.get('model', 'model')}-{choices.get('data', 'data')}-s{config.get('seed')}"
    text = json.dumps(config, sort_keys=True, default=str) + f"{time.time_ns()}{os.getpid()}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    name = f"{folder_stamp()}_{slug}-{digest}"
    return Path(config["paths"]["output_dir"]) / str(config["name"]) / name


def check_writable(path: Path, option: str) -> None:
    """Raises OptionError unless a folder at ``path`` could be made, without making it."""
    check_name_fits(path, option)
    parent = path
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        raise OptionError(option, path, f"{parent} is a file; name a folder")
    try:
        try_folder(parent)
    except OSError as error:
        reason = f"{parent} cannot be written ({error.strerror}); name a folder of your own"
        raise OptionError(option, path, reason) from error


def check_name_fits(path: Path, option: str) -> None:
    """Raises OptionError where a new file or folder cannot, or should not, have this name."""
    require("\0" not in str(path), option, path, "holds a NUL byte; name another")
    for new in (path, *path.parents):
        if os.path.lexists(new):
            break
        name = os.fsencode(new.name)
        long, letter = len(name), hidden_letter(name.decode("utf-8", "surrogateescape"))
        rule = f"has a name of {long} bytes, and file systems take 255; name another"
        require(long <= _LONGEST_NAME, option, path, rule)
        rule = f"has a letter in its name that cannot be shown ({letter!a}); name another"
        require(letter is None, option, path, rule)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        shown = one_line(str(path))  # the first of thousands of letters
        raise OptionError(option, shown, f"cannot be named so ({error.strerror}); name another") from error


def create(
    path: Path,
    run: dict[str, Any],
    *,
    abilities: Sequence[str] | None = None,
    tokenizer: tuple[RunFolder, str] | None = None,
) -> RunFolder:
    """Makes the folder (it must not exist) with run.yaml and status.json, all of it or nothing.

    Args:
        abilities: what the recipe can do (see ganvas.run.folder.usable), for those who do not build it.
        tokenizer: the run whose codes it learns, and the sha256 of the checkpoint that was read; what is
            needed of it goes into the folder ``tokenizer``.

    Raises:
        OptionError: the folder exists, or cannot be made; the tokenizer has changed.
    """
    if os.path.lexists(path):
        raise OptionError("paths.run_dir", path, "exists; each run needs a folder of its own")
    listed: dict[str, Any] = {} if abilities is None else {"abilities": list(abilities)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(path) as place:
            for name in ("checkpoints", "tensorboard", "samples"):
                (place.path / name).mkdir()
            write_run(place.path, run)
            if tokenizer is not None:
                _copy_weights(*tokenizer, place.path / TOKENIZER)
            listed |= {
                "choices": dict(run.get("ganvas", {}).get("choices") or {}),
                "run_yaml_bytes": (place.path / "run.yaml").stat().st_size,
                "main_metric": _main_metric(run["config"]),
            }
            began = timestamp()
            RunFolder(place.path).write_status(
                state="running", examples_seen=0, error=None, started=began, **listed
            )
    except OSError as error:
        reason = f"cannot be written ({error.strerror}); make room, or name another folder"
        raise OptionError("paths.output_dir", path.parent, reason) from error
    return RunFolder(path)


def _main_metric(config: dict[str, Any]) -> str | None:
    """What a run is judged by, as its ``metrics`` name it: what is optimized, or its recipe's own."""
    model = config.get("model")
    asked = config.get("optimized_metric") or (model.get("main_metric") if isinstance(model, dict) else None)
    one = asked[0] if isinstance(asked, list) else asked
    return one.removeprefix("evaluation/") if isinstance(one, str) else None


def _copy_weights(run: RunFolder, sha256: str, to: Path) -> None:
    """A run with its newest checkpoint alone; raises OptionError unless that has the sha256."""
    checkpoint = run.newest_checkpoint()
    content = b"" if checkpoint is None else read_bytes(checkpoint, _MAX_CHECKPOINT)
    same = hashlib.sha256(content).hexdigest() == sha256
    rule = "was changed while it was read; name a run that is finished"
    require(same and checkpoint is not None, "data.tokenizer", run.path, rule)
    assert checkpoint is not None
    place = to if checkpoint.name == WEIGHTS else to / "checkpoints"
    place.mkdir(parents=True)
    write_bytes(place / checkpoint.name, content)
    write_text(place / f"{checkpoint.name}.sha256", f"{sha256}  {checkpoint.name}\n")
    for name in ("run.yaml", "status.json"):
        if (run.path / name).is_file():
            write_bytes(to / name, read_bytes(run.path / name, MAX_BYTES))


def write_run(path: Path, run: dict[str, Any]) -> None:
    """Writes run.yaml: ``ganvas`` (where the run came from) and ``config``, without secrets."""
    write_text(path / "run.yaml", dump_plain(redacted(run)))


def all_runs(output_dir: Path) -> list[RunFolder]:
    """Every run under ``output_dir``, also inside sweeps, oldest first."""
    patterns = ["*/" * depth + "run.yaml" for depth in range(1, RUN_DEPTH + 1)]
    there = (path.parent for pattern in patterns for path in output_dir.glob(pattern) if path.exists())
    found = [path for path in there if not is_rest(path) and not _is_part(path)]
    return [RunFolder(path) for path in sorted(found, key=lambda path: (started(path), path.name))]


def _is_part(path: Path) -> bool:
    """Whether the folder is not a run of its own, but belongs to the one that it lies in."""
    if path.parent.name == EXPORTS and (path.parent.parent / "run.yaml").exists():
        return True
    return path.name == TOKENIZER and (path.parent / "run.yaml").exists()


def started(path: Path, status: Mapping[str, Any] | None = None) -> float:
    """When a run began, seconds since 1970; of one that cannot say so, when its run.yaml was written.

    Args:
        status: its status.json, where the caller has it already.
    """
    status = RunFolder(path).read_status() if status is None else status
    began = instant_of(status.get("started"))
    return (path / "run.yaml").stat().st_mtime if began is None else began


def find_run(name: str, output_dir: Path) -> RunFolder:
    """RUN as a user writes it: a folder, ``latest``, or the name or unique prefix of a run folder.

    Raises:
        OptionError: none or several fit.
    """
    if "://" in name or name.startswith("file:"):
        raise OptionError("RUN", name, "is an address; fetch the folder yourself, then name it")
    require(name != "", "RUN", name, "is empty; name a run, or latest")
    path = Path(name)
    if (path / "run.yaml").exists():
        return RunFolder(path)
    runs = all_runs(output_dir)
    if not runs:
        none = "there is no run" if name == "latest" else f"{no_run_at(name)}, and no run"
        raise OptionError("RUN", name, f"{none} under {output_dir}; ganvas train makes one")
    if name == "latest":
        return runs[-1]
    fitting = [run for run in runs if run.path.name == name]
    fitting = fitting or [run for run in runs if run.path.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        some = ", ".join(run.path.name for run in fitting[:3])
        raise OptionError("RUN", name, f"fits {len(fitting)} runs ({some} ...); give more letters")
    import difflib

    close = difflib.get_close_matches(name, [run.path.name for run in runs], n=1, cutoff=0.3)
    hint = f"did you mean {close[0]}?" if close else f"see ganvas runs ls (folder {output_dir})"
    raise OptionError("RUN", name, f"{no_run_at(name) if os.sep in name else _NO_NAME}; {hint}")


def no_run_at(name: str) -> str:
    """Why the folder that a user named is none of a run."""
    if not os.path.exists(name):
        return "there is no such folder"
    return "holds no run.yaml" if os.path.isdir(name) else "is a file, and a run is a folder"
