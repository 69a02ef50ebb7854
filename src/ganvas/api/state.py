"""A call from a Python program leaves the process as it was: draws, flags, folder, signals, logging."""

from __future__ import annotations

import importlib
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from ganvas.errors import OptionError
from ganvas.run.process.lean_import import keep_torchmetrics_lean
from ganvas.run.process.spinning import bound_spinning

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_LOGGERS = (
    *(None, "ganvas", "pytorch_lightning", "lightning.pytorch"),
    *("lightning.fabric", "lightning_fabric"),
)


def call(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function of the Python interface: the state of the process survives it, and errors name arguments."""

    @wraps(function)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with preserved_state(), _named_as_arguments():
            return function(*args, **kwargs)

    return wrapped


def light_call(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same of a function that needs no torch, whose import takes seconds."""

    @wraps(function)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with preserved_state(uses_torch=False), _named_as_arguments():
            return function(*args, **kwargs)

    return wrapped


@contextmanager
def preserved_state(*, uses_torch: bool = True) -> Iterator[None]:
    """Inside, torch computes as in a fresh process; afterwards all is as before.

    Kept are the global generators (Python, NumPy, torch), torch's flags, the current folder, the environment,
    signal handlers, logging and filters of warnings. What stays changed: modules are imported,
    ``--config-dir``'s folders are on sys.path, and GOMP_SPINCOUNT is set where torch was not yet imported.
    """
    with ExitStack() as stack:
        if uses_torch and "torch" not in sys.modules:
            bound_spinning()
        stack.enter_context(_folder())
        stack.enter_context(_signals())
        if uses_torch:
            keep_torchmetrics_lean()
            stack.enter_context(_draws())
            # Lightning comes with it; what its import does to logging and warnings is to stay.
            importlib.import_module("ganvas.run.load")
            stack.enter_context(_torch())
        stack.enter_context(_logging())
        yield


@contextmanager
def _named_as_arguments() -> Iterator[None]:
    """``--num-real`` of a command is ``num_real`` here."""
    try:
        yield
    except OptionError as error:
        if not error.option.startswith("--"):
            raise
        option = error.option.lstrip("-").replace("-", "_")
        raise OptionError(option, error.value, error.reason) from error


@contextmanager
def _folder() -> Iterator[None]:
    folder, environment = os.getcwd(), dict(os.environ)
    try:
        yield
    finally:
        os.chdir(folder)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(
            {name: value for name, value in environment.items() if os.environ.get(name) != value}
        )


@contextmanager
def _signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:  # None: not set by Python
                signal.signal(number, handler)


@contextmanager
def _logging() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(one.level, list(one.handlers), one.propagate) for one in loggers]
    with warnings.catch_warnings():
        shows = warnings.showwarning
        try:
            yield
        finally:
            if warnings.showwarning is not shows:
                logging.captureWarnings(False)
            for one, (level, handlers, propagate) in zip(loggers, before):
                one.setLevel(level)
                one.handlers[:] = handlers
                one.propagate = propagate


@contextmanager
def _draws() -> Iterator[None]:
    python = random.getstate()  # before an import draws from it
    import numpy as np
    import torch

    numpy, cpu = np.random.get_state(), torch.get_rng_state()
    on_gpus = torch.cuda.is_available() and torch.cuda.is_initialized()
    gpus = torch.cuda.get_rng_state_all() if on_gpus else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if gpus is not None:
            torch.cuda.set_rng_state_all(gpus)


@contextmanager
def _torch() -> Iterator[None]:
    import torch

    from ganvas.functional.nearest import fused, set_fused

    cudnn, searches = torch.backends.cudnn, fused()
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    precision = torch.get_float32_matmul_precision()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    flags = cudnn.benchmark, cudnn.deterministic
    anomaly = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        set_fused(searches)
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        cudnn.benchmark, cudnn.deterministic = flags
        torch.autograd.set_detect_anomaly(*anomaly)
