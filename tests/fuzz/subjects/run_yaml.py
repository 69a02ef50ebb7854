"""run.yaml of a RUN."""

from __future__ import annotations

import random
from pathlib import Path

from mutate.files import damage_yaml
from subject import Reader, Subject, command
from world import World

from subjects.readers import any_reader_of_a_run, lay_run


def _lay(world: World, folder: Path, draws: random.Random) -> Reader:
    model = lay_run(world, folder, draws)
    damage_yaml(folder / "run" / "run.yaml", draws)
    if draws.random() < 0.7:  # these cost a hundredth of what a model costs
        return command(*draws.choice((["runs", "show", "run"], ["runs", "diff", "run", "sound"])))
    return any_reader_of_a_run(model, draws)


SUBJECTS = [Subject("run_yaml", "run.yaml: runs show and diff, and every command that reads a RUN", _lay)]
