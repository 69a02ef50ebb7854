"""Run folders as commands find them, written by hand: what a comparison reads, without any training."""

from __future__ import annotations

import copy
import json
import zlib
from pathlib import Path
from typing import Any

import yaml

PROTOCOL = {
    "ganvas": "0.1.0",
    "split": "test",
    "num_samples": 2000,
    "features": {"name": "pixels", "sha256": None},
    "weights": "ema",
}
CONFIG = {
    "name": "train",
    "paths": {"output_dir": "outputs", "data_dir": "data"},
    "data": {"_target_": "ganvas.data.digits.Digits", "batch_size": 64, "num_workers": 0},
    "model": {
        "_target_": "ganvas.model.gan.GAN",
        "generator_optimizer": {"lr": 0.0002},
        "generator": {"_target_": "ganvas.model.generator.mlp.MLPGenerator", "hidden_dim": 128},
    },
    "trainer": {"max_examples": 640, "log_every_examples": 64},
    "accelerator": {"accelerator": "cpu", "precision": "32-true"},
    "callback": {"record": {"run_dir": "somewhere"}},
}


def forge(
    folder: Path,
    *,
    seed: int = 1,
    fid: float | None = 1.0,
    changes: dict[str, Any] | None = None,
    choices: dict[str, str] | None = None,
    protocol: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    examples: int = 640,
    rows: list[Any] | None = None,
    curves: list[Any] | None = None,
    status: dict[str, Any] | None = None,
) -> Path:
    """A run folder.

    Args:
        folder: where; its name is the run's.
        seed: of the config, its data and its model.
        fid: the one metric, where ``metrics`` is not given.
        changes: dotted key -> value, of the config.
        choices: groups' choices beside model and data.
        protocol: of the evaluation.
        metrics: of the evaluation.
        examples: of the evaluation.
        rows: evaluations.jsonl instead of that one evaluation; text stands as it is.
        curves: rows of metrics.jsonl.
        status: over status.json.
    """
    config: dict[str, Any] = copy.deepcopy(CONFIG)
    config["seed"] = config["data"]["seed"] = config["model"]["seed"] = seed
    config["paths"]["run_dir"] = str(folder)
    for key, value in (changes or {}).items():
        *parents, last = key.split(".")
        node = config
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = value
    run = {"ganvas": {"choices": {"model": "mlp_gan", "data": "digits"} | (choices or {})}, "config": config}
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    said = {"state": "finished", "examples_seen": examples, "started": "2026-11-23T12:00:00+0000"} | (
        status or {}
    )
    (folder / "status.json").write_text(json.dumps(said))
    row = evaluation(examples=examples, protocol=protocol) | {"metrics": metrics or {"fid": fid}}
    _write(folder / "evaluations.jsonl", [row] if rows is None else rows)
    if curves is not None:
        _write(folder / "metrics.jsonl", curves)
    return folder


def evaluation(
    fid: float | None = 1.0, *, examples: int = 640, protocol: Any = None, **more: Any
) -> dict[str, Any]:
    """A row of evaluations.jsonl."""
    metrics = {"fid": fid, **more}
    return {"examples": examples, "source": "evaluate", "metrics": metrics, "protocol": protocol or PROTOCOL}


def changed(**values: Any) -> dict[str, Any]:
    """The usual protocol with other values; ``features`` merges."""
    features = PROTOCOL["features"] | values.pop("features", {})  # type: ignore[operator]
    return PROTOCOL | values | {"features": features}


def png(width: int, height: int) -> bytes:
    """A grey PNG of this size, without Pillow."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))


def forge_two_variants(folder: Path) -> Path:
    """outputs/train in the folder: a1 and a2 are two seeds of one variant, b1 is a better one."""
    there = folder / "outputs" / "train"
    forge(there / "a1", seed=1, fid=5.0)
    forge(there / "a2", seed=2, fid=7.0)
    forge(there / "b1", seed=1, fid=2.0, changes={"model.generator_optimizer.lr": 0.001})
    return there
