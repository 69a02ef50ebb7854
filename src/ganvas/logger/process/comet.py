"""Comet, in its own process; see serve.py beside it."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any


class Adapter:
    def open(self, hello: dict[str, Any]) -> None:
        os.environ |= {
            "COMET_ERROR_TRACKING_ENABLE": "false",
            "COMET_DISABLE_AUTO_LOGGING": "1",
            "COMET_DISABLE_ANNOUNCEMENT": "1",
            "COMET_DISPLAY_SUMMARY_LEVEL": "0",
        }
        self._folder, self._is_online = Path(hello["save_dir"]), hello["is_online"]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._last = None if self._is_online else self._read_last(hello["id"])
        import comet_ml

        config = comet_ml.ExperimentConfig(
            offline_directory=str(self._folder),
            log_code=False,
            log_graph=False,
            log_git_metadata=False,
            log_git_patch=False,
            log_env_details=False,
            parse_args=False,
            auto_output_logging=False,
            auto_param_logging=False,
            auto_metric_logging=False,
            auto_histogram_weight_logging=False,
            auto_histogram_gradient_logging=False,
            auto_histogram_activation_logging=False,
            display_summary_level=0,
        )
        self._run = comet_ml.start(
            project_name=hello["project"],
            experiment_key=hello["id"],
            mode="get_or_create",
            online=self._is_online,
            experiment_config=config,
        )
        self._run.set_name(hello["name"])
        if hello["group"]:
            self._run.add_tag(hello["group"])
        self._run.log_parameters(hello["params"])

    def logged(self) -> dict[str, int] | None:
        """Each tag's last step in the archives; the service does not say."""
        return self._last

    def row(self, step: int, values: dict[str, float]) -> None:
        for tag, value in values.items():
            self._run.log_metric(tag, value, step=step)

    def image(self, tag: str, path: Path, step: int) -> None:
        self._run.log_image(str(path), name=tag, step=step)

    def audio(self, tag: str, path: Path, step: int) -> None:
        self._run.log_audio(str(path), file_name=tag, step=step)

    def close(self, status: str) -> None:
        self._run.log_other("ganvas_status", status)
        self._run.end()

    def _read_last(self, key: str) -> dict[str, int]:
        last: dict[str, int] = {}
        for path in sorted(self._folder.glob(f"{key}*.zip")):
            with zipfile.ZipFile(path) as archive:
                # one without messages was begun by a process that was killed
                is_begun = "messages.json" not in archive.namelist()
                text = "" if is_begun else archive.read("messages.json").decode()
            for line in text.splitlines():
                payload = json.loads(line).get("payload", {})
                metric, more = payload.get("metric") or {}, payload.get("additional_params") or {}
                tag = metric.get("metricName") or more.get("figName") or more.get("fileName")
                step = metric.get("step", more.get("step"))
                if tag and type(step) is int:
                    last[tag] = max(last.get(tag, -1), step)
        return last
