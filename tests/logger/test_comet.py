"""What Comet itself reads of a run that was killed twice and resumed."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

READ = """
import json, sys, zipfile
from pathlib import Path

scalars, images, params, starts = {}, {}, {}, []
for path in Path(sys.argv[1]).glob("*.zip"):
    with zipfile.ZipFile(path) as archive:
        if archive.namelist():
            starts.append((json.loads(archive.read("experiment.json"))["start_time"], path))
assert len({path.name.partition("-")[0] for _, path in starts}) == 1, "one experiment"
for _, path in sorted(starts):
    with zipfile.ZipFile(path) as archive:
        assert "sweep" in json.loads(archive.read("experiment.json"))["tags"]
        for line in archive.read("messages.json").decode().splitlines():
            message = json.loads(line)
            payload = message["payload"]
            if message["type"] == "metric_msg":
                metric = payload["metric"]
                if metric["metricName"] != "process duration":  # of Comet's own
                    one = [metric["step"], metric["metricValue"]]
                    scalars.setdefault(metric["metricName"], []).append(one)
            elif message["type"] == "parameter_msg":
                params[payload["param"]["paramName"]] = payload["param"]["paramValue"]
            elif message["type"] == "file_upload":
                more = payload["additional_params"]
                images.setdefault(more["figName"], []).append(more["step"])
                assert len(archive.read(payload["file_path"])) > 500
print(json.dumps({"scalars": scalars, "images": images, "params": params}))
"""


def test_each_step_is_there_once_as_in_metrics_jsonl(followed: Any) -> None:
    followed.check(followed.read("comet", READ, str(followed.path / "comet")))
