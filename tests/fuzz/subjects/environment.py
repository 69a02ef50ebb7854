"""Variables of the environment, as launchers and users leave them."""

from __future__ import annotations

import os
import random
from pathlib import Path

from subject import Reader, Subject
from world import World

from ganvas.cli.main import main

_NAMES = [
    *"RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK NODE_RANK MASTER_ADDR MASTER_PORT".split(),
    *"SLURM_PROCID SLURM_LOCALID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_JOB_ID SLURM_NODEID".split(),
    *"SLURM_JOB_NUM_NODES TORCHELASTIC_RUN_ID TORCHELASTIC_RESTART_COUNT".split(),
    *"GANVAS_CACHE GANVAS_DATA XDG_CACHE_HOME HOME COLUMNS LINES NO_COLOR TERM COMP_LINE COMP_POINT".split(),
    *"PYTHONPATH OMP_NUM_THREADS CUDA_VISIBLE_DEVICES TZ LANG".split(),
]
_VALUES = [
    *"0 1 2 -1 x 1.5 1e9 65536 99999999999999999999 /nosuch ~nosuchuser ~ ~/x / . * ${HOME}".split(),
    *"nan 127.0.0.1".split(),
    *("", " ", "9" * 5000, "x" * 5000, "\x1b[2J", "a\nb", "\udc80", "é"),
]
_COMMANDS = (
    *(["--help"], ["sample", "--help"], ["options", "model"], ["completion", "bash"], ["-sc", "query=bash"]),
    *(["runs", "ls", "--output-dir", "."], ["runs", "ls", "--json"], ["runs", "show", "run"]),
    *(["sample", "run", "--num", "2", "--out", "x.npz"], ["compare", "run"]),
)


def _lay(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("gan", folder / "run")
    chosen = {draws.choice(_NAMES): draws.choice(_VALUES) for _ in range(draws.choice((1, 1, 2, 3)))}
    words = draws.choice(_COMMANDS)

    def call() -> int:
        os.environ.update(chosen)  # the judge puts them back
        return main(words)

    return Reader(writes=("x.npz", ".x.npz.*"), call=call)


SUBJECTS = [Subject("environment", "variables of the environment: --help, runs ls and others", _lay)]
