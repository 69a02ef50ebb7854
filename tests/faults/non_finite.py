"""NaN in the data, in D, in G, in a gradient: no parameter is touched, no such checkpoint is ever written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from forge import Ended, Try, ganvas
from recipes import BATCH, RECIPES, STEPS, Plan, checkpoint, checkpoints, resume_words, train_words

import faults
from compare import difference, load, newest, states

TITLE = "numbers that are not finite"
MINIMUM = 8
NEEDS = [(recipe, 0) for recipe in (*RECIPES, "sound_vqvae", "bytes")]

_AT = 12  # the batch that breaks, from 1
_TRAINING = ("state_dict", "optimizer_states", "ganvas_clock", "global_step", "epoch")
# (recipe, place): networks whose step cannot be made
_CASES: dict[tuple[str, str], tuple[str, ...]] = {
    ("mlp_gan", "data"): ("discriminator",),
    ("mlp_gan", "d"): ("discriminator",),
    ("mlp_gan", "g"): ("discriminator", "generator"),
    ("mlp_gan", "gradient-of-d"): ("discriminator",),
    ("dcgan", "gradient-of-g"): ("generator",),
    ("vqvae", "data"): ("encoder", "quantizer", "decoder"),
    ("vqvae", "gradient"): ("encoder", "quantizer", "decoder"),
    ("sound_vqvae", "data"): ("encoder", "quantizer", "decoder"),
    ("bytes", "gradient-of-prior"): ("prior",),
}
_ONE_STEP = ("vqvae", "sound_vqvae", "bytes")  # recipes of one optimizer


def tries(plan: Plan) -> Iterator[Try]:
    for (recipe, place), held in _CASES.items():
        for policy in ("stop", "skip", "rollback"):
            yield Try(
                f"{policy}-{recipe}-{place}",
                lambda f, a=(recipe, place, policy, held): _broken_once(plan, f, *a),
            )
    for policy, most in (("skip", "trainer.max_skips=3"), ("rollback", "trainer.max_rollbacks=2")):
        yield Try(f"{policy}-for-good", lambda f, p=policy, m=most: _broken_for_good(f, p, m))


def _words(recipe: str, *more: str) -> list[str]:
    return train_words(recipe, 0, *more)


def put_in(place: str, batch: int, until: int) -> None:
    """NaN at this place in training batch number ``batch`` (from 1) to ``until``, once a batch."""
    from ganvas.data.datamodule import TensorDataModule
    from ganvas.functional.batch import Batch

    count = 0
    after_transfer = TensorDataModule.on_after_batch_transfer

    def counted(self: Any, given: Any, index: int) -> Batch:
        nonlocal count
        made = after_transfer(self, given, index)
        if self.trainer is None or not self.trainer.training:
            return made
        count += 1
        if place == "data" and batch <= count <= until:
            x = made.x.clone()
            x[0] = torch.nan
            return Batch(x=x, label=made.label)
        return made

    TensorDataModule.on_after_batch_transfer = counted  # type: ignore[method-assign]
    done: set[int] = set()

    def due(module: Any = None) -> bool:
        now = batch <= count <= until and count not in done and (module is None or module.training)
        if now:
            done.add(count)
        return now

    def change(model: Any) -> None:
        network = {"d": "discriminator", "g": "generator"}.get(place)
        if network is not None:
            part = getattr(model, network)
            part = getattr(part, "head", part)  # what a discriminator ends in
            part.register_forward_hook(lambda m, _, y: y * torch.nan if due(m) else None)
        if place.startswith("gradient"):
            own = {"gradient-of-d": "discriminator", "gradient-of-g": "generator", "gradient": "encoder"}
            parameter = faults.first_parameter(model, own.get(place, "prior"))
            parameter.register_hook(lambda gradient: gradient * torch.nan if due() else None)

    faults.on_model(change)


def _broken_once(
    plan: Plan, folder: Path, recipe: str, place: str, policy: str, held: tuple[str, ...]
) -> str | None:
    straight, run = plan.straight(recipe), folder / "run"
    ended = ganvas(
        _words(recipe, f"trainer.non_finite={policy}"), folder, before=lambda: put_in(place, _AT, _AT)
    )
    if text := _not_finite(run):
        return text
    if text := states(checkpoint(straight, _AT - 1), checkpoint(run, _AT - 1), _TRAINING):
        return f"before the fault: {text}"
    return {"stop": _stopped, "skip": _skipped, "rollback": _rolled_back}[policy](
        straight, run, ended, recipe, held
    )


def _stopped(straight: Path, run: Path, ended: Ended, recipe: str, held: tuple[str, ...]) -> str | None:
    if ended.code <= 0 or "not finite" not in ended.err or str(_AT) not in ended.err:
        return f"a stop that names the term and the batch was due: {ended}"
    status = json.loads((run / "status.json").read_text())
    if status["state"] != "failed" or "not finite" not in (status.get("error") or ""):
        return f"status.json says {status['state']}: {status.get('error')}"
    if newest(run).name != checkpoint(run, _AT - 1).name:
        return f"newest checkpoint is {newest(run).name}"
    ended = ganvas(resume_words(recipe), run.parent)
    return str(ended) if ended.code != 0 else difference(straight, run)


def _skipped(straight: Path, run: Path, ended: Ended, recipe: str, held: tuple[str, ...]) -> str | None:
    if ended.code != 0 or newest(run).name != newest(straight).name:
        return f"the run was to go on to its end: {ended}"
    before, after = (load(checkpoint(run, step))["state_dict"] for step in (_AT - 1, _AT))
    for key, value in after.items():
        if key.startswith(held) and not torch.equal(value, before[key]):
            return f"{key} was touched by a step that was to be skipped"
    if (
        recipe not in _ONE_STEP
        and all(torch.equal(value, before[key]) for key, value in after.items())
        and len(held) == 1
        and _AT % 2 == 0
    ):
        other = {"generator": "discriminator", "discriminator": "generator"}[held[0]]
        return f"the step of the {other} was left out too"
    skipped = sum(load(newest(run))["ganvas_guard"]["skipped"].values())
    steps = 1 if recipe in _ONE_STEP else len(held)
    return None if skipped == steps else f"{skipped} steps were counted"


def _rolled_back(straight: Path, run: Path, ended: Ended, recipe: str, held: tuple[str, ...]) -> str | None:
    if ended.code != 0 or newest(run).name != newest(straight).name:
        return f"the run was to go back and on to its end: {ended}"
    if not states(checkpoint(straight, _AT), checkpoint(run, _AT), ("state_dict",)):
        return "the same batch was trained again, not another one"
    clock = load(newest(run))["ganvas_clock"]
    if clock["rollbacks"] != 1 or clock["batches_seen"] != STEPS:
        return f"the clock is {clock}"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    keys = [(row["examples"], tag) for row in rows for tag in row if "/" in tag]
    return None if len(keys) == len(set(keys)) else "a step is logged twice"


def _not_finite(run: Path) -> str | None:
    for path in checkpoints(run):
        for key, value in load(path)["state_dict"].items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                return f"{path.name} holds {key}, which is not finite"
    return None


def _broken_for_good(folder: Path, policy: str, most: str) -> str | None:
    """From a batch on everything is NaN: the policy gives up, and the run can be taken up again."""
    run = folder / "run"
    put: Callable[[], None] = lambda: put_in("data", _AT, 10**9)  # noqa: E731
    ended = ganvas(_words("mlp_gan", f"trainer.non_finite={policy}", most), folder, before=put)
    if ended.code <= 0 or "not finite" not in ended.err:
        return f"it was to give up: {ended}"
    if text := _not_finite(run):
        return text
    ended = ganvas(resume_words("mlp_gan"), folder)
    if ended.code != 0:
        return str(ended)
    at = int(newest(run).stem)
    return None if at == STEPS * BATCH and not _not_finite(run) else f"ended at {at} examples"
