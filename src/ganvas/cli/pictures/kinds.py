"""``--kind temperatures`` and ``--kind order``: what they show of a prior."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.cli.pictures.sheet import Sheet
from ganvas.cli.pictures.task import Task, named, part_of
from ganvas.cli.trained.options.labels import labels_asked_for
from ganvas.errors import OptionError
from ganvas.modality.partial import veiled
from ganvas.model.interface import DrawsInSteps


def of_temperatures(task: Task, temperatures: Sequence[float]) -> Sheet:
    """A row each temperature, of the same random numbers and classes."""
    model, num, kind = task.model, task.num, task.kind
    task.require_room(num * len(temperatures))
    label = _labels(task)
    rows = []
    for temperature in temperatures:
        how = task.how(dataclasses.replace(task.drawing or model.drawing, temperature=temperature))
        made = [
            model.sample(
                count, task.arguments.seed, start=start, label=part_of(label, start, count), **how
            ).cpu()
            for start, count in task.parts(num)
        ]
        rows.append(torch.cat(made))
    x = torch.stack(rows)
    shown = ", ".join(f"{one:g}" for one in temperatures)
    told = f"rows: temperature {shown}; columns: {num} samples"
    names = [[f"temperature {one:g}, sample {number}" for number in range(num)] for one in temperatures]
    others = {"temperatures": torch.tensor(temperatures)} | named("labels", label)
    return Sheet(x, None, names, {kind.plural: x}, others, told)


def of_order(task: Task) -> Sheet:
    """Two rows a sample, a column a step."""
    model, num, kind, layout = task.model, task.num, task.kind, task.layout
    if not isinstance(model, DrawsInSteps):
        reason = (
            "is of a masked prior; this one draws codes in the order in which they lie; take another kind"
        )
        raise OptionError("--kind", "order", reason)
    task.require_room(2 * num * min(layout.length, 64))
    label = _labels(task)
    shares, guesses, codes = [], [], []
    for start, count in task.parts(num):
        how = task.how()
        steps = model.draw_in_steps(
            count, task.arguments.seed, start=start, label=part_of(label, start, count), **how
        )
        known = [(step.codes != layout.vocabulary).cpu() for step in steps]
        guesses.append(torch.stack([model.tokenizer.decode(step.guess).cpu() for step in steps], 1))
        shares.append(torch.stack([task.share(one) for one in known], 1))
        codes.append(torch.stack([step.codes.cpu() for step in steps], 1))
    x, share, whole = torch.cat(guesses), torch.cat(shares), torch.cat(codes)  # [num, steps, ...]
    stays = veiled(kind, x.flatten(0, 1), share.flatten(0, 1)).unflatten(0, x.shape[:2])
    left = [int((step == layout.vocabulary).sum(1).max()) for step in whole.unbind(1)]
    told = (
        f"columns: {whole.shape[1]} steps, after which {', '.join(map(str, left))} of {layout.length} codes "
        "are hidden; rows: what stays of a sample, and what all codes of the step decode to"
    )
    names = [
        [f"sample {number}, step {step}, {what}" for step in range(1, len(left) + 1)]
        for number in range(num)
        for what in ("stays", "guess")
    ]
    return Sheet(
        torch.stack([x, x], 1).flatten(0, 1),
        torch.stack([share, torch.ones_like(share)], 1).flatten(0, 1),
        names,
        {kind.plural: stays, "guesses": x},
        {"codes": whole} | named("labels", label),
        told,
    )


def _labels(task: Task) -> Tensor | None:
    asked = labels_asked_for(task.arguments.label, task.num, task.model, task.data)
    found: Tensor | None = task.model.sample_labels(task.num, task.arguments.seed) if asked is None else asked
    return found
