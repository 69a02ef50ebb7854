"""Attacks by the files of a RUN: a run.yaml that is no plain YAML, a status.json of any type, links."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

from hostile_case import Case, forged_run


def _written(name: str, text: Callable[[Path], str | bytes], says: str, command: str = "sample") -> Case:
    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder)
        content = text(canary)
        (path / "run.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
        return [command, str(path)]

    return Case(f"yaml/{name}", prepare, says=says)


def _laughs(canary: Path) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join([*lines, "config: {a: *a11}"])


_WRITTEN = [
    _written("apply", lambda c: f"config: !!python/object/apply:os.system ['touch {c}']", "the tag"),
    _written("new", lambda c: f"config: !!python/object/new:os.system ['touch {c}']", "the tag"),
    _written("name", lambda c: "config: !!python/name:os.system", "the tag"),
    _written("tag_of_its_own", lambda c: "config: !evil {a: 1}", "the tag"),
    _written("laughs", _laughs, "an anchor or an alias"),
    _written("cycle", lambda c: "config: &a {a: *a}", "an anchor or an alias", "resume"),
    _written("cycle_of_lists", lambda c: "&a [*a]", "an anchor or an alias", "export"),
    _written("deep", lambda c: "config: " + "[" * 50_000, "levels deep"),
    _written("deep_blocks", lambda c: "- " * 50_000, "levels deep"),
    _written("huge", lambda c: "config:\n" + "  - xxxxxxxxxxxxxxxx\n" * 400_000, "bytes"),
    _written("many_values", lambda c: "config: [" + "1," * 300_000 + "1]", "too many values"),
    _written("no_text", lambda c: bytes(range(256)), "cannot be read"),
    _written("digits", lambda c: "config: " + "9" * 10_000, "cannot be read"),
    _written("keys_of_lists", lambda c: "config: {? [a] : b}", "cannot be read"),
    _written("keys_of_numbers", lambda c: "config: {1: b}", "is no text"),
    _written("half_a_letter", lambda c: 'config: {a: "\\ud800"}', "cannot be read"),
    _written("scalar", lambda c: "config", "holds no config"),
]


def _endless(canary: Path, folder: Path) -> list[str]:
    path = forged_run(folder)
    (path / "run.yaml").unlink()
    (path / "run.yaml").symlink_to("/dev/zero")
    return ["sample", str(path)]


def _status(name: str, content: str | bytes) -> Case:
    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder / "outputs" / "train")
        data = content.encode() if isinstance(content, str) else content
        (path / "status.json").write_bytes(data)
        return ["runs", "ls"]

    return Case(f"status/{name}", prepare, code=0, says="broken")


_STATUSES = [
    _status("list", "[1, 2]"),
    _status("number", "3"),
    _status("state_list", '{"state": ["finished"]}'),
    _status("metrics_text", '{"state": "finished", "metrics": "many"}'),
    _status("metrics_lists", '{"state": "finished", "metrics": {"fid": [1]}}'),
    _status("examples_text", '{"state": "finished", "examples_seen": "1"}'),
    _status("started_number", '{"state": "finished", "started": 3}'),
    _status("deep", "[" * 100_000),
    _status("huge", '{"state": "' + "x" * 5_000_000 + '"}'),
    _status("no_text", b"\xff\xfe\x00"),
    _status("no_state", '{"examples_seen": 3}'),
]


def _markup(canary: Path, folder: Path) -> list[str]:
    path = forged_run(folder / "outputs" / "train")
    (path / "status.json").write_text('{"state": "broken[/red]\\u001b[2J", "examples_seen": 1}')
    return ["runs", "ls"]


def _linked(name: str, command: str, make: Callable[[Path, Path], object], says: str) -> Case:
    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder)
        (folder / "victim").write_text("precious")
        make(path, folder / "victim")
        return [command, str(path)]

    return Case(f"link/{name}", prepare, says=says)


def _link(inside: str, run: Path, victim: Path) -> None:
    (run / inside).parent.mkdir(exist_ok=True)
    (run / inside).unlink(missing_ok=True)
    (run / inside).symlink_to(victim)


def _link_folder(run: Path, victim: Path) -> None:
    (run / "samples").rmdir()
    (run / "samples").symlink_to(victim.parent)


_LINKS = [
    *(
        _linked(name, command, functools.partial(_link, inside), "a link out of")
        for name, command, inside in (
            ("lock", "resume", ".lock"),
            ("metrics", "resume", "metrics.jsonl"),
            ("log", "resume", "train.log"),
            ("events", "resume", "tensorboard/events.out.tfevents.1"),
            ("samples", "sample", "samples-64-seed1.png"),
            ("weights", "export", "weights.safetensors"),
            ("evaluations", "evaluate", "evaluations.jsonl"),
            ("checkpoint", "sample", "checkpoints/000000000128.ckpt"),
        )
    ),
    _linked("folder", "resume", _link_folder, "a link out of"),
    _linked(
        "pipe", "sample", lambda run, victim: os.mkfifo(run / "checkpoints" / "999.ckpt"), "neither a file"
    ),
]


def _dangling(canary: Path, folder: Path) -> list[str]:
    forged_run(folder / "outputs" / "train")
    (folder / "outputs" / "train" / "other").mkdir()
    (folder / "outputs" / "train" / "other" / "run.yaml").symlink_to("nowhere")
    return ["runs", "ls"]


def _piped_lock(canary: Path, folder: Path) -> list[str]:
    path = forged_run(folder / "outputs" / "train")
    (path / ".lock").unlink(missing_ok=True)
    os.mkfifo(path / ".lock")
    (path / "status.json").write_text('{"state": "running"}')
    return ["runs", "ls"]


CASES = [
    *_WRITTEN,
    Case("yaml/endless", _endless, says="regular file"),
    *_LINKS,
    *_STATUSES,
    Case("link/piped_lock", _piped_lock, code=0, says="killed"),
    Case("link/dangling", _dangling, code=0, says="finished"),
    Case("status/markup", _markup, code=0, says="broken[/red]?[2J"),
]
