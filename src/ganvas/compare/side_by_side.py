"""``ganvas.compare``: runs by their names to a comparison, as ``ganvas compare`` makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganvas.compare.comparison import Comparison
from ganvas.compare.find import find_runs
from ganvas.compare.rows import read_metrics
from ganvas.compare.sets import compare
from ganvas.errors import OptionError, require


def compare_runs(
    runs: Sequence[str | os.PathLike[str]],
    *,
    by: str | None = None,
    mode: str | None = None,
    protocol: Mapping[str, str] | None = None,
    rank: bool = True,
    output_dir: str | os.PathLike[str] = "outputs",
) -> list[Comparison]:
    """Variants over their seeds, by the metrics that their evaluations recorded under one protocol.

    Args:
        runs: runs, their names, globs over them, or folders of runs such as a sweep's; at least two, and one
            without ranks.
        by: the metric that ranks; None takes the first of the usual ones that all have.
        mode: whether ``min`` or ``max`` is better; None takes what is known of the metric.
        protocol: only metrics measured so, e.g. ``{"features.name": "pixels"}``.
        rank: False puts them side by side without ranks, also under different protocols.
        output_dir: where runs are looked for by name.

    Returns:
        one comparison for each set of runs that share metrics: of like runs, one.

    Raises:
        OptionError: a name fits nothing, fewer than two runs have such metrics, or their protocols differ.
    """
    require(not isinstance(runs, str), "runs", runs, 'must be a list, e.g. ["*_mlp_gan-*"]')
    try:
        folders = find_runs([os.fspath(run) for run in runs], Path(output_dir), at_least=2 if rank else 1)
        found = [read_metrics(folder) for folder in folders]
        return compare(found, by=by, mode=mode, filters=protocol, rank=rank)
    except OptionError as error:
        if not error.option.startswith("--"):
            raise
        raise OptionError(error.option.lstrip("-"), error.value, error.reason) from error
