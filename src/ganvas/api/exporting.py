"""``ganvas.export``: a run for other tools, as ``ganvas export`` writes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganvas.api.loading import code_of, importable
from ganvas.api.run import Run
from ganvas.api.state import call
from ganvas.cli.trained.export import FORMATS, check_license, export_run
from ganvas.errors import require
from ganvas.run.folder.usable import NEEDS, find_usable


@call
def export(
    run: str | os.PathLike[str],
    *,
    format: str = "safetensors",
    out: str | os.PathLike[str] | None = None,
    raw: bool | None = None,
    license: str | None = None,
    output_dir: str | os.PathLike[str] = "outputs",
    config_dir: str | os.PathLike[str] | None = None,
    allow_imports: Sequence[str] = (),
    allow_places: bool = False,
) -> Path:
    """Writes a run in the form of another tool, whole or not at all.

    Args:
        run: a :class:`Run`, its folder, the unique beginning of its name, ``latest`` or ``latest:KIND``.
        format: ``safetensors`` (a file of weights), ``onnx`` or ``torch`` (a folder of checked programs
            with contract.json), ``folder`` (weights, config and model card, which ``load`` takes as a run).
        out: the file, or the folder, which must be new; None: in the run's folder.
        raw: the trained weights instead of their average; None goes by the run's ``weights``.
        license: of a folder, the weights' license as the hub names it.
        output_dir: where runs are looked for by name.
        config_dir: the folder of your own config groups.
        allow_imports: modules of your own that the run may name.
        allow_places: it is your own run: folders to be written and addresses that it names may lie anywhere.

    Returns:
        The file or the folder.

    Raises:
        OptionError: an argument, or a program that cannot be made or computes something else; OutputError.
    """
    require(format in FORMATS, "format", format, f"must be one of {', '.join(FORMATS)}")
    if raw is None:
        raw = isinstance(run, Run) and run.weights == "raw" and format != "folder"
    check_license(format, license, raw)
    groups, allow = code_of(run, config_dir, allow_imports)
    folder = find_usable(os.fspath(run), Path(output_dir), NEEDS["export"])
    own = allow_places or (isinstance(run, Run) and run.allows_places)
    folder = replace(folder, allows_places=own)
    target = None if out is None else Path(out)
    return export_run(folder, [*allow, *importable(groups)], format, target, raw=raw, license=license)
