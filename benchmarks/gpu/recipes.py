"""Whole recipes: resumed to the bit, in lower precision, compiled."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from runs import Bench, Reports, losses, train

RECIPES = ("mlp_gan", "dcgan", "mlp_vqvae", "vqvae")
EVERY_STEP = "trainer.log_every_examples=1"
CLIP = 1e-3  # gradient norm, far below what any network has


class SaveAt(pl.Callback):
    """Writes a checkpoint after so many batches."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path, weights_only=False)


def check_resume(bench: Bench) -> dict[str, Any]:
    """sha256 of weights and optimizer state after six batches in one go, after three and three, and again."""
    return {name: bench.attempt(name, partial(_resumed, bench, name)) for name in RECIPES}


def _resumed(bench: Bench, name: str) -> dict[str, Any]:
    folder = bench.folder / f"resume-{name}"
    folder.mkdir()
    checkpoint = folder / "third.ckpt"
    words = bench.words(name, "trainer.deterministic=true")
    whole = train(words, folder, steps=6, callbacks=[SaveAt(3, checkpoint)]).digest()
    resumed = train(words, folder, steps=6, checkpoint=checkpoint).digest()
    torch.use_deterministic_algorithms(False)
    free = [train(bench.words(name), folder, steps=6).digest() for _ in range(2)]
    result = {
        "whole": whole,
        "resumed": resumed,
        "equal": whole == resumed,
        "repeats_without_deterministic": free[0] == free[1],
    }
    bench.expect(whole == resumed, f"{name}: resumed after three of six batches, it ends with other bits")
    return result


def check_precision(bench: Bench) -> dict[str, Any]:
    """Losses of 30 steps in each precision, and the length of a step under a small model.grad_clip."""
    precisions = ["32-true", "bf16-mixed", *(["16-mixed"] if bench.on_gpu else [])]
    steps = 8 if bench.small else 30
    result: dict[str, Any] = {"steps": steps}
    for name in ("dcgan", "vqvae"):
        result[name] = bench.attempt(name, partial(_in_precisions, bench, name, precisions, steps))
    return result


def _in_precisions(bench: Bench, name: str, precisions: list[str], steps: int) -> dict[str, Any]:
    """What one recipe found, by precision."""
    result: dict[str, Any] = {}
    means: dict[str, dict[str, float]] = {}
    for precision in precisions:
        reports = Reports()
        words = bench.words(name, EVERY_STEP, f"accelerator.precision={precision}")
        train(words, bench.folder / f"{name}-{precision}", steps=steps, callbacks=[reports])
        found = losses(reports.reports)
        broken = [tag for tag, values in found.items() if not all(map(math.isfinite, values))]
        bench.expect(not broken, f"{name} in {precision}: not finite: {', '.join(broken)}")
        means[precision] = {tag: sum(values[-5:]) / 5 for tag, values in found.items()}
        result[precision] = {
            "first": {tag: values[0] for tag, values in found.items()},
            "last_five": means[precision],
        }
        _expect_near(bench, f"{name} in {precision}", found, result["32-true"], means)
    for precision in precisions:
        result[precision] |= {"clipped_step": _clipped_steps(bench, name, precision)}
    return result


def _expect_near(bench: Bench, name: str, found: Any, reference: Any, means: Any) -> None:
    """The first losses within 2 %, and the last ones of a VQ-VAE within a quarter (a GAN's go anywhere).

    16-mixed leaves out its first steps, until its scale fits, so it lies a few steps behind.
    """
    last = means[list(means)[-1]]
    for tag in found:
        if "16-mixed" in name and tag == "loss/generator":
            continue  # of a discriminator that has not moved, where its first step overflowed
        first, wanted = found[tag][0], reference["first"][tag]
        near = abs(first - wanted) <= 0.02 * abs(wanted) + 1e-3
        bench.expect(near, f"{name}: the first {tag} is {first:.5g}, in float32 {wanted:.5g}")
        if "dcgan" in name or tag in ("loss/codebook", "loss/commitment"):
            continue  # small differences of moving things
        wanted = means["32-true"][tag]
        near = abs(last[tag] - wanted) <= 0.25 * abs(wanted) + 0.05
        bench.expect(near, f"{name}: the last {tag} are {last[tag]:.5g}, in float32 {wanted:.5g}")


class Moves(pl.Callback):
    """The length of each step that moved something, by network (a VQ-VAE's is one of all parameters)."""

    def __init__(self, apart: bool) -> None:
        self.apart = apart
        self.lengths: dict[str, list[float]] = {}

    def _parameters(self, model: Any) -> dict[str, list[torch.Tensor]]:
        networks = {name: list(network.parameters()) for name, network in model.networks.items()}
        trained = {name: [p for p in values if p.requires_grad] for name, values in networks.items()}
        return trained if self.apart else {"all": [p for values in trained.values() for p in values]}

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        held = self._parameters(pl_module)
        self._before = {name: [p.detach().clone() for p in values] for name, values in held.items()}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        for name, parameters in self._parameters(pl_module).items():
            pairs = zip(parameters, self._before[name], strict=True)
            squares = [(p.detach().double() - old.double()).square().sum() for p, old in pairs]
            length = torch.stack(squares).sum().sqrt().item()
            if length > 0:
                self.lengths.setdefault(name, []).append(length)


def _clipped_steps(bench: Bench, name: str, precision: str) -> dict[str, float]:
    """Length of the last step over what it must be, by network.

    Adam with eps = 1 and beta1 = 0 is gradient descent where gradients are tiny: a step is the
    learning rate times the clipped norm. Had clipping seen scaled gradients, it would be their scale shorter.
    """
    kinds = ("generator_optimizer", "discriminator_optimizer") if name == "dcgan" else ("optimizer",)
    words = [f"model.grad_clip={CLIP}"]
    for kind in kinds:
        words += [f"model.{kind}.{one}" for one in ("lr=1.0", "eps=1.0", "beta1=0.0", "beta2=0.9")]
    moves = Moves(apart=name == "dcgan")
    train(
        bench.words(name, f"accelerator.precision={precision}", *words),
        bench.folder / f"{name}-{precision}-clipped",
        steps=4 if bench.small else 12,
        callbacks=[moves],
    )
    found = {network: lengths[-1] / CLIP for network, lengths in moves.lengths.items()}
    bench.expect(bool(found), f"{name} in {precision}: no step was made with a model.grad_clip")
    for network, share in found.items():
        text = f"{name} in {precision}: a clipped step of {network} is {share:.3g} of what it must be"
        bench.expect(abs(share - 1) < 0.03, text)
    return found


def check_compile(bench: Bench) -> dict[str, Any]:
    """Losses of five steps, eager and compiled, and the seconds of each step."""
    names = ("mlp_gan",) if bench.small else ("dcgan", "vqvae")
    return {name: bench.attempt(name, partial(_compiled, bench, name)) for name in names}


def _compiled(bench: Bench, name: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    torch.backends.cudnn.allow_tf32 = False
    found = {}
    for compiled in (False, True):
        reports = Reports()
        words = bench.words(name, EVERY_STEP, f"accelerator.compile={str(compiled).lower()}")
        folder = bench.folder / f"{name}-{'compiled' if compiled else 'eager'}"
        train(words, folder, steps=5 if bench.small else 12, callbacks=[reports])
        found[compiled] = losses(reports.reports[:5])
        result["compiled" if compiled else "eager"] = {
            "first_step_s": reports.seconds[0],
            "later_step_ms": 1e3 * min(reports.seconds[2:]),
            "losses": found[compiled],
        }
    for tag, values in found[False].items():
        for step, (eager, compiled_value) in enumerate(zip(values, found[True][tag], strict=True)):
            near = abs(eager - compiled_value) <= (1e-3 if step == 0 else 2e-2) * abs(eager) + 1e-4
            text = f"{name}: {tag} of step {step + 1} is {compiled_value:.6g} compiled, {eager:.6g} eager"
            bench.expect(near, text)
    torch.compiler.reset()
    return result
