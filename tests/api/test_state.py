"""What a call must leave as it was."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import torch
from hydra import compose as hydra_compose
from hydra import initialize
from hydra.core.global_hydra import GlobalHydra

import ganvas
import ganvas.run.load  # Lightning's import sets handlers and filters
from ganvas.api.state import preserved_state


def everything() -> dict[str, object]:
    loggers = [logging.getLogger(name) for name in (None, "ganvas", "pytorch_lightning", "lightning_fabric")]
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": torch.get_rng_state().tolist(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "hydra": GlobalHydra.instance().hydra,
        "logging": [(one.level, list(one.handlers), one.propagate) for one in loggers],
        "warnings": (list(warnings.filters), warnings.showwarning),
    }


def test_training_and_what_follows_leave_the_process_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    mine = logging.StreamHandler()
    logging.getLogger("pytorch_lightning").addHandler(mine)
    try:
        with initialize(version_base="1.3", config_path=None):
            before = everything()
            words = ["trainer=smoke", "callback=minimal", "accelerator.threads=2", "trainer.max_examples=128"]
            more = [
                "trainer.deterministic=true",
                "accelerator.matmul_precision=medium",
                "trainer.detect_anomaly=true",
            ]
            run = ganvas.train([*words, *more])
            ganvas.evaluate(run, metrics=["fid"], num=64, num_real=64)
            run.sample(4)
            ganvas.load(run.path)
            after = everything()
            assert hydra_compose(overrides=["+a=1"]) == {"a": 1}
    finally:
        logging.getLogger("pytorch_lightning").removeHandler(mine)
    assert {name: value for name, value in after.items() if value != before[name]} == {}


def test_an_error_leaves_it_as_it_was_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = everything()
    try:
        with preserved_state():
            torch.use_deterministic_algorithms(True)
            torch.manual_seed(1)
            os.chdir("/")
            os.environ["GANVAS_TEST"] = "1"
            del os.environ["PATH"]
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise ValueError
    except ValueError:
        pass
    after = everything()
    assert {name: value for name, value in after.items() if value != before[name]} == {}


@pytest.mark.slow
def test_the_first_call_draws_nothing_and_sets_nothing_either(outputs):
    """It imports torch and Lightning, which draw from Python's generator and write into the environment."""
    source = f"""
        import os, random
        import ganvas
        random.seed(1)
        os.environ["GOMP_SPINCOUNT"] = "7"
        before = random.getstate(), dict(os.environ)
        run = ganvas.load("a_gan", output_dir={str(outputs)!r})
        run.sample(3)
        print(before == (random.getstate(), dict(os.environ)))
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    assert subprocess.check_output(command, text=True) == "True\n"
