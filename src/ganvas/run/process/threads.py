"""How many CPU threads a training takes where nobody has said it."""

from __future__ import annotations

import os

import torch
from torch import nn

# Multiply-adds of the largest layer over one batch of a process, below which a second thread waits more than
# it helps. MLP GAN, batch 64, seconds with two threads over those with one: hidden_dim 128 1.04, 512 1.18,
# 1024 1.06, 2048 0.95 (benchmarks/busy_cores.py --recipes "MLP GAN" --sweep 1 2 --rounds 2 --with
# model.generator.hidden_dim=H model.discriminator.hidden_dim=H, on two idle cores of a 16-core Xeon).
LEAST_WORK = 10_000_000
_CHOICES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def choose_threads(threads: int | None, model: nn.Module, batch_size: int, *, uses_cpu: bool) -> None:
    """Sets torch's number of threads: as asked, one where networks are small, else as it is.

    Args:
        threads: what the user asks for, or None.
        model: all networks that train.
        batch_size: samples of one process's batch.
        uses_cpu: whether they train on the CPU.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    elif uses_cpu and not any(os.environ.get(name) for name in _CHOICES) and not has_work(model, batch_size):
        torch.set_num_threads(1)


def has_work(model: nn.Module, batch_size: int) -> bool:
    """Whether a batch keeps more than one thread busy: a layer is no linear one, or a large one."""
    layers = [one for one in model.modules() if next(one.parameters(recurse=False), None) is not None]
    return any(
        not isinstance(one, nn.Linear) or batch_size * one.weight.numel() >= LEAST_WORK for one in layers
    )
