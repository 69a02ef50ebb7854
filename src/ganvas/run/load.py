"""A RUN read back: its config, its data and its recipe with the weights of its newest valid checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import LightningDataModule

from ganvas.errors import OptionError
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.check import check_fits, load_checked
from ganvas.run.config.build import build
from ganvas.run.config.stored import read_stored
from ganvas.run.folder.run_folder import RunFolder


def load_run(folder: RunFolder, *, allow: Sequence[str] = ()) -> tuple[Recipe, Any, dict[str, Any]]:
    """The recipe (eval mode, on the CPU or the first GPU), the data module and the run's record.

    Args:
        folder: the run.
        allow: the user's own modules that the run may name.

    Raises:
        OptionError: no valid checkpoint, or the run names code outside the allow-list.
    """
    run = read_stored(folder, allow)
    config = run["config"]
    path, damaged = folder.find_checkpoint()
    if path is None:
        names = ", ".join(one.name for one in damaged)
        wrong = f"all its checkpoints are damaged, their sha256 is wrong ({names}); put back copies of them"
        raise OptionError(
            "RUN", folder.path, wrong if damaged else "holds no checkpoint; ganvas resume makes one"
        )
    data, model = _build(config, folder)
    checkpoint = load_checked(path)
    precision = str(config["accelerator"].get("precision"))
    check_fits(checkpoint, model=model, clock=model.clock(), optimizers=None, precision=precision, path=path)
    model.load_state_dict(checkpoint["state_dict"])
    model.on_load_checkpoint(checkpoint)
    model.eval()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), data, run


def _build(config: dict[str, Any], folder: RunFolder) -> tuple[Any, Recipe]:
    """Data module and recipe; parts that do not fit each other are the RUN's fault, whatever they raise."""
    try:
        data, model = build(config["data"], "data"), build(config["model"], "model")
    except OptionError:
        raise
    except Exception as error:
        reason = f"its parts do not fit each other ({type(error).__name__}: {error})"
        raise OptionError("RUN", folder.path, reason) from error
    if not isinstance(model, Recipe) or not isinstance(data, LightningDataModule):
        raise OptionError("RUN", folder.path, "its model is no recipe, or its data are no data module")
    return data, model
