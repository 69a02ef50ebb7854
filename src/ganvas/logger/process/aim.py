"""Aim, in its own process; see serve.py beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class Adapter:
    def open(self, hello: dict[str, Any]) -> None:
        os.environ["AIM_UI_TELEMETRY_ENABLED"] = "0"
        import aim
        from aim.sdk.repo import Repo

        self._aim, folder = aim, Path(hello["save_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        repo = Repo.from_path(str(folder), init=True)
        noted = Path(hello["home"]) / "aim_run"  # Aim chooses a run's name itself
        key = noted.read_text() if noted.is_file() else None
        if key is not None and not repo.run_exists(key):
            key = None
        self._run = aim.Run(
            key,
            repo=repo,
            experiment=hello["project"],
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
            force_resume=True,
        )
        noted.write_text(self._run.hash)
        self._run.name = hello["name"]
        if hello["group"] and hello["group"] not in self._run.tags:
            self._run.add_tag(hello["group"])
        self._run["config"] = hello["params"]

    def logged(self) -> dict[str, int]:
        """Nothing needs to be known: a step that is tracked again takes the place of the first one."""
        return {}

    def row(self, step: int, values: dict[str, float]) -> None:
        for tag, value in values.items():
            self._run.track(value, name=tag, step=step)

    def image(self, tag: str, path: Path, step: int) -> None:
        self._run.track(self._aim.Image(str(path)), name=tag, step=step)

    def audio(self, tag: str, path: Path, step: int) -> None:
        self._run.track(self._aim.Audio(str(path), format="wav"), name=tag, step=step)

    def close(self, status: str) -> None:
        self._run["status"] = status
        self._run.close()
