"""What $GANVAS_CACHE keeps: features of real samples, classifiers; both safetensors files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from mutate.files import damage_bytes
from mutate.tensors import damaged_tensor
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from subject import Reader, Subject
from world import EVALUATIONS, World

from ganvas.functional.cache import in_order

_WRITES = ("?*/evaluations.jsonl", "?*/.evaluations.jsonl*")


def _lay(world: World, folder: Path, draws: random.Random, name: str) -> Reader:
    world.copy("cache", folder / "cache")
    words = EVALUATIONS[name]
    world.copy(words[0], folder / words[0])
    return Reader(("evaluate", *words), _WRITES, prints=world.sound[name])


def _lay_features(world: World, folder: Path, draws: random.Random) -> Reader:
    """Features are made anew where they are damaged: the metrics stay the same."""
    reader = _lay(world, folder, draws, draws.choice(("gan", "vqvae", "classifier")))
    for path in sorted((folder / "cache" / "features").iterdir()):
        _damage(path, draws)
    return reader


def _lay_classifier(world: World, folder: Path, draws: random.Random) -> Reader:
    """Nothing says what the weights of a classifier ought to be: the metrics may be others."""
    reader = _lay(world, folder, draws, "classifier")
    path = draws.choice(sorted((folder / "cache" / "classifiers").glob("*/*.safetensors")))
    _damage(path, draws)
    return Reader(reader.words, reader.writes)


def _damage(path: Path, draws: random.Random) -> None:
    if draws.random() < 0.5:
        damage_bytes(path, draws)
        return
    with safe_open(path, framework="pt") as file:
        about: dict[str, str] = dict(sorted((file.metadata() or {}).items()))
        tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for _ in range(draws.choice((1, 1, 2))):
        name = draws.choice(list(tensors)) if tensors else "x"
        kind = draws.randrange(5)
        if kind == 0:
            tensors.pop(name, None)
        elif kind == 1 and about:
            key = draws.choice(list(about))
            about[key] = draws.choice(
                ("", "{}", "[]", about[key][::-1], "[" * 3000, about[key].replace("1", "2"))
            )
        elif kind == 2 and tensors:
            other = draws.choice(list(tensors))
            tensors[name], tensors[other] = tensors[other], tensors[name]
        elif name in tensors:
            tensors[name] = damaged_tensor(tensors[name], draws)
    whole = {
        name: value.detach().contiguous().clone()
        for name, value in tensors.items()
        if isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"
        and not value.is_quantized and value.numel() < 10**7
    }  # fmt: skip
    try:
        path.write_bytes(in_order(save(whole, metadata=about)))
    except (SafetensorError, KeyError, ValueError):
        path.write_bytes(b"")


SUBJECTS = [
    Subject("features", "kept features of real samples (safetensors)", _lay_features),
    Subject("classifier", "the weights of a classifier (safetensors)", _lay_classifier),
]
