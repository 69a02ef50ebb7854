"""A RUN read back: its config, its data and its recipe with the weights of its newest valid checkpoint.

What a run rests on, a tokenizer, is a RUN too, in the folder ``tokenizer`` of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule

from ganvas.errors import OptionError, require
from ganvas.model.autoencoder import Autoencoder
from ganvas.model.classifier import Classifier
from ganvas.model.code_model import CodeModel
from ganvas.model.latent_generator import LatentGenerator
from ganvas.model.symbols import Symbols
from ganvas.model.tokenizer import Tokenizer
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.check import check_fits, load_checked
from ganvas.run.config.allowed import locate
from ganvas.run.config.build import build
from ganvas.run.config.stored import read_stored
from ganvas.run.folder.checksum import sha256_of
from ganvas.run.folder.run_folder import RunFolder


def load_run(
    folder: RunFolder, *, allow: Sequence[str] = (), data_root: str | None = None
) -> tuple[Recipe, Any, dict[str, Any]]:
    """The recipe (eval mode, on the CPU or the first GPU), the data module and the run's record.

    Args:
        folder: the run.
        allow: the user's own modules that the run may name.
        data_root: folder of its data set, where that lies elsewhere by now.

    Raises:
        OptionError: no valid checkpoint, or the run names code outside the allow-list.
    """
    run = read_stored(folder, allow)
    config = run["config"]
    if data_root is not None:
        config["data"]["root"] = data_root
    path, damaged = folder.find_checkpoint()
    if path is None:
        names = ", ".join(one.name for one in damaged)
        wrong = f"all its checkpoints are damaged, their sha256 is wrong ({names}); put back copies of them"
        raise OptionError(
            "RUN", folder.path, wrong if damaged else "holds no checkpoint; ganvas resume makes one"
        )
    data, model = _build(config, folder, allow)
    _check_ids(data, run)
    checkpoint = load_checked(path)
    precision = str(config["accelerator"].get("precision"))
    check_fits(checkpoint, model=model, clock=model.clock(), optimizers=None, precision=precision, path=path)
    model.load_state_dict(checkpoint["state_dict"])
    model.on_load_checkpoint(checkpoint)
    model.eval()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), data, run


def _check_ids(data: Any, run: dict[str, Any]) -> None:
    """Raises OptionError where the file that makes ids of texts is not the one the run was trained by."""
    known = ((run.get("ganvas") or {}).get("environment") or {}).get("data") or {}
    now, then = getattr(getattr(data, "ids", None), "sha256", None), known.get("tokenizer_sha256")
    rule = f"has sha256 {now}, and the run was trained by {then}; put back the file of that"
    require(then in (None, now), "data.tokenizer_file", run["config"]["data"].get("tokenizer_file"), rule)


def _build(config: dict[str, Any], folder: RunFolder, allow: Sequence[str]) -> tuple[Any, Recipe]:
    """Data module and recipe; parts that do not fit each other are the RUN's fault, whatever they raise."""
    try:
        given = tokenizer_of(config, allow)
        data = build(config["data"] | given, "data")
        model = model_of(config, data, given)
    except OptionError:
        raise
    except Exception as error:
        reason = f"its parts do not fit each other ({type(error).__name__}: {error})"
        raise OptionError("RUN", folder.path, reason) from error
    if not isinstance(model, Recipe) or not isinstance(data, LightningDataModule):
        raise OptionError("RUN", folder.path, "its model is no recipe, or its data are no data module")
    return data, model


def model_of(config: dict[str, Any], data: Any, given: dict[str, Any]) -> Any:
    """What the config's model describes, told what its data rest on.

    Args:
        data: the built data module.
        given: of :func:`tokenizer_of`; a model of codes gets it, one of latents gets the data's space.
            Without, the codes of data that are symbols are these.

    Raises:
        OptionError: data that are latents, and a model that makes nothing of latent vectors.
    """
    space = getattr(data, "latent_space", None)
    if space is None:
        _check_symbols(config, data)
        return build(config["model"] | (given or _symbols_of(config, data)), "model")
    name = config["model"].get("_target_")
    rule = "does not learn latents, which data=latents hands out; choose a GAN, e.g. model=style"
    target = locate(name, "model")
    other = inspect.isclass(target) and not issubclass(target, LatentGenerator)
    require(not other, "model._target_", name, rule)
    model = build(config["model"], "model")
    require(isinstance(model, LatentGenerator), "model._target_", name, rule)
    model.learn_in(space)
    return model


def _check_symbols(config: dict[str, Any], data: Any) -> None:
    """Raises OptionError where the data are symbols and the model makes values alone."""
    if not getattr(getattr(data, "modality", None), "is_discrete", False):
        return
    name = config["model"].get("_target_")
    target = locate(name, "model")
    of_values = inspect.isclass(target) and (
        issubclass(target, LatentGenerator | Classifier)
        or (issubclass(target, Autoencoder) and not target.makes_logits)
    )
    rule = f"makes values, and the data are symbols ({data.modality.plural})"
    require(not of_values, "model._target_", name, f"{rule}; model=autoregressive or model=text_vqvae")


def _symbols_of(config: dict[str, Any], data: Any) -> dict[str, Any]:
    """``tokenizer`` of data whose samples are symbols, for a model of codes; empty for others."""
    if getattr(data, "vocabulary", None) is None or not data.modality.is_discrete:
        return {}
    target = locate(config["model"].get("_target_"), "model")
    learns_codes = inspect.isclass(target) and issubclass(target, CodeModel)
    return {"tokenizer": Symbols(data)} if learns_codes else {}


def tokenizer_of(config: dict[str, Any], allow: Sequence[str] = ()) -> dict[str, Tokenizer]:
    """``tokenizer``, read from the run that ``data.tokenizer`` names, for data and model; empty without.

    Raises:
        OptionError: ``data.tokenizer``: it is no run with codes and a whole checkpoint.
    """
    written = config["data"].get("tokenizer")
    if written is None:
        return {}
    require(isinstance(written, str), "data.tokenizer", written, "must be a run's folder")
    folder = RunFolder(Path(written))
    require(
        (folder.path / "run.yaml").exists(),
        "data.tokenizer",
        written,
        "is no run's folder; see ganvas runs ls",
    )
    try:
        recipe, data, _ = load_run(folder, allow=allow, data_root=config["data"].get("root"))
        path = folder.newest_checkpoint()
        assert path is not None  # load_run has read it
        found = Tokenizer(recipe, data, sha256=sha256_of(path), place=str(folder.path))
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); name another run"
        raise OptionError("data.tokenizer", written, reason) from error
    except OptionError as error:
        if error.option in ("RUN", "tokenizer"):
            raise OptionError("data.tokenizer", written, error.reason) from error
        if error.option.startswith("root"):
            raise error.under("data") from error
        raise
    if folder.read_status().get("state") not in ("finished", None):
        found.notes.append(
            f"the tokenizer {folder.path.name} is not finished: it has {recipe.examples_seen:,} examples"
        )
    return {"tokenizer": found}
