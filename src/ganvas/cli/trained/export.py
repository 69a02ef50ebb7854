"""``ganvas export RUN``: the trained weights as a safetensors file: tensors and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import check_out, named_run, run_parser, writing
from ganvas.errors import OptionError
from ganvas.files.text import say
from ganvas.files.write import WholeFile
from ganvas.run.folder.usable import NEEDS


def run(argv: Sequence[str]) -> int:
    """Writes a GAN's generator, a VQ-VAE's encoder, quantizer and decoder, or a prior and its tokenizer."""
    parser = run_parser("export", __doc__)
    parser.add_argument("--out", type=Path, help="F.safetensors (weights.safetensors in the run's folder)")
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    arguments = parser.parse_args(list(argv))
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / "weights.safetensors"
    check_out(out, (".safetensors",))

    from safetensors.torch import save

    from ganvas.model.latent_generator import LatentGenerator
    from ganvas.run.load import load_run
    from ganvas.version import __version__

    model, _, stored = load_run(folder, allow=allow)
    networks, averaged = _networks(model, raw=arguments.raw)
    # Of a GAN: those that its averaged samples are made with, not those that the checkpoint holds.
    fitted = model.average_statistics() if averaged and isinstance(model, LatentGenerator) else {}
    if not networks:
        raise OptionError("RUN", folder.path, NEEDS["export"].reason)
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
        "model": json.dumps(stored["config"]["model"]),
    }
    with writing(out), WholeFile(out) as file:
        file.write(save(tensors, metadata))
    say(out)
    return 0


def _networks(model: Any, *, raw: bool) -> tuple[dict[str, Any], bool]:
    """What makes a recipe's images, by name, and whether that is an average of weights."""
    from ganvas.model.interface import DrawsCodes, Reconstructs, Samples
    from ganvas.model.latent_generator import LatentGenerator

    networks: dict[str, Any] = dict(model.networks)
    if isinstance(model, Samples):
        average = getattr(getattr(model, "ema", None), "average", None)
        use_average = average is not None and not raw
        name = "prior" if isinstance(model, DrawsCodes) else "generator"
        space = model.space if isinstance(model, LatentGenerator) else None
        tokenizer = model.tokenizer if isinstance(model, DrawsCodes) else None
        tokenizer = tokenizer if space is None else space.tokenizer
        decoding = {} if tokenizer is None else tokenizer.recipe.networks
        made = {f"tokenizer.{part}": one for part, one in decoding.items() if part != "discriminator"}
        made |= {} if space is None else {"space": space}
        return {name: average if use_average else networks[name]} | made, use_average
    return (networks if isinstance(model, Reconstructs) else {}), False
