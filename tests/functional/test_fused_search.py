"""The kernel's codes are those of a search in float64. Without a GPU Triton's interpreter runs it."""

import os
import subprocess
import sys

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.nearest import fused, nearest_code, set_fused

CASES = """
import torch
from ganvas.functional import fused_search

assert fused_search.is_there()
device = "cuda" if torch.cuda.is_available() else "cpu"
for count, width, size, dtype in CASES:
    generator = torch.Generator().manual_seed(count)
    z = (torch.randn(count, width, generator=generator) + 3).to(dtype)
    e = torch.randn(size, width, generator=generator) + 3
    origin = e.median(0).values
    codes = e - origin
    arguments = [z, codes, codes.square().sum(1) / -2, origin]
    found = fused_search.best_code(*(one.to(device) for one in arguments)).cpu()
    asked = torch.cdist(z.double(), e.double()).argmin(1)
    assert torch.equal(found, asked), (count, width, size, dtype, (found != asked).sum())
ones, nothing = torch.ones(70, 5, device=device), torch.zeros(70, device=device)
for z in (torch.ones(3, 5), torch.full((3, 5), float("nan")), torch.ones(0, 5)):
    found = fused_search.best_code(z.to(device), ones, nothing, nothing[:5])
    assert found.tolist() == [0] * len(z), found
"""


def test_the_kernel_is_a_search_in_float64():
    pytest.importorskip("triton", reason="comes with torch's builds for CUDA")
    cases = [
        (1, 1, 2, "torch.float32"),
        (5, 3, 7, "torch.float16"),
        (129, 40, 65, "torch.float32"),
        (300, 64, 200, "torch.bfloat16"),
    ]
    text = "CASES = [" + ", ".join(f"({n}, {d}, {k}, {dtype})" for n, d, k, dtype in cases) + "]"
    script = f"import torch\n{text}\n{CASES}"
    environment = os.environ | ({} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"})
    words = [sys.executable, "-c", script]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_it_is_refused_without_a_gpu_and_nothing_changes():
    with pytest.raises(OptionError, match=r"^fused_search=True: needs a GPU"):
        set_fused(True)
    assert not fused()
    assert nearest_code(torch.tensor([[0.9]]), torch.tensor([[0.0], [1.0]])).tolist() == [1]
