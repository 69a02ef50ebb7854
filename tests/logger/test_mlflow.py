"""What MLflow itself reads of a run that was killed twice and resumed."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

READ = """
import json, sys
from pathlib import Path
from mlflow import MlflowClient

client = MlflowClient(f"sqlite:///{sys.argv[1]}/mlflow.db")
(experiment,) = [one for one in client.search_experiments() if one.name == "train"]
(run,) = client.search_runs([experiment.experiment_id])
assert run.info.status == "FINISHED"
assert run.data.tags["sweep"] == "sweep"
scalars = {
    tag: [[one.step, one.value] for one in client.get_metric_history(run.info.run_id, tag)]
    for tag in run.data.metrics
}
images = {
    tag: sorted(int(Path(one.path).stem) for one in client.list_artifacts(run.info.run_id, f"images/{tag}"))
    for tag in ("samples", "codes")
}
print(json.dumps({"scalars": scalars, "images": images, "params": run.data.params}))
"""


def test_each_step_is_there_once_as_in_metrics_jsonl(followed: Any) -> None:
    followed.check(followed.read("mlflow", READ, str(followed.path / "mlflow")))
