from __future__ import annotations

import numpy as np
import pytest
import torch

from ganvas.errors import OptionError, OutOfMemoryError
from ganvas.functional import memory
from ganvas.functional.memory import free_memory, in_words, memory_error, require_disk, require_memory

CUDA = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which "
    "1.12 GiB is free. Including non-PyTorch memory, this process has 77.97 GiB memory in use."
)


def refuse_torch() -> object:
    return torch.empty(2**50)


def refuse_size() -> object:
    return torch.empty(2**62, 2**62)


def refuse_numpy() -> object:
    return np.empty(2**52, np.uint8)


def refuse_python() -> object:
    return bytearray(2**55)


@pytest.mark.parametrize(
    ("refuse", "asked"),
    [
        (refuse_torch, "(4.5 PB more were asked for and "),
        (refuse_size, "GB are free)"),
        (refuse_numpy, "(4.00 PiB more were asked for and "),
        (refuse_python, "GB are free)"),
    ],
)
def test_whoever_refuses_memory_is_told_in_one_line(refuse, asked: str, monkeypatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 5 * 10**9)
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        refuse()
    told = memory_error(caught.value, "take less")
    assert isinstance(told, OutOfMemoryError)
    assert str(told).startswith("the memory of this machine is not enough (")
    assert asked.replace("GB are free", "5 GB are free") in str(told)
    assert str(told).endswith("; take less")
    assert "\n" not in str(told)
    assert memory_error(told, "other") is told


def test_a_stack_of_cpp_is_left_out() -> None:
    stack = "\n".join(f"frame #{number}: c10::alloc_cpu(unsigned long) + 0x1b" for number in range(90))
    head = (
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: not enough memory: you tried to allocate "
    )
    told = memory_error(RuntimeError(f"{head}7000000000 bytes.\n{stack}"), "take less")
    assert "7 GB more were asked for" in str(told)
    assert "frame" not in str(told)
    assert len(str(told)) < 150


def test_a_gpu() -> None:
    told = memory_error(torch.OutOfMemoryError(CUDA), "take less")
    assert str(told) == "the memory of the GPU is not enough (20.00 GiB more were asked for); take less"
    assert memory_error(RuntimeError("CUDA error: out of memory"), "take less") is not None


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not match"), ValueError("out of memory"), OSError(28, "No space left")]
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert memory_error(error, "") is None


def test_what_cannot_fit_is_refused_with_both_amounts(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 10**9)
    require_memory("--num", 9, 2 * 10**9, "9 samples")
    with pytest.raises(OptionError, match=r"^--num=9: 9 samples need 3 GB of memory, and 2 GB are free; ask"):
        require_memory("--num", 9, 3 * 10**9, "9 samples")
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    require_memory("--num", 9, 10**30, "9 samples")
    require_disk("--num", 9, 1000, tmp_path / "new" / "folder", "9 samples")
    with pytest.raises(OptionError, match=r"^--num=9: 9 samples need some 1 EB in .*/new, which has .*"):
        require_disk("--num", 9, 10**18, tmp_path / "new", "9 samples")


def test_amounts() -> None:
    free = free_memory()
    assert free is None or 10**6 < free < 10**16
    assert [in_words(size) for size in (0, 999, 1000, 12_345_678, 10**40)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "12.3 MB",
        "more bytes than can be counted",
    ]
