"""What the commands share that make samples from latents: their options, and the generator of a run."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import check_num, run_parser
from ganvas.errors import OptionError, require
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.folder.usable import NEEDS

if TYPE_CHECKING:
    from torch import Tensor


def generator_parser(command: str, description: str | None, num: int, what: str) -> argparse.ArgumentParser:
    """A parser with RUN and the options of all these commands.

    Args:
        num: the default of ``--num``.
        what: what ``--num`` counts.
    """
    parser = run_parser(command, description)
    parser.add_argument("--num", type=int, default=num, help=f"{what} ({num})")
    parser.add_argument("--seed", type=int, default=1, help="of the latents (1)")
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    parser.add_argument(
        "--truncation",
        type=float,
        help="latents from N(0, 1) cut to [-T, T], or (StyleGAN2) T times the way from the mean style: fewer "
        "kinds, more typical ones; 0: the mean itself",
    )
    parser.add_argument("--batch-size", type=int, default=256, help="samples made at a time (256)")
    return parser


def check_common(arguments: argparse.Namespace) -> None:
    """Raises OptionError where one of these options is out of its range."""
    check_num(arguments.num)
    check_num(arguments.batch_size, "--batch-size")
    t = arguments.truncation
    fits = t is None or (t >= 0 and math.isfinite(t))
    require(fits, "--truncation", t, "must be 0 or more; 0.7 is usual, and without the option nothing is cut")


def load_generator(folder: RunFolder, allow: list[str], command: str) -> tuple[Any, Any]:
    """The run's recipe and its data module.

    Raises:
        OptionError: ``RUN``: it makes no samples from latents.
    """
    from ganvas.model.interface import FromLatents
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not isinstance(model, FromLatents):
        raise OptionError("RUN", folder.path, NEEDS[command].reason)
    return model, data


def check_memory(model: Any, arguments: argparse.Namespace, count: int) -> None:
    """Raises OptionError (``--num``) where ``count`` samples and their latents, held at once, do not fit.

    One sample is made to see its size.
    """
    from ganvas.functional.memory import require_memory

    one = model.sample(1, arguments.seed, ema=not arguments.raw, truncation=arguments.truncation)
    latent = model.latents(1, arguments.seed)
    each = (
        8 * latent.shape[1] + 2 * 4 * one[0].numel()
    )  # latents in float64; samples once more as they are joined
    require_memory("--num", arguments.num, count * each, f"{count:,} samples of {list(one.shape[1:])}")


def generate(model: Any, z: Tensor, label: Tensor | None, arguments: argparse.Namespace) -> Tensor:
    """Latents [N, D] and classes [N] (or None) to samples [N, ...] in [-1, 1], in batches, on the CPU."""
    import torch

    made = []
    for start in range(0, len(z), arguments.batch_size):
        rows = slice(start, start + arguments.batch_size)
        classes = None if label is None else label[rows]
        options = {"ema": not arguments.raw, "truncation": arguments.truncation}
        made.append(model.generate(z[rows], classes, **options).cpu())
    return torch.cat(made)
