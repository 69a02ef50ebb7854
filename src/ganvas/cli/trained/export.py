"""``ganvas export RUN``: a trained run as a file or folder that other tools load."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import check_new_folder, check_out, named_run, run_parser, writing
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.run.folder.run_folder import EXPORTS, RunFolder

FORMATS = ("safetensors", "onnx", "torch", "folder")
LICENSE = "unknown"
_SUFFIXES = (".safetensors", ".onnx", ".pt2", ".pt", ".json", ".zip", ".md")  # of files, which no folder has


def run(argv: Sequence[str]) -> int:
    """Writes the weights (safetensors), checked programs (onnx, torch), or a folder to hand on."""
    parser = run_parser("export", __doc__)
    parser.add_argument(
        "--format",
        default="safetensors",
        help="safetensors (the default): the weights; onnx, torch: programs with a dynamic batch, checked, "
        "and contract.json; folder: weights, config and model card",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="F.safetensors, or a new folder (weights.safetensors, or export/FORMAT, in the run's folder)",
    )
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    parser.add_argument(
        "--license", help="of a folder: the weights' license, as the hub names it, e.g. apache-2.0 (unknown)"
    )
    arguments = parser.parse_args(list(argv))
    form = arguments.format
    require(form in FORMATS, "--format", form, f"must be one of {', '.join(FORMATS)}")
    check_license(form, arguments.license, arguments.raw)
    folder, allow = named_run(arguments)
    out = export_run(folder, allow, form, arguments.out, raw=arguments.raw, license=arguments.license)
    say(out)
    return 0


def check_license(form: str, license: str | None, raw: bool) -> None:
    """Raises OptionError for an option that the format does not read."""
    require(license is None or form == "folder", "--license", license, "is read by --format folder alone")
    named = license is None or re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,63}", license)
    require(
        bool(named), "--license", license, "must be a name as the hub has it, e.g. apache-2.0, mit, other"
    )
    require(
        not (raw and form == "folder"), "--raw", "", "is not for folders, which hold all weights; leave it"
    )


def export_run(
    folder: RunFolder, allow: Sequence[str], form: str, out: Path | None, *, raw: bool, license: str | None
) -> Path:
    """Writes it, whole or not at all; the file or the folder.

    Args:
        form: one of :data:`FORMATS`.
        out: None: in the run's folder.

    Raises:
        OptionError: what the user can mend; OutputError: it cannot be written.
    """
    if form == "safetensors":
        out = out or folder.path / "weights.safetensors"
        check_out(out, (".safetensors",))
    else:
        out = out or folder.path / EXPORTS / form
        reason = f"is made a folder by --format {form}; name one, without the ending"
        require(out.suffix not in _SUFFIXES, "--out", out, reason)
        check_new_folder(out)
    if form == "onnx":
        from ganvas.exporting.tools import require_onnx

        require_onnx()

    from ganvas.exporting.folder import write_folder
    from ganvas.exporting.weights import write_weights
    from ganvas.exporting.write import write_programs
    from ganvas.run.load import load_run

    model, data, record = load_run(folder, allow=allow)
    with writing(out):
        if form == "safetensors":
            write_weights(out, folder, model, record, raw=raw)
        elif form == "folder":
            write_folder(out, folder, model, data, record, license=license or LICENSE)
        else:
            try:
                write_programs(out, form, model, data, record, raw=raw)
            except OptionError as error:
                raise (
                    OptionError("RUN", folder.path, error.reason) if error.option == "RUN" else error
                ) from error
    return out
