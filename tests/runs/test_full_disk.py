"""Every command on a disk that is really full: a tmpfs, mounted for one process alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_COMMANDS = """
import json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from ganvas.cli.main import main

for words in json.load(sys.stdin):
    said, told = StringIO(), StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = main(words)
    there = sorted(os.path.join(place, name) for place, _, names in os.walk("full") for name in names)
    print(json.dumps([words, code, said.getvalue(), told.getvalue(), there]), flush=True)
"""
_MOUNT = """
mount --make-rprivate / && mount -t tmpfs -o size=64k,nr_inodes=200 tmpfs full || exit 77
for name in x.png x.npz x.gif x.svg x.csv x.safetensors; do echo old > full/$name; done
mkdir full/run && cp -r run/. full/run && rm -rf full/run/evaluations.jsonl
head -c 1000000 /dev/zero > full/filler 2> /dev/null
exec "$0" -c "$1"
"""


def test_every_command_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    from ganvas.cli.main import main

    small = ["model.generator.hidden_dim=8", "model.discriminator.hidden_dim=8", "logger=none"]
    words = ["train", "trainer=smoke", "callback=minimal", *small, "trainer.max_examples=128"]
    assert main([*words, "paths.run_dir=whole"]) == 0
    Path("run").mkdir()
    for name in ("run.yaml", "status.json", "metrics.jsonl"):  # without weights: it must fit
        Path("run", name).write_bytes(Path("whole", name).read_bytes())
    (tmp_path / "full").mkdir()
    outputs = [
        ["sample", "whole", "--num", "9", "--out", "full/x.png"],
        ["sample", "whole", "--num", "9", "--out", "full/x.npz"],
        ["sample", "whole", "--num", "9", "--out", "full/new/"],
        ["interpolate", "whole", "--out", "full/x.npz"],
        ["walk", "whole", "--out", "full/x.gif"],
        ["neighbours", "whole", "--out", "full/x.png"],
        ["export", "whole", "--out", "full/x.safetensors"],
        ["plot", "whole", "--out", "full/x.svg"],
        ["compare", "whole", "full/run", "--no-rank", "--csv", "full/x.csv"],
        ["shards", "data=digits", "--out", "full/shards"],
        ["init", "full/mine"],
        [*words, "paths.run_dir=full/new"],
    ]
    ended = subprocess.run(
        ["unshare", "-m", "bash", "-c", _MOUNT, sys.executable, _COMMANDS],
        input=json.dumps(outputs),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if ended.returncode == 77 or "unshare failed" in ended.stderr:
        pytest.skip("mounts need root")
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(told) == len(outputs), ended.stderr
    first = told[0][4]
    for words, code, said, error, there in told:
        assert "Traceback" not in error + said
        # A run that cannot begin is a place of the user's choice that does not fit: an option.
        # Of an array or a folder of samples the size is known before: the disk has not so much left.
        is_option = words[0] == "train" or (words[0] == "sample" and words[-1] != "full/x.png")
        assert (code, error.count("\n")) == (1 + is_option, 1), (words, code, said, error)
        assert "No space left on device" in error or "has 0 bytes free" in error
        assert there == first
        assert "neighbours" not in words or "nearest: " in said
        assert "compare" not in words or "neighbours by" in said or "metrics" in said
