"""A RUN read back: its config, its data and its recipe with the weights of its newest valid checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ganvas.errors import OptionError
from ganvas.model.recipe import Recipe
from ganvas.runtime.build import build, check_targets
from ganvas.runtime.run_folder import RunFolder


def load_run(folder: RunFolder, *, allow: Sequence[str] = ()) -> tuple[Recipe, Any, dict[str, Any]]:
    """The recipe (eval mode, on the CPU or the first GPU), the data module and the run's record.

    Args:
        folder: the run.
        allow: the user's own modules that the run may name.

    Raises:
        OptionError: no valid checkpoint, or the run names code outside the allow-list.
    """
    run = folder.read_run()
    config = run["config"]
    check_targets(config, allow)
    path = folder.newest_checkpoint()
    if path is None:
        raise OptionError("RUN", folder.path, "holds no valid checkpoint; let it train to one (ganvas train)")
    data = build(config["data"], "data")
    model = build(config["model"], "model")
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise OptionError("RUN", folder.path, f"its checkpoint is of another model ({reason})") from error
    model.on_load_checkpoint(checkpoint)
    model.eval()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), data, run
