"""MLflow, in its own process; see serve.py beside it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

_MOST_PARAMS = 100  # in one call
_LONGEST = 6000  # letters of a parameter's value


class Adapter:
    def open(self, hello: dict[str, Any]) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        self._metric, folder = Metric, Path(hello["save_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        self._client = MlflowClient(uri)
        experiment = self._client.get_experiment_by_name(hello["project"])
        if experiment is None:
            place = None if hello["is_online"] else (folder / "artifacts").as_uri()
            number = self._client.create_experiment(hello["project"], artifact_location=place)
        else:
            number = experiment.experiment_id
        found = self._client.search_runs([number], f"tags.`ganvas.id` = '{hello['id']}'", max_results=1)
        if found:
            run = found[0]
            self._client.update_run(run.info.run_id, status="RUNNING")
        else:
            tags = {"ganvas.id": hello["id"], **({"sweep": hello["group"]} if hello["group"] else {})}
            run = self._client.create_run(number, run_name=hello["name"], tags=tags)
        self._id = run.info.run_id
        there = run.data.params
        params = {key: str(value)[:_LONGEST] for key, value in hello["params"].items()}
        new = [Param(key, value) for key, value in params.items() if key not in there]
        for at in range(0, len(new), _MOST_PARAMS):
            self._client.log_batch(self._id, params=new[at : at + _MOST_PARAMS])
        # a parameter is written once; what a resume has changed stands in tags
        changed = [
            RunTag(f"resumed.{key}", value) for key, value in params.items() if there.get(key, value) != value
        ]
        self._client.log_batch(self._id, tags=changed[:_MOST_PARAMS])

    def logged(self) -> dict[str, int]:
        tags = self._client.get_run(self._id).data.metrics
        last = {tag: max(one.step for one in self._client.get_metric_history(self._id, tag)) for tag in tags}
        for folder in self._client.list_artifacts(self._id):
            if folder.is_dir and folder.path in ("images", "audio"):
                for path in self._files(folder.path):
                    tag, _, name = path.removeprefix(f"{folder.path}/").rpartition("/")
                    last[tag] = max(last.get(tag, -1), int(Path(name).stem))
        return last

    def row(self, step: int, values: dict[str, float]) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(self._id, [self._metric(tag, one, now, step) for tag, one in values.items()])

    def image(self, tag: str, path: Path, step: int) -> None:
        self._client.log_artifact(self._id, str(path), f"images/{tag}")

    def audio(self, tag: str, path: Path, step: int) -> None:
        self._client.log_artifact(self._id, str(path), f"audio/{tag}")

    def close(self, status: str) -> None:
        known = {"success": "FINISHED", "killed": "KILLED"}
        self._client.set_terminated(self._id, known.get(status, "FAILED"))

    def _files(self, folder: str) -> list[str]:
        found: list[str] = []
        for one in self._client.list_artifacts(self._id, folder):
            found += self._files(one.path) if one.is_dir else [one.path]
        return found
