"""``--kind complete``: completions of samples of which a half is given, or of a beginning."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganvas.cli.arguments import check_split
from ganvas.cli.pictures.sheet import Sheet
from ganvas.cli.pictures.task import Task, named, part_of
from ganvas.cli.trained.options.labels import labels_asked_for
from ganvas.errors import OptionError, require
from ganvas.files.text import with_article
from ganvas.functional.code_places import ENDS, HALVES, beginning, half
from ganvas.model.interface import CompletesCodes

_COMPLETIONS = 5


class _Given(NamedTuple):
    """What is to be completed.

    Attributes:
        x: samples [num, ...], on the CPU.
        codes: int64 [num, N] of them.
        known: bool [N], the codes that are given.
        label: classes int64, where the prior has some and they are said: of the samples, or of completions.
        option: which says what is given, and its value.
        words: the same for people.
    """

    x: Tensor
    codes: Tensor
    known: Tensor
    label: Tensor | None
    option: tuple[str, str]
    words: str


class _Column(NamedTuple):
    """Samples [num, ...], how much of each place is to be seen, and what they are."""

    x: Tensor
    share: Tensor
    name: str
    told: str


def complete(task: Task) -> Sheet:
    """A row a sample: itself, what its codes decode to, what is given, completions."""
    if not isinstance(task.model, CompletesCodes):
        raise OptionError("--kind", "complete", "the run's recipe completes no codes; take another kind")
    num, each, kind = task.num, task.arguments.completions or _COMPLETIONS, task.kind
    begins, split = task.arguments.beginning, task.arguments.split or "test"
    task.require_room(num * (3 + each))
    given = _half_of(task, split) if begins is None else _begun(task, begins, each)
    found = _completed(task, given, each)
    decoded = task.decoded(torch.cat([given.codes, found]))
    made, completions = decoded[:num], decoded[num:].unflatten(0, (num, each))
    share = task.share(given.known[None]).expand(num, *[-1] * (1 + kind.sides))
    whole, count = torch.ones_like(share), f"{int(given.known.sum())} of {len(given.known)} codes"
    columns, samples = [_Column(made, share, "given", f"{given.words} ({count})")], {kind.plural: completions}
    if begins is None:
        if task.loses:
            columns.insert(0, _Column(made, whole, "reconstruction", "what its codes decode to"))
            samples["reconstructions"] = made
        columns.insert(0, _Column(given.x, whole, "original", f"the {kind.name}"))
        samples["originals"] = given.x
    rows = "a row: " if begins is not None else f"rows: {num} {split} {kind.plural}; columns: "
    told = f"{rows}{', '.join(one.told for one in columns)}, {each} completions"
    columns += [_Column(completions[:, one], whole, f"completion {one}", "") for one in range(each)]
    heads = ["beginning"] if begins is not None else [f"{split} {row}" for row in range(num)]
    return Sheet(
        torch.stack([one.x for one in columns], 1),
        torch.stack([one.share for one in columns], 1),
        [[f"{head}, {one.name}" for one in columns] for head in heads],
        samples,
        {"codes": found.unflatten(0, (num, each)), "known": given.known} | named("labels", given.label),
        told,
    )


def _half_of(task: Task, split: str) -> _Given:
    """A half of samples of a split."""
    kind, num, size = task.kind, task.num, task.arguments.batch_size
    halves, others = (HALVES, ENDS) if kind.sides == 2 else (ENDS, HALVES)
    given = task.arguments.given or halves[0]
    rule = f"{kind.plural} have no such half; take {', '.join(halves[:-1])} or {halves[-1]}"
    require(given not in others, "--given", given, rule)
    there = check_split(task.data, split, num)
    require(num <= there, "--num", num, f"the {split} split holds {there}; ask for fewer")
    try:
        known = half(task.layout, given)
    except ValueError as error:
        raise _without_places(task, error) from error
    require(bool(known.any()), "--given", given, "holds no whole code of this tokenizer; take another half")
    x = torch.cat([batch.x for batch in task.data.batches(split, size, num)])
    coded = list(task.data.codes(split, size, num))
    labels = [batch.label for batch in coded if batch.label is not None]
    label = torch.cat(labels) if labels and task.model.num_classes is not None else None
    codes = torch.cat([batch.x for batch in coded])
    return _Given(x, codes, known, label, ("--given", given), f"the {given} half that is given")


def _begun(task: Task, words: str, each: int) -> _Given:
    """A sample of which the beginning is at hand, filled up."""
    kind, layout, whole = task.kind, task.layout, task.shape[-1]
    stored = _read(task, words)
    length = stored.shape[-1]
    rule = f"holds {list(stored.shape)}, and {with_article(kind.name)} is {list(task.shape)}; give less"
    fits = stored.shape[:-1] == task.shape[:-1] and length < whole
    require(fits, "--beginning", words, rule)
    full = pad(stored, (0, whole - length))[None]
    wrong = kind.wrong_with(full)
    require(wrong is None, "--beginning", words, f"{wrong}; give another")
    try:
        known = beginning(layout, length, whole)
    except ValueError as error:
        raise _without_places(task, error) from error
    rule = f"fills no code: {layout.length} stand for {whole} values; give a longer one"
    require(bool(known.any()), "--beginning", words, rule)
    x = kind.to_model(full)
    label = labels_asked_for(task.arguments.label, each, task.model, task.data, "completions")
    try:
        codes = task.model.tokenizer.to(task.model.device).encode(x).cpu()
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
        raise OptionError("RUN", task.arguments.run, reason) from error
    return _Given(x, codes, known, label, ("--beginning", words), "what is given")


def _read(task: Task, words: str) -> Tensor:
    """What was typed, or is in the file of this name, as it is stored."""
    kind = task.kind
    rule = f"is of what runs on, and {kind.plural} do not; --given names a half of them"
    require(kind.sides == 1, "--beginning", words, rule)
    require(bool(words), "--beginning", words, "is empty; give some, or leave it out for a half of --split")
    found = kind.typed(words)
    if found is not None:
        return found
    readable = (*kind.endings, *kind.reads)
    rule = f"{kind.plural} are neither typed nor read from files; leave it out for a half of --split"
    require(bool(readable), "--beginning", words, rule)
    try:
        return kind.read(Path(words))
    except (OSError, ValueError) as error:
        known = ", ".join(readable)
        reason = f"cannot be read as {with_article(kind.name)} ({error}); name a file of one ({known})"
        raise OptionError("--beginning", words, reason) from error


def _completed(task: Task, given: _Given, each: int) -> Tensor:
    """Codes int64 [num each, N] of completions."""
    codes = given.codes.repeat_interleave(each, 0)
    label = given.label
    if label is not None:
        label = label.repeat_interleave(len(codes) // len(label))
    found = []
    for start, count in task.parts(len(codes)):
        part, of = codes[start : start + count].to(task.model.device), part_of(label, start, count)
        try:
            made = task.model.complete(
                part, given.known, task.arguments.seed, start=start, label=of, **task.how()
            )
        except OptionError as error:
            if error.option != "known":
                raise
            first = "upper half of one grid" if task.kind.sides == 2 else "first half of one row"
            rule = f"an autoregressive prior completes what follows its first codes: the {first}"
            raise OptionError(*given.option, f"{rule}; a prior of model=masked takes any") from error
        found.append(made.cpu())
    return torch.cat(found)


def _without_places(task: Task, error: ValueError) -> OptionError:
    """Of a tokenizer whose codes are of the whole sample each."""
    reason = f"its tokenizer's codes have no place in the {task.kind.name} ({error}); take another run"
    return OptionError("RUN", task.arguments.run, reason)
