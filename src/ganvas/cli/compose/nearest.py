"""What a user may mean: the nearest key, group or option, and what a word of the field means here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_MOST = 3  # keys that are named
# Names of methods that are no single option: what they are made of.
_FIELD = {
    "wgan": "gradient_penalty=wgan_gp adversarial_loss=wasserstein",
    "wasserstein": "adversarial_loss=wasserstein gradient_penalty=wgan_gp",
    "lsgan": "adversarial_loss=least_squares",
    "sngan": "discriminator.norm=spectral adversarial_loss=hinge",
    "sagan": "generator.attention_at discriminator.attention_at",
    "patchgan": "discriminator=patch",
    "spectral": "discriminator.norm=spectral",
    "r3gan": "adversarial_loss=rpgan gradient_penalty=r1_r2",
    "relativistic": "adversarial_loss=rpgan",
    "ttur": "generator_optimizer.lr discriminator_optimizer.lr",
}

# What other frameworks call it: its names here, the first ones that there are.
_ELSEWHERE = {
    "learning_rate": ("lr",),
    "epochs": ("trainer.max_epochs",),
    "num_epochs": ("trainer.max_epochs",),
    "steps": ("trainer.max_steps",),
    "loss": ("model/adversarial_loss", "model/reconstruction_loss"),
    "dataset": ("data",),
    "datamodule": ("data",),
    "ckpt_path": ("resume",),
    "task_name": ("name",),
}


def near(name: str, known: Sequence[str]) -> str:
    """``; did you mean X?``, from the same section where that exists, or what there is."""
    if "@" not in name:  # places of schedules, one for each number that may move, are named in full alone
        known = [key for key in known if "@" not in key or not key.startswith("model/schedule")]
    head, _, tail = name.rpartition(".")
    beside = [key for key in known if key.rpartition(".")[0] == head] if head in known else []
    if beside:
        ends = {key.rpartition(".")[2]: key for key in beside}
        close = [ends[end] for end in difflib.get_close_matches(tail, ends, n=1, cutoff=0.6)]
        within = [key for key in known if key.startswith(f"{head}.")]
        close = close or _elsewhere(tail, known) or _same_end(tail, within) or _same_end(tail, known)
        known = sorted(end for end in ends if not end.startswith("_"))
    else:
        close = nearest_keys(name, known)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    if 0 < len(known) < 40:
        return "; there are: " + ", ".join(known)
    return "; ganvas train --help lists the groups"


def nearest_keys(name: str, known: Sequence[str]) -> list[str]:
    """Keys that end like the name (``lr``: each optimizer's), else the nearest whole one, else by the end."""
    tail = re.split(r"[./]", name)[-1]
    if meant := _elsewhere(tail, known):
        return meant
    same_end = [key for key in known if key.rpartition(".")[2] == tail and key != name]
    if same_end and "." not in name:
        return _shallow(same_end)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close or same_end:
        return close or same_end[:1]
    ends = {key.rpartition(".")[2]: key for key in reversed(known) if "." in key}
    return [ends[end] for end in difflib.get_close_matches(tail, ends, n=1, cutoff=0.8)]


def _elsewhere(word: str, known: Sequence[str]) -> list[str]:
    """The keys that another framework's word stands for."""
    for here in _ELSEWHERE.get(word, ()):
        found = [here] if here in known else _same_end(here, known)
        if found:
            return found
    return []


def _same_end(tail: str, known: Sequence[str]) -> list[str]:
    same = [key for key in known if key.rpartition(".")[2] == tail]
    return _shallow(same) if same else []


def _shallow(keys: Sequence[str]) -> list[str]:
    """The few that lie highest: what is deep in a part is seldom meant."""
    least = min(key.count(".") for key in keys)
    return [key for key in keys if key.count(".") == least][:_MOST]


def in_the_fields_words(word: str) -> str:
    """`` (wgan is made of ...)`` for a method of the field that is several options here; else empty."""
    plain = word.lower().replace("-", "").replace("_gp", "").replace("_", "").removesuffix("loss")
    if plain not in _FIELD:
        return ""
    from ganvas.cli.compose.describe import groups

    there, told = groups(), []
    for part in _FIELD[plain].split():
        group = f"model/{part}"
        if "." in part:
            told.append(f"model.{part}")
        elif group in there:
            told.append(f"{group}={'|'.join(there[group])}")
        else:
            told.append(group)
    return f"; {word} is made of {' and '.join(told)}"
