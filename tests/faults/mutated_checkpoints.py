"""Each tensor, number and entry of a checkpoint replaced by what is never written there, its sha256 right.

The checkpoints of tiny runs are walked leaf by leaf. Each leaf has replacements by its kind, and each
entry is also left out. A try survives where the command refuses the checkpoint in one line and leaves every
file as it was. A replacement of the leaf's own kind (another weight, an older clock of a callback) may be
taken too: then the command ends well. A process that dies of it has not survived.
"""

from __future__ import annotations

import copy
import functools
import math
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from forge import Try
from hostile_case import Case, base_run, checkpoint_of, complaint, forged_run, write_checkpoint
from recipes import Plan
from torch import Tensor

TITLE = "mutated checkpoints"
MINIMUM = 200
NEEDS: list[tuple[str, int]] = []
COUNT = 250  # tries; 20 times as many nightly
# Model, callbacks, and the command that takes the checkpoint up.
COMMANDS = [
    ("mlp_gan", "default", "resume"),
    ("mlp_vqvae", "none", "resume"),
    ("dcgan", "none", "resume"),
    ("dcgan", "none", "sample"),
    ("mlp_vqvae", "none", "reconstruct"),
]
_MOST = 2**63 - 1


class Change(NamedTuple):
    """What lies at ``path`` replaced by ``make(it)``; where ``make`` is None, taken out.

    ``is_foreign``: nothing of the kind belongs there, so that it must be refused.
    """

    path: tuple[Any, ...]
    name: str
    make: Callable[[Any], Any] | None
    is_foreign: bool

    @property
    def title(self) -> str:
        return f"{'.'.join(map(str, self.path))}={self.name}".replace("/", "_").replace(" ", "_")


def prepare() -> None:
    """The runs that are mutated, made in a process that is waited for."""
    for model, callback, _ in COMMANDS:
        base_run(model, callback)


def tries(plan: Plan) -> Iterator[Try]:
    share = COUNT * (20 if plan.nightly else 1) // len(COMMANDS)
    for number, (model, callback, command) in enumerate(COMMANDS):
        found = list(changes(checkpoint(model, callback), state_alone=command != "resume"))
        rng = random.Random(f"{plan.seed} {number}")
        for place in sorted(rng.sample(range(len(found)), min(share, len(found)))):
            one = found[place]
            attack = functools.partial(_attack, model=model, callback=callback, command=command, change=one)
            yield Try(f"{command}-{model}-{one.title}"[:120], attack)


def checkpoint(model: str, callback: str) -> dict[str, Any]:
    held: dict[str, Any] = torch.load(checkpoint_of(base_run(model, callback)), weights_only=True)
    return held


def changes(held: dict[str, Any], *, state_alone: bool) -> Iterator[Change]:
    """All replacements for a checkpoint, or for what every command takes up of it."""
    for path, value in _nodes(held, ()):
        if state_alone and path[0] in ("callbacks", "optimizer_states", "loops", "lr_schedulers"):
            continue
        for name, make, is_foreign in _replacements(value):
            yield Change(path, name, make, is_foreign)
        if isinstance(path[-1], str):
            yield Change(path, "gone", None, path[0] in ("state_dict", "loops") and len(path) == 2)


def changed(held: dict[str, Any], change: Change) -> dict[str, Any]:
    """A checkpoint with the replacement in it; the given one stays as it was."""
    new = copy.deepcopy(held)
    *parents, last = change.path
    node: Any = new
    for key in parents:
        node = node[key]
    if change.make is None:
        del node[last]
        return new
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to leave quantized tensors behind
        node[last] = change.make(node[last])
    return new


def _attack(folder: Path, *, model: str, callback: str, command: str, change: Change) -> str | None:
    def lay_out(canary: Path, work: Path) -> list[str]:
        run = forged_run(work, model, callback)
        write_checkpoint(run, changed(checkpoint(model, callback), change))
        further = {"resume": ["trainer.max_examples=192"], "sample": ["--num", "2"]}.get(command, [])
        return [command, str(run), *further, *([] if command == "resume" else ["--out", f"{folder}/a.png"])]

    refused = complaint(Case(change.title, lay_out), folder / "refused")
    if refused is None or change.is_foreign or not refused.startswith("exit code 0, not 2"):
        return refused
    return None


def _nodes(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if path:
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _nodes(item, (*path, key))


Replacement = tuple[str, Callable[[Any], Any], bool]


def _replacements(value: Any) -> Iterator[Replacement]:
    if isinstance(value, Tensor):
        for name, change in _OF_TENSORS.items():
            scalar_taken = value.ndim == 0 and name in ("scalar", "expanded", "strided", "float64")
            yield name, change, not scalar_taken and name not in ("transposed", "strided", "expanded")
        for number in (math.nan, math.inf, -math.inf) if value.is_floating_point() else (-1, _MOST):
            yield f"{number}", functools.partial(torch.full_like, fill_value=number), True
        yield from _fixed(None, 1, "x", [], {})
    elif isinstance(value, dict):
        yield from _fixed(None, 3, "x")
        yield "list", list, bool(value)
    elif isinstance(value, list):
        yield from _fixed(None, 3, "x")
        yield "dict", lambda x: dict(enumerate(x)), True
        yield "more", lambda x: [*x, 7], False
    else:
        numbers = (None, "x", True, -1, -0.5, 0.5, _MOST, 2**70, math.nan, math.inf, 1e300, [], {})
        for one in numbers:
            own = type(one) is type(value) or (isinstance(value, float) and type(one) is int and one == -1)
            is_foreign = not own or one in (_MOST, 2**70) or (isinstance(one, float) and math.isnan(one))
            if one is not value and one != value:
                yield repr(one), lambda _, one=one: one, is_foreign
        yield "tensor", lambda _: torch.ones(()), True
        yield "list", lambda x: [x], True


def _fixed(*values: Any) -> Iterator[Replacement]:
    for value in values:
        yield repr(value), lambda _, value=value: value, True


_OF_TENSORS: dict[str, Callable[[Tensor], Any]] = {
    "scalar": lambda t: t.new_ones(()),
    "of one more": lambda t: torch.cat([t.reshape(-1), t.reshape(-1)[:1]]),
    "of none": lambda t: t.new_ones(0),
    "of one dimension more": lambda t: t[None].clone(),
    "expanded": lambda t: t.new_ones(()).expand(t.shape),
    "strided": lambda t: t.new_ones(*t.shape, 2)[..., 0],
    "transposed": lambda t: t.mT.contiguous().mT if t.ndim > 1 else t.clone(),
    "float64": Tensor.double,
    "half": Tensor.half,
    "int32": Tensor.int,
    "bool": Tensor.bool,
    "complex": lambda t: t.to(torch.complex64),
    "sparse": lambda t: t.reshape(max(t.numel(), 1)).to_sparse(),
    "nested": lambda t: torch.nested.nested_tensor([t.reshape(-1), t.reshape(-1)[:1]]),
    "meta": lambda t: t.to("meta"),
    "quantized": lambda t: torch.quantize_per_tensor(t.float(), 0.1, 0, torch.qint8),
    "negated": lambda t: torch._neg_view(t) if t.is_floating_point() else t.to(torch.uint8),
}
