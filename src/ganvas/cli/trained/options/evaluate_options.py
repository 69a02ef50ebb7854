"""Which options of ``ganvas evaluate`` a run of this kind has a use for; the others are refused."""

from __future__ import annotations

import argparse
from typing import Any

from ganvas.cli.trained.options.metric_choice import is_about
from ganvas.errors import require

_OF_SAMPLES = "are of generated samples, and this run reconstructs; its own are mse, psnr, ssim, rfid ..."
_NO_LATENTS = "is of generated samples, and this run reconstructs; leave the option out"
_FLOOR = "does nothing with --floor, which takes training samples; leave one of them out"


def check_options(model: Any, arguments: argparse.Namespace) -> None:
    """Raises OptionError at an option that the evaluation of this recipe would pass over."""
    from ganvas.model.interface import Samples

    samples = arguments.floor or isinstance(model, Samples)
    if samples:
        _refuse_word(arguments, "perceptual", "is of reconstructions, and samples are judged; leave it out")
    else:
        metrics = arguments.metrics
        require(not metrics, "--metrics", " ".join(metrics or ()), f"{_OF_SAMPLES}; leave the option out")
        _refuse_word(arguments, "samples", f"{_OF_SAMPLES}; leave it out")
        for option in ("seed", "truncation"):
            value = getattr(arguments, option)
            require(value is None, f"--{option}", value, _NO_LATENTS)
        both = arguments.num is not None and arguments.num_real is not None
        reason = "is the same as --num where a run reconstructs; leave one of them out"
        require(not both, "--num-real", arguments.num_real, reason)
    if arguments.floor:
        truncation = arguments.truncation
        require(truncation is None, "--truncation", truncation, _FLOOR)
        for option in ("raw", "ema"):
            require(not getattr(arguments, option), f"--{option}", "true", _FLOOR)


def _refuse_word(arguments: argparse.Namespace, group: str, reason: str) -> None:
    for word in arguments.overrides:
        key, _, value = word.lstrip("+~").partition("=")
        require(not is_about(word, group), key, value, reason)
