"""``ganvas plot --modes RUN ...``: samples of toy data over the true modes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import check_num, check_out, writing
from ganvas.cli.compose.folders import check_config_dir, make_importable, user_modules
from ganvas.cli.terminal import print_table
from ganvas.errors import OptionError, require
from ganvas.files.text import say

if TYPE_CHECKING:
    from ganvas.run.folder.run_folder import RunFolder

_NUM = 2000
_MOST_NUM = 100_000
_MOST_RUNS = 36
_SEED = 0  # as evaluations of a run have it


def plot_modes(arguments: argparse.Namespace) -> int:
    """Prints how many modes each run captures, and writes the picture, a panel a run.

    A mode is captured as the metric ``modes_covered`` counts it: by a sample within three deviations.
    """
    num = _NUM if arguments.num is None else arguments.num
    check_num(num)
    require(num <= _MOST_NUM, "--num", num, f"must be at most {_MOST_NUM:,} points; {_NUM} is usual")
    out = Path(arguments.out or "modes.png")
    check_out(out, (".png", ".pdf", ".svg"))

    from ganvas.compare.find import find_runs
    from ganvas.compare.show.modes import ModePanel, draw_modes
    from ganvas.compare.show.plot import require_matplotlib
    from ganvas.compare.variants import group
    from ganvas.functional.mixtures import capture
    from ganvas.run.folder.usable import NEEDS

    folders = find_runs(arguments.run, Path(arguments.output_dir), need=NEEDS["plot --modes"])
    require(len(folders) <= _MOST_RUNS, "RUN", len(folders), f"must be at most {_MOST_RUNS} runs")
    require_matplotlib(("command", "plot"))
    if arguments.config_dir is not None:
        make_importable(check_config_dir(arguments.config_dir))
    allow = [*arguments.allow_imports, *user_modules(arguments.config_dir)]
    runs = [folder.read_run() for folder in folders]
    variants, labels = group(runs)
    panels, rows = [], []
    for folder, run, variant in zip(folders, runs, variants, strict=True):
        model, data = _load(replace(folder, allows_places=arguments.allow_places), allow)
        points = model.sample(num, _SEED).detach().float().cpu()
        found = capture(points, data.modes, data.mode_std)
        label = labels[variant]
        title = f"{label}, seed {run['config'].get('seed')}" if len(runs) > 1 else label
        panels.append(ModePanel(title, points, data.modes, data.mode_std, found.captured, found.share))
        modes = f"{int(found.captured.sum())} of {len(data.modes)}"
        rows.append([folder.path.name, title, modes, f"{found.share:.1%}"])
    print_table(["run", "variant", "modes captured", "samples within 3 deviations"], rows, fold=True)
    with writing(out):
        draw_modes(panels, out)
    say(out)
    return 0


def _load(folder: RunFolder, allow: list[str]) -> tuple[Any, Any]:
    """The recipe, which makes samples, and its data, whose modes are known.

    Raises:
        OptionError: one of them is not so.
    """
    from ganvas.model.interface import Samples
    from ganvas.run.folder.usable import NEEDS
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    known = getattr(data, "modes", None) is not None and list(data.sample_shape) == [2]
    if not isinstance(model, Samples) or not known:
        raise OptionError("RUN", folder.path, NEEDS["plot --modes"].reason)
    return model, data
