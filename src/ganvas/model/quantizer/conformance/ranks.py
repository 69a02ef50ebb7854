"""Two processes that train together, beside one on the joint batch."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ganvas.functional.distributed import mean_over_ranks_
from ganvas.model.quantizer.conformance.expect import (
    Found,
    NotAsked,
    expect,
    expect_close,
    expect_equal,
    first_line,
    state_of,
)
from ganvas.model.quantizer.conformance.masks import refuses_masks
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.interface import Quantizer

_Batch = tuple[Tensor, Tensor | None]  # latents [B, D, *positions], and a mask bool [B, *positions]
_STEPS = 5
_PATIENCE = 120.0  # seconds, for both to start and to train


def two_ranks_are_one_process(subject: Subject) -> None:
    """Two gloo ranks, each with half of every batch and gradients averaged, have the codes, losses, usage,
    gradients and state of one process on the whole batch, from before the first batch on, also with masks."""
    if not dist.is_available() or not dist.is_gloo_available():
        raise NotAsked("this torch has no gloo")
    quantizer = subject.fresh()
    takes_masks = refuses_masks(quantizer, subject.latents()) is None
    batches: list[_Batch] = []
    for step in range(_STEPS):
        z = subject.latents(2 * subject.batch)
        mask = torch.rand_like(z[:, 0]) > 0.4  # other numbers of vectors on each rank
        batches.append((z, mask if takes_masks and step % 2 else None))
    first, second = _on_two_ranks(quantizer, batches)
    joint = _train(copy.deepcopy(quantizer), batches)
    for step in range(_STEPS):
        one, other, whole = (each[step] for each in (first, second, joint))
        name = f"in batch {step + 1} on two ranks"
        for key in ("indices", "quantized", "gradient"):
            both = torch.cat([one[key], other[key]])
            compare = expect_close if both.is_floating_point() else expect_equal
            compare(both, whole[key], f"{key} {name}")
        for key, asked in whole.items():
            if key.startswith("state "):
                expect_close(one[key], asked, f"{key.removeprefix('state ')} {name}")
                expect_equal(one[key], other[key], f"{key.removeprefix('state ')} {name}, between ranks,")
            elif key.startswith(("perplexity", "codes_used")):
                expect_close(one[key], asked, f"metric {key} {name}")
            elif key not in ("indices", "quantized", "gradient"):
                expect_close((one[key] + other[key]) / 2, asked, f"the ranks' mean of {key} {name}")


def _train(
    quantizer: Quantizer, batches: Sequence[_Batch], rank: int = 0, world: int = 1
) -> list[dict[str, Tensor]]:
    """What every batch gives, of which this rank takes its part."""
    learned = [one for one in quantizer.parameters() if one.requires_grad]
    steps = []
    for batch, mask in batches:
        z = batch.chunk(world)[rank].clone().requires_grad_(True)
        output = quantizer.train()(z, None if mask is None else mask.chunk(world)[rank])
        for one in learned:
            one.grad = None
        (output.loss + (output.quantized * z.detach().sin()).mean()).backward()
        gradients = [one.grad for one in learned if one.grad is not None]
        mean_over_ranks_(gradients)
        with torch.no_grad():
            for one in learned:
                if one.grad is not None:
                    one.sub_(0.5 * one.grad)
        assert z.grad is not None
        step = {"indices": output.indices, "quantized": output.quantized, "gradient": z.grad / world}
        step |= {"loss": output.loss} | output.metrics
        step |= {f"state {name}": value for name, value in state_of(quantizer).items()}
        steps.append({name: value.detach().clone() for name, value in step.items()})
    return steps


def _on_two_ranks(quantizer: Quantizer, batches: Sequence[_Batch]) -> list[list[dict[str, Tensor]]]:
    """``_train`` on two processes of their own.

    Raises:
        Found: one of them raises, dies or hangs.
        NotAsked: the quantizer cannot be sent to another process.
    """
    try:
        with _without_main():
            pickle.dumps(quantizer)
    except Exception as error:
        raise NotAsked(f"it cannot be sent to another process ({first_line(error)})") from error
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    try:
        for rank in range(2):
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=_rank, args=(there, rank, store.port, quantizer, batches), daemon=True
            )
            with _without_main():
                process.start()
            there.close()
            ends.append(here)
            processes.append(process)
        return [_answer(here, rank) for rank, here in enumerate(ends)]
    finally:
        for process in processes:
            process.kill()
            process.join()


@contextmanager
def _without_main() -> Iterator[None]:
    """A process that is started here does not run the program's file, which may be one without a guard."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _answer(here: Any, rank: int) -> list[dict[str, Tensor]]:
    expect(
        here.poll(_PATIENCE), f"rank {rank} of 2 has not trained {_STEPS} batches in {_PATIENCE:.0f} seconds"
    )
    try:
        answer: Any = here.recv()
    except EOFError:
        raise Found(f"rank {rank} of 2 died") from None
    if isinstance(answer, str):
        raise Found(f"on rank {rank} of 2: {answer}")
    return [{name: torch.from_numpy(value) for name, value in step.items()} for step in answer]


def _rank(there: Any, rank: int, port: int, quantizer: Quantizer, batches: Sequence[_Batch]) -> None:
    """One rank; answers with arrays, since tensors would be lent by a process that ends."""
    torch.set_num_threads(1)
    own = copy.deepcopy(quantizer)  # the other rank has the same memory
    store = dist.TCPStore("127.0.0.1", port, is_master=False)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    try:
        steps: list[Mapping[str, Tensor]] = list(_train(own, batches, rank, 2))
        there.send([{name: value.numpy() for name, value in step.items()} for step in steps])
    except Exception as error:
        there.send(f"{type(error).__name__}: {first_line(error)}")
    there.close()
