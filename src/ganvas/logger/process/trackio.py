"""Trackio, in its own process; see serve.py beside it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any


class Adapter:
    def open(self, hello: dict[str, Any]) -> None:
        os.environ |= {
            "TRACKIO_DIR": hello["save_dir"],
            "HF_HOME": f"{hello['home']}/home/huggingface",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        Path(hello["save_dir"]).mkdir(parents=True, exist_ok=True)
        import trackio

        self._trackio = trackio
        self._said: list[str] = []
        # it says what it could not write by a warning, and goes on
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: self._said.append(str(message))
        self._run = trackio.init(
            project=hello["project"],
            name=f"{hello['name']}-{hello['id'][:8]}",
            group=hello["group"],
            config=hello["params"],
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        self._said.clear()
        self._is_online = hello["is_online"]

    def logged(self) -> dict[str, int] | None:
        """Each tag's last step on this machine; a Space or a server is not asked."""
        if self._is_online:
            return None
        from trackio.sqlite_storage import SQLiteStorage

        last: dict[str, int] = {}
        for row in SQLiteStorage.get_logs(self._run.project, self._run.name):
            last.update({tag: max(last.get(tag, -1), row["step"]) for tag in row})
        return last

    def row(self, step: int, values: dict[str, Any]) -> None:
        self._run.log(dict(values), step=step)
        if self._said:
            said, self._said = self._said[-1], []
            raise OSError(said)

    def image(self, tag: str, path: Path, step: int) -> None:
        self.row(step, {tag: self._trackio.Image(str(path))})

    def audio(self, tag: str, path: Path, step: int) -> None:
        self.row(step, {tag: self._trackio.Audio(str(path))})

    def close(self, status: str) -> None:
        self._run.finish()
