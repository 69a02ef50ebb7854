"""A user's own groups: YAML under --config-dir."""

from __future__ import annotations

import random
from pathlib import Path

from mutate import plain
from mutate.files import damage_yaml
from subject import Reader, Subject, command
from world import World

from subjects.overrides import GIT, PROBED

_MINE = """# A model of mine
defaults:
  - mlp_gan
  - _self_
latent_dim: 4
generator:
  hidden_dim: 8 # of each layer
generator_optimizer: {lr: 1.0e-3, beta1: 0.0, beta2: 0.99}
seed: ${seed}
"""
_EXPERIMENT = """# @package _global_
# An experiment of mine
defaults:
  - override /model: mlp_gan
  - override /data: digits
name: mine
trainer: {max_examples: 640}
data: {batch_size: 32}
"""


def _lay_groups(world: World, folder: Path, draws: random.Random) -> Reader:
    files = {"conf/model/mine.yaml": _MINE, "conf/experiment/mine.yaml": _EXPERIMENT}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    name = draws.choice(list(files))
    if draws.random() < 0.5:
        damage_yaml(folder / name, draws)
    else:
        text = files[name]
        at = draws.randrange(len(text))
        odd = draws.choice(
            (
                *plain.ODD_TEXTS,
                "@",
                "&a [*a]",
                "<<: *a",
                "- ",
                "${",
                "!!python/name:os.system",
                "\t",
                "? ",
                "{",
            )
        )
        (folder / name).write_text(text[:at] + odd + text[at + draws.choice((0, 1, 5)) :])
    group = name.split("/")[1]
    return draws.choice(
        (
            command("options", f"{group}=mine", "--config-dir", "conf"),
            command("options", group, "--config-dir", "conf"),
            command("options", "--config-dir", "conf"),
            command(
                "sweep",
                "plan",
                f"{group}=mine",
                "seed=1,2",
                "--config-dir",
                "conf",
                writes=PROBED,
                programs=GIT,
            ),
        )
    )


SUBJECTS = [Subject("groups", "a user's own groups (YAML): options and sweep plan --config-dir", _lay_groups)]
