"""Weights & Biases, in its own process; see serve.py beside it."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Adapter:
    def open(self, hello: dict[str, Any]) -> None:
        home, self._folder = hello["home"], Path(hello["save_dir"])
        self._folder.mkdir(parents=True, exist_ok=True)
        os.environ |= {
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true",
            "WANDB_CACHE_DIR": f"{home}/home/cache",
            "WANDB_CONFIG_DIR": f"{home}/home/config",
            "WANDB_DATA_DIR": f"{home}/home/data",
            "WANDB_ARTIFACT_DIR": f"{home}/home/data",
        }
        import wandb

        self._wandb, self._is_online = wandb, hello["is_online"]
        settings = wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        self._id = hello["id"]
        self._before = [] if self._is_online else list(_scalars(self._folder, self._id))
        self._run = wandb.init(
            project=hello["project"],
            id=self._id,
            name=hello["name"],
            group=hello["group"],
            dir=str(self._folder),
            mode="online" if self._is_online else "offline",
            resume="allow" if self._is_online else None,
            settings=settings,
        )
        self._run.config.update(hello["params"], allow_val_change=True)
        self._run.define_metric("examples", hidden=True)
        self._run.define_metric("*", step_metric="examples")

    def logged(self) -> dict[str, int]:
        """Of a run on this machine each tag's last step; of one on the server, the last step of all."""
        if self._is_online:
            return {"": int(self._run.step) - 1}
        found: dict[str, int] = {}
        for step, tags in self._before:
            found.update(dict.fromkeys(tags, step))
        # wandb takes steps in their order alone: a row that the last one was written with is whole
        return found

    def row(self, step: int, values: dict[str, float]) -> None:
        self._run.log({**values, "examples": step}, step=step)

    def image(self, tag: str, path: Path, step: int) -> None:
        self._run.log({tag: self._wandb.Image(str(path)), "examples": step}, step=step)

    def audio(self, tag: str, path: Path, step: int) -> None:
        self._run.log({tag: self._wandb.Audio(str(path)), "examples": step}, step=step)

    def close(self, status: str) -> None:
        self._run.finish(exit_code=0 if status == "success" else 1)


def _scalars(folder: Path, key: str) -> Iterator[tuple[int, list[str]]]:
    """Steps and tags in the files of a run that were written on this machine, oldest first."""
    from wandb.proto.wandb_internal_pb2 import Record

    for path in sorted(folder.glob(f"wandb/offline-run-*-{key}/*.wandb")):
        for content in _records(path.read_bytes()):
            record = Record()
            try:
                record.ParseFromString(content)
            except Exception:  # the end of a file whose writer was killed
                return
            # the parts of an image are listed one by one, under ("samples", "path") and the like
            items = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
            if items:
                yield int(json.loads(items["_step"])), list(items)


def _records(data: bytes) -> Iterator[bytes]:
    """Records of LevelDB's log format, 7 bytes before each part, in blocks of 32 KiB after a header of 7."""
    at, content = 7, b""
    while at + 7 <= len(data):
        left = 2**15 - at % 2**15
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        if kind == 0 or at + 7 + size > len(data):
            return
        content += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield content
            content = b""
