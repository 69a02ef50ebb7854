"""What Trackio itself reads of a run that was killed twice and resumed."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

READ = """
import json, os, sys

os.environ["TRACKIO_DIR"] = sys.argv[1]
from trackio.sqlite_storage import SQLiteStorage

(run,) = SQLiteStorage.get_run_records("train")
scalars, images = {}, {}
for row in SQLiteStorage.get_logs("train", run["name"]):
    step = row.pop("step")
    for tag, value in row.items():
        if isinstance(value, dict):
            images.setdefault(tag, []).append(step)
        elif tag != "timestamp":
            scalars.setdefault(tag, []).append([step, value])
params = SQLiteStorage.get_run_config("train", run["name"])
print(json.dumps({"scalars": scalars, "images": images, "params": params}))
"""


def test_each_step_is_there_once_as_in_metrics_jsonl(followed: Any) -> None:
    followed.check(followed.read("trackio", READ, str(followed.path / "trackio")))
