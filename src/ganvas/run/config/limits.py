"""What this machine and this data allow of a run's options, asked before anything is written."""

from __future__ import annotations

import torch
from torch import distributed

from ganvas.errors import require
from ganvas.run.trainer import AcceleratorOptions, TrainerOptions


def check_machine(machine: AcceleratorOptions) -> None:
    """Raises OptionError, with the key's whole path, at what would fail or hang once the run is there."""
    _check_precision(machine)
    backend = machine.process_group_backend
    there = {"gloo": distributed.is_gloo_available(), "nccl": distributed.is_nccl_available()}
    able = [name for name in there if there[name] and not (name == "nccl" and machine.uses_cpu)]
    require(
        backend is None or backend in able,
        "accelerator.process_group_backend",
        backend,
        f"is not there for this device; there are: null, {', '.join(able)}",
    )


def _check_precision(machine: AcceleratorOptions) -> None:
    precision = machine.precision
    if precision == "16-mixed":  # Lightning would take bf16-mixed in its stead and go on
        require(
            not machine.uses_cpu,
            "accelerator.precision",
            precision,
            "needs a GPU; on a CPU there are: 32-true, bf16-mixed",
        )
    on_cuda = machine.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    if precision == "bf16-mixed" and on_cuda:
        require(
            torch.cuda.is_bf16_supported(including_emulation=False),
            "accelerator.precision",
            precision,
            "this GPU has no bfloat16; there are: 32-true, 16-mixed",
        )


def check_epoch(options: TrainerOptions, *, train_batches: int, val_batches: int) -> None:
    """Raises OptionError where a share of an epoch is less than one batch.

    Args:
        options: the trainer's.
        train_batches: whole batches in the training split.
        val_batches: batches in the validation split, the last may be short; 0: nothing is validated.
    """
    counts = {
        "limit_train_batches": train_batches,
        "limit_val_batches": val_batches,
        "overfit_batches": train_batches,
    }
    for name, batches in counts.items():
        share = getattr(options, name)
        if isinstance(share, float) and share > 0 and batches:
            require(
                int(batches * share) > 0,
                f"trainer.{name}",
                share,
                f"is less than one of {batches} batches; take 1 (a number of batches) or a share of "
                f"at least {1 / batches:.3g}",
            )
