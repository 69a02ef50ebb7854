from __future__ import annotations

import subprocess
import sys

import pytest

_LEAN = "from ganvas.run.lean_import import keep_torchmetrics_lean\nkeep_torchmetrics_lean()\n"


def run(source: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", _LEAN + source]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_neither_is_imported_and_both_can_be() -> None:
    pytest.importorskip("matplotlib")
    source = """
import sys
import pytorch_lightning, torch, torchmetrics
import torchmetrics.audio, torchmetrics.functional.image
heavy = ("scipy.signal", "scipy.stats", "matplotlib", "matplotlib.pyplot", "torchmetrics.utilities.plot")
assert not any(name in sys.modules for name in heavy), [name for name in heavy if name in sys.modules]
assert not [finder for finder in sys.meta_path if "ganvas" in type(finder).__module__]

import scipy.signal
import scipy
from scipy.signal import windows
assert scipy.signal is sys.modules["scipy.signal"] and len(windows.hamming(3)) == 3
assert type(scipy.signal) is type(sys)

metric = torchmetrics.MeanMetric()
metric.update(torch.tensor(2.0))
import matplotlib
matplotlib.use("agg")
metric, axes = metric.plot()
assert type(metric) is matplotlib.figure.Metric
from torchmetrics.utilities import plot
assert type(plot) is type(sys) and plot._AX_TYPE is matplotlib.axes.Axes
print("done")
"""
    assert run(source) == "done\n"


def test_what_is_asked_for_meanwhile_is_real(tmp_path) -> None:
    """A package that torchmetrics imports in turn may want scipy.signal or a submodule of it."""
    source = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import importlib.abc

class Probe(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torchmetrics.functional":
            sys.meta_path.remove(self)
            import foreign

sys.meta_path.insert(0, Probe())
import torchmetrics, foreign, scipy.signal
assert foreign.hann is scipy.signal.windows.hann
assert foreign.butter is scipy.signal.butter
print("done")
"""
    (tmp_path / "foreign.py").write_text(
        "import scipy.signal.windows\nfrom scipy.signal import butter\n"
        "from scipy.signal.windows import hann\n"
    )
    assert run(source) == "done\n"


def test_after_torchmetrics_nothing_is_put_in() -> None:
    source = """
import sys, torchmetrics
before = list(sys.meta_path)
keep_torchmetrics_lean()
assert sys.meta_path == before
print("done")
"""
    assert run(source) == "done\n"
