"""The run that wrote a file of codes, found by the hash of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.cli.trained.coded.model import hashes
from ganvas.errors import OptionError
from ganvas.run.checkpoint.check import load_plain_archive
from ganvas.run.folder.run_folder import TOKENIZER, RunFolder, all_runs
from ganvas.run.folder.usable import NEEDS


def find_by_hash(model: bytes, output_dir: Path, file: Path) -> RunFolder:
    """The newest run whose last whole checkpoint has these weights.

    Args:
        model: as the file says it.

    Raises:
        OptionError: ``FILE``: none has.
    """
    runs = [run for run in reversed(all_runs(output_dir)) if NEEDS["decode"].is_able(run)]
    for run in runs:
        place = run.path / TOKENIZER
        is_prior = (place / "run.yaml").exists()
        tokenizer = _weights(RunFolder(place) if is_prior else run)
        prior = _weights(run) if is_prior else None
        if tokenizer is not None and model in hashes(tokenizer, prior):
            return run
    reason = (
        f"was written by a model of hash {model.hex()}, which none of {len(runs)} runs under {output_dir} has"
    )
    raise OptionError("FILE", file, f"{reason}; name its RUN, or its folder by --output-dir")


def _weights(run: RunFolder) -> dict[str, Any] | None:
    """Of its newest whole checkpoint; None where that cannot be read."""
    try:
        path = run.newest_checkpoint()
        held = None if path is None else load_plain_archive(path)
    except (OptionError, OSError):
        return None
    state = held.get("state_dict") if isinstance(held, dict) else None
    return state if isinstance(state, dict) and all(map(_is_tensor, state.items())) else None


def _is_tensor(entry: tuple[Any, Any]) -> bool:
    import torch

    return isinstance(entry[0], str) and type(entry[1]) is torch.Tensor and not entry[1].is_sparse
