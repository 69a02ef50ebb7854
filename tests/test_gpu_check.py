"""benchmarks/gpu/check.py: its sections on a GPU where there is one, and small on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu" / "check.py"
SECTIONS = (
    "parts",
    "synchronization",
    "resume",
    "precision",
    "search",
    "throughput",
    "collectives",
    "compile",
)


def _check(out: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and output of one call."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(out), *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    return done.returncode, json.loads(out.read_text()) if out.exists() else {}, done.stdout


@pytest.mark.slow
def test_on_a_cpu_the_sections_run_and_say_what_they_found(tmp_path: Path) -> None:
    names = SECTIONS[:-1]  # all but compile, whose C++ compiler takes as long as the others together
    code, found, output = _check(
        tmp_path / "cpu.json", "--device", "cpu", "--small", "--sections", ",".join(names)
    )

    assert code == 0, output
    assert found["ok"]
    assert found["finished"]
    assert found["machine"]["device"] == "cpu"
    assert found["machine"]["card"] is None
    assert found["machine"]["torch"] == torch.__version__
    sections = found["sections"]
    assert tuple(sections) == names
    for section in sections.values():
        assert section.keys() == {"ok", "seconds", "failures", "error", "results"}
        assert section["ok"]
        assert section["seconds"] > 0
        assert section["results"]
    results = {name: section["results"] for name, section in sections.items()}
    conf = SCRIPT.parents[2] / "conf" / "model"
    assert set(results["parts"]["parts"]) == {
        f"{path.parent.name}/{path.stem}"
        for path in conf.glob("*/*.yaml")
        if path.parent.name not in ("schedule", "schedules")
    }
    assert "skipped" in results["parts"]["metrics"]["features/inception"]
    assert results["parts"]["metrics"]["samples/fid"]["worst"] == 0
    assert {"mlp_gan", "dcgan", "mlp_vqvae", "vqvae, fsq"} <= results["synchronization"]["recipes"].keys()
    assert all(one["equal"] for one in results["resume"].values())
    assert abs(results["precision"]["dcgan"]["bf16-mixed"]["clipped_step"]["generator"] - 1) < 0.03
    assert results["search"]["cdist+argmin, matmul_precision=highest"]["equal_to_nearest_code"] > 0.99
    assert results["throughput"]["dcgan, bf16-mixed"]["examples_per_s"] > 0
    assert results["throughput"]["dcgan, bf16-mixed"]["share_of_peak"] is None


def test_a_section_that_fails_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import check

def raises(bench):
    raise ValueError("broken on purpose")

def fails(bench):
    bench.expect(False, "does not hold")
    return {{"found": 1}}

check.SECTIONS.clear()
check.SECTIONS.update(raises=raises, fails=fails, holds=lambda bench: {{}})
sys.argv = ["check", "--device", "cpu", "--sections", "raises,fails,holds", "--out", sys.argv[1]]
sys.exit(check.main())
"""
    )
    command = [sys.executable, str(script), str(tmp_path / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 1, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    sections = found["sections"]
    assert not found["ok"]
    assert "ValueError: broken on purpose" in sections["raises"]["error"]
    assert sections["fails"] == sections["fails"] | {
        "ok": False,
        "failures": ["does not hold"],
        "results": {"found": 1},
    }
    assert sections["holds"]["ok"]


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("section", SECTIONS)
def test_on_a_gpu_a_section_holds(section: str, tmp_path: Path) -> None:
    code, _, output = _check(tmp_path / "gpu.json", "--sections", section, "--seconds", "1000")

    assert code == 0, output
