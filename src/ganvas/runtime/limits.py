"""What this machine and this data allow of a run's options, asked before anything is written."""

from __future__ import annotations

import errno
import os
import socket

import torch
from torch import distributed

from ganvas.errors import require
from ganvas.runtime.trainer import AcceleratorOptions, TrainerOptions, processes

# Whoever starts the processes of several machines leaves one of these.
_LAUNCHERS = ("MASTER_ADDR", "SLURM_NTASKS", "LSB_JOBID", "OMPI_COMM_WORLD_RANK")
_RANKS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID")


def check_machine(machine: AcceleratorOptions) -> None:
    """Raises OptionError, with the key's whole path, at what would fail or hang once the run is there."""
    _check_precision(machine)
    backend = machine.process_group_backend
    there = {"gloo": distributed.is_gloo_available(), "nccl": distributed.is_nccl_available()}
    able = [name for name in there if there[name] and not (name == "nccl" and machine.uses_cpu)]
    require(backend is None or backend in able, "accelerator.process_group_backend", backend,
            f"is not there for this device; there are: null, {', '.join(able)}")  # fmt: skip
    if machine.num_nodes > 1:
        require(any(name in os.environ for name in _LAUNCHERS), "accelerator.num_nodes", machine.num_nodes,
                "would wait for machines that nobody starts: neither SLURM nor torchrun runs this, and "
                "MASTER_ADDR is not set; set it on every machine, or num_nodes=1")  # fmt: skip
    if processes(machine) > 1:
        _check_port()


def _check_precision(machine: AcceleratorOptions) -> None:
    precision = machine.precision
    if precision == "16-mixed":  # Lightning would take bf16-mixed in its stead and go on
        require(not machine.uses_cpu, "accelerator.precision", precision,
                "needs a GPU; on a CPU there are: 32-true, bf16-mixed")  # fmt: skip
    on_cuda = machine.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    if precision == "bf16-mixed" and on_cuda:
        require(torch.cuda.is_bf16_supported(including_emulation=False), "accelerator.precision", precision,
                "this GPU has no bfloat16; there are: 32-true, 16-mixed")  # fmt: skip


def _check_port() -> None:
    """The first process of all listens on MASTER_PORT, where that is set; the others must not ask."""
    text = os.environ.get("MASTER_PORT")
    first = all(os.environ.get(name, "0") == "0" for name in _RANKS)
    # Under torchrun the port is its own agent's, and in a group that is there already it is ours.
    if text is None or not first or "TORCHELASTIC_RUN_ID" in os.environ or distributed.is_initialized():
        return
    mend = "unset the environment variable, or set it to a free port"
    require(
        text.isascii() and text.isdigit() and 0 < int(text) < 2**16,
        "MASTER_PORT",
        text,
        f"is no port; {mend}",
    )
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("", int(text)))
        except OSError as error:
            taken, denied = error.errno == errno.EADDRINUSE, error.errno == errno.EACCES
            require(not taken, "MASTER_PORT", text, f"is in use by another program; {mend}")
            require(not denied, "MASTER_PORT", text, f"needs the rights of an administrator; {mend}")


def check_epoch(options: TrainerOptions, *, train_batches: int, val_batches: int) -> None:
    """Raises OptionError where a share of an epoch is less than one batch.

    Args:
        options: the trainer's.
        train_batches: whole batches in the training split.
        val_batches: batches in the validation split, the last may be short; 0: nothing is validated.
    """
    counts = {"limit_train_batches": train_batches, "limit_val_batches": val_batches,
              "overfit_batches": train_batches}  # fmt: skip
    for name, batches in counts.items():
        share = getattr(options, name)
        if isinstance(share, float) and share > 0 and batches:
            require(int(batches * share) > 0, f"trainer.{name}", share,
                    f"is less than one of {batches} batches; take 1 (a number of batches) or a share of "
                    f"at least {1 / batches:.3g}")  # fmt: skip
