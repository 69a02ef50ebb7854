"""What Aim itself reads of a run that was killed twice and resumed."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

READ = """
import json, sys
from aim import Repo, Run

repo = Repo(sys.argv[1])
repo._recreate_index()  # as the page of Aim does when it starts
(run,) = list(repo.iter_runs())
run = Run(run.hash, repo=repo, read_only=True)
assert run.experiment == "train"
assert [str(tag) for tag in run.props.tags] == ["sweep"]
scalars, images = {}, {}
for one in run.metrics():
    steps, (values, *_) = one.data.items_list()
    scalars[one.name] = sorted([int(step), float(value)] for step, value in zip(steps, values))
for one in repo.query_images("True", report_mode=0).iter():
    images[one.name] = sorted(int(step) for step, _ in one.values.items())
print(json.dumps({"scalars": scalars, "images": images, "params": run["config"]}))
"""


def test_each_step_is_there_once_as_in_metrics_jsonl(followed: Any) -> None:
    found = followed.read("aim", READ, str(followed.path / "aim"))
    followed.check(found)
    tag = "speed/examples_per_second"  # what is logged again takes the place of the first
    assert found["scalars"][tag] == followed.rows()[tag]
