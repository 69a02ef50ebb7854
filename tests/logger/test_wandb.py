"""What Weights & Biases itself reads of a run that was killed twice and resumed."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.real_processes]

READ = """
import json, struct, sys
from pathlib import Path
from wandb.proto.wandb_internal_pb2 import Record

scalars, images, params, ids = {}, {}, {}, set()
for path in sorted(Path(sys.argv[1]).glob("wandb/offline-run-*/*.wandb")):
    data, parts = path.read_bytes(), []
    head, at = data[:7], 7
    assert head[:4] == b":W&B"
    while len(data) - at >= 7:
        rest = (1 << 15) - (at & 0x7FFF)
        if rest < 7:
            at += rest
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if not kind:
            break
        parts.append(data[at + 7 : at + 7 + length])
        at += 7 + length
        if kind not in (1, 4):
            continue
        record = Record.FromString(b"".join(parts))
        parts = []
        if record.WhichOneof("record_type") == "run":
            ids.add(record.run.run_id)
            assert record.run.run_group == "sweep"
            for one in record.run.config.update:
                params[one.key or "/".join(one.nested_key)] = json.loads(one.value_json)
        for one in record.config.update:
            params[one.key or "/".join(one.nested_key)] = json.loads(one.value_json)
        row = {tuple(one.nested_key) or (one.key,): json.loads(one.value_json) for one in record.history.item}
        row = {names[0] if len(names) == 1 else names: value for names, value in row.items()}
        for tag, value in row.items():
            if isinstance(tag, tuple):
                if tag[1] == "path":
                    images.setdefault(tag[0], []).append(row["_step"])
                    assert (path.parent / "files" / value).stat().st_size > 500
            elif not tag.startswith("_") and tag != "examples":
                scalars.setdefault(tag, []).append([row["_step"], value])
                assert row["examples"] == row["_step"]
assert len(ids) == 1
print(json.dumps({"scalars": scalars, "images": images, "params": params}))
"""


def test_each_step_is_there_once_as_in_metrics_jsonl(followed: Any) -> None:
    followed.check(followed.read("wandb", READ, str(followed.path / "wandb")))
