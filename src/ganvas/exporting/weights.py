"""The trained weights as a safetensors file: tensors and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganvas.errors import OptionError
from ganvas.files.write import WholeFile
from ganvas.functional.cache import in_order
from ganvas.model.interface import Classifies, DrawsCodes, Reconstructs, Samples
from ganvas.model.latent_generator import LatentGenerator
from ganvas.model.symbols import Symbols
from ganvas.run.folder.run_folder import RunFolder
from ganvas.version import __version__


def write_weights(out: Path, run: RunFolder, model: Any, record: dict[str, Any], *, raw: bool) -> None:
    """Writes a GAN's generator, a VQ-VAE's encoder, quantizer and decoder, a prior and its tokenizer, or a
    classifier's network.

    Raises:
        OptionError: ``RUN``: it has none of these.
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    networks, averaged = _networks(model, raw=raw)
    # Of a GAN: those that its averaged samples are made with, not those that the checkpoint holds.
    fitted = model.average_statistics() if averaged and isinstance(model, LatentGenerator) else {}
    if not networks:
        reason = "neither samples nor reconstructs nor classifies; there is nothing to export"
        raise OptionError("RUN", run.path, reason)
    tensors = {
        f"{name}.{key}": value.detach().cpu().contiguous().clone()
        for name, network in networks.items()
        for key, value in (network.state_dict() | (fitted if name == "generator" else {})).items()
    }
    metadata = {
        "format": "pt",
        "ganvas": __version__,
        "examples_seen": str(model.examples_seen),
        "weights": "average" if averaged else "trained",
        "model": json.dumps(record["config"]["model"]),
    }
    with WholeFile(out) as file:
        file.write(in_order(save(tensors, metadata)))


def _networks(model: Any, *, raw: bool) -> tuple[dict[str, Any], bool]:
    """What makes a recipe's outputs, by name, and whether that is an average of weights."""
    networks: dict[str, Any] = dict(model.networks)
    if isinstance(model, Samples):
        average = getattr(getattr(model, "ema", None), "average", None)
        use_average = average is not None and not raw
        name = "prior" if isinstance(model, DrawsCodes) else "generator"
        space = model.space if isinstance(model, LatentGenerator) else None
        tokenizer = model.tokenizer if isinstance(model, DrawsCodes) else None
        tokenizer = tokenizer if space is None else space.tokenizer
        has_none = tokenizer is None or isinstance(tokenizer, Symbols)
        decoding: dict[str, Any] = {} if has_none else tokenizer.recipe.networks  # type: ignore[union-attr]
        made = {f"tokenizer.{part}": one for part, one in decoding.items() if part != "discriminator"}
        made |= {} if space is None else {"space": space}
        return {name: average if use_average else networks[name]} | made, use_average
    return (networks if isinstance(model, Reconstructs | Classifies) else {}), False
