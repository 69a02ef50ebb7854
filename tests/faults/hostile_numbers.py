"""Attacks by numbers: a checkpoint of ours but for a moment, a weight or a counter, its sha256 right.

Each would reach a fused kernel by its pointer, be sampled from, or be counted on from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from hostile_case import Checkpoint, edited, first_weight, put_at, without


def _moment(name: str, change: Callable[[torch.Tensor], Any]) -> Callable[[Checkpoint], None]:
    """Changes a moment of the first parameter."""

    def edit(checkpoint: Checkpoint) -> None:
        values = checkpoint["optimizer_states"][0]["state"][0]
        values[name] = change(values[name])

    return edit


def _one_place(checkpoint: Checkpoint) -> None:
    values = checkpoint["optimizer_states"][0]["state"][0]
    values["exp_avg"] = values["exp_avg_sq"]


def _of(name: str, change: Callable[[torch.Tensor], Any]) -> Callable[[Checkpoint], None]:
    """Changes a tensor of the model's."""

    def edit(checkpoint: Checkpoint) -> None:
        checkpoint["state_dict"][name] = change(checkpoint["state_dict"][name])

    return edit


def _with(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """The last value replaced by another."""

    def change(x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y.view(-1)[-1] = value
        return y

    return change


def _most(x: torch.Tensor) -> torch.Tensor:
    return torch.full_like(x, 2**63 - 1)


def _quantized(x: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to leave them behind
        return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)


_NAN = float("nan")
_SCALER = torch.amp.GradScaler("cpu").state_dict()
_GROUP = ("optimizer_states", 0, "param_groups", 0)
_PROGRESS = ("loops", "fit_loop", "epoch_loop.batch_progress")
_NOT_FINITE = "is not finite"

CASES = [
    # Read or written beyond its end by a fused kernel: SIGSEGV, or a corrupted heap.
    *(
        edited(
            f"moment_{name}_{moment}", _moment(moment, change), "resume", f"{moment} of parameter 0 {says}"
        )
        for moment in ("exp_avg", "exp_avg_sq")
        for name, change, says in (
            ("scalar", lambda x: x.new_zeros(()), "is of another shape"),
            ("of_one", lambda x: x.new_zeros(1), "is of another shape"),
            ("float64", torch.Tensor.double, "is torch.float64"),
            ("half", torch.Tensor.half, "is torch.float16"),
            ("whole", torch.Tensor.int, "is torch.int32"),
            ("with_gaps", lambda x: torch.zeros(*x.shape, 2)[..., 0], "has gaps"),
            ("nan", lambda x: x * torch.nan, _NOT_FINITE),
            ("none", lambda x: None, "is None, no tensor"),
        )
    ),
    edited(
        "moment_gone",
        lambda c: c["optimizer_states"][0]["state"][0].__delitem__("exp_avg"),
        "resume",
        "missing",
    ),
    edited("moment_negated", _moment("exp_avg", torch._neg_view), "resume", "negated view"),
    edited("moment_negative", _moment("exp_avg_sq", lambda x: -x - 1), "resume", "is negative"),
    edited("moments_in_one_place", _one_place, "resume", "lie in one place"),
    edited("step_of_none", _moment("step", lambda x: None), "resume", "step of parameter 0"),
    edited("step_whole", _moment("step", torch.Tensor.int), "resume", "step of parameter 0"),
    edited("step_nan", _moment("step", lambda x: x * torch.nan), "resume", "step of parameter 0"),
    edited("maximizes", put_at(*_GROUP, "maximize", value=True), "resume", "the option maximize"),
    edited("not_fused", put_at(*_GROUP, "fused", value=False), "resume", "the option fused"),
    edited("beta_of_two", put_at(*_GROUP, "betas", value=(0.9, 2.0)), "resume", "an option is refused"),
    edited("scheduler", put_at("lr_schedulers", value=[{"x": 1}]), "resume", "1 lr_schedulers"),
    edited("quantized", first_weight(_quantized), "resume", "no ordinary tensor"),
    *(
        edited(f"{name}_{command}", first_weight(change), command, f"its {weight} {_NOT_FINITE}", model)
        for command, weight, model in (
            ("sample", "generator.layers.0.weight", "mlp_gan"),
            ("export", "generator.layers.0.weight", "mlp_gan"),
            ("evaluate", "generator.layers.0.weight", "mlp_gan"),
            ("interpolate", "generator.layers.0.weight", "mlp_gan"),
            ("walk", "generator.layers.0.weight", "mlp_gan"),
            ("neighbours", "generator.layers.0.weight", "mlp_gan"),
            ("resume", "generator.layers.0.weight", "mlp_gan"),
            ("reconstruct", "encoder.layers.1.weight", "mlp_vqvae"),
        )
        for name, change in (("nan", _with(torch.nan)), ("infinite", _with(-torch.inf)))
    ),
    edited("codes_nan", _of("quantizer.codebook", _with(torch.nan)), "export", _NOT_FINITE, "mlp_vqvae"),
    edited(
        "codes_uncounted", _of("quantizer.batches", lambda x: x - 9), "resume", "is negative", "mlp_vqvae"
    ),
    edited("codes_overcounted", _of("quantizer.batches", _most), "resume", "more than 2^53", "mlp_vqvae"),
    edited("count_negative", _of("quantizer.count", lambda x: -x), "resume", "is negative", "mlp_vqvae"),
    edited("clock_2^63-1", put_at("ganvas_clock", "rollbacks", value=2**63 - 1), "sample", "its counter"),
    edited(
        "clock_of_another_run", put_at("ganvas_clock", "batches_seen", value=9), "resume", "counts 1 batches"
    ),
    edited(
        "clock_without_examples", put_at("ganvas_clock", "examples_seen", value=0), "sample", "0 examples"
    ),
    edited("loops_true", put_at(*_PROGRESS, "total", "ready", value=True), "resume", "no whole number"),
    edited(
        "loops_gone",
        lambda c: c["loops"]["fit_loop"].__delitem__("epoch_progress"),
        "resume",
        "epoch_progress",
    ),
    edited(
        "loops_far", put_at(*_PROGRESS, "current", "ready", value=2**50), "resume", "there were 1 batches"
    ),
    edited("scaler_zero", put_at("MixedPrecision", value=_SCALER | {"scale": 0.0}), "resume", "less than"),
    edited("sizes_text", put_at("ganvas_files", value={"metrics.jsonl": "0"}), "resume", "metrics.jsonl"),
    edited("sizes_gone", without("ganvas_files"), "resume", "no ganvas_files"),
    edited("left_out_text", put_at("ganvas_validation_left_out", value="x"), "resume", "neither true nor"),
    edited(
        "callback_text", put_at("callbacks", "StopOnSignal", value={"seconds": "1"}), "resume", "StopOnSignal"
    ),
    edited(
        "callback_nan", put_at("callbacks", "StopOnSignal", value={"seconds": _NAN}), "resume", "StopOnSignal"
    ),
]
