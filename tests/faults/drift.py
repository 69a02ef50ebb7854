"""Config leaves changed at resume: what would change training is refused by its name, the rest is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from forge import Ended, Try, ganvas
from recipes import BATCH, RECIPES, STEPS, Plan, checkpoint, cut, resume_words

from compare import states

TITLE = "config leaves changed at resume"
MINIMUM = 20
NEEDS = [(recipe, 0) for recipe in RECIPES]

_STEP = 10  # the checkpoint that is resumed
_TRAINING = ("state_dict", "optimizer_states", "global_step")
# What can never change training; whatever else is refused or taken is judged by the parameters that it makes.
_ALLOWED_TO_DIFFER = (
    "paths.",
    "callback.",
    "logger.",
    "name",
    "trainer.max_",
    "trainer.log_every_examples",
    "trainer.val_",
    "trainer.limit_val_batches",
    "trainer.limit_test_batches",
    "data.num_workers",
)
# Other values of what is text or null, where "another" cannot be computed.
_OTHERS: dict[str, Any] = {
    "data.resize_mode": "resize",
    "accelerator.precision": "64-true",
    "accelerator.matmul_precision": "high",
    "accelerator.threads": 2,
    "callback.evaluation.split": "train",
    "callback.checkpoint.mode": "max",
    "callback.health.detectors.discriminator_wins.accuracy": 0.99,
    "callback.health.detectors.discriminator_collapse.accuracy": 0.6,
    "callback.health.detectors.discriminator_overfitting.pairs": 0.95,
    "callback.checkpoint.monitor": "loss/total",
    "name": "another",
    "model.grad_clip": 0.01,
    "model.discriminator.norm": "none",
    "trainer.limit_train_batches": 8,
    "trainer.overfit_batches": 8,
    "trainer.limit_val_batches": 1,
    "trainer.max_epochs": 50,
    "trainer.max_steps": 1000,
    "trainer.max_time": "01:00:00:00",
    "trainer.non_finite": "skip",
    "trainer.profiler": "simple",
    "trainer.val_every_examples": 512,
    "trainer.check_val_every_n_epoch": 2,
}
# Leaves that name places or that other commands read; changing them is no drift but another run.
_LEFT_OUT = (
    "paths.",
    "resume",
    "allow_",
    "debug",
    "logger.",
    "trainer.fast_dev_run",
    "accelerator.num_nodes",
    "accelerator.devices",
    "accelerator.compile",
)


def tries(plan: Plan) -> Iterator[Try]:
    for recipe in RECIPES:
        leaves = _changed(yaml.safe_load((plan.straight(recipe) / "run.yaml").read_text())["config"])
        draw = plan.random("drift", recipe)
        count = len(leaves) if plan.nightly else min(8, len(leaves))
        for key, value in draw.sample(sorted(leaves.items(), key=str), count):
            yield Try(f"{recipe}-{key}", lambda f, a=(recipe, key, value): _drift(plan, f, *a))
    yield Try("data-fingerprint", lambda folder: _other_data(plan, folder))
    yield Try("versions", lambda folder: _other_versions(plan, folder))


def _changed(tree: Any, path: str = "") -> dict[str, Any]:
    """Key to another value, for every leaf that can be given one."""
    if isinstance(tree, dict):
        found: dict[str, Any] = {}
        for key, value in tree.items():
            if not str(key).startswith("_"):
                found |= _changed(value, f"{path}.{key}".lstrip("."))
        return found
    if path.startswith(_LEFT_OUT) or path.endswith("run_dir"):
        return {}
    if path in _OTHERS:
        return {path: _OTHERS[path]}
    if isinstance(tree, bool):
        return {path: not tree}
    if isinstance(tree, int):
        return {path: tree + 1}
    if isinstance(tree, float):
        # A ratio a little over 1 must stay over 1.
        return {path: 2 * tree if 1 < tree < 2 else tree / 2 if tree else 0.01}
    if isinstance(tree, list) and tree and all(type(one) in (int, float) for one in tree):
        return {path: [tree[0] / 2 if isinstance(tree[0], float) else tree[0] + 1, *tree[1:]]}
    return {}


def _drift(plan: Plan, folder: Path, recipe: str, key: str, value: Any) -> str | None:
    straight = plan.straight(recipe)
    run = cut(straight, folder, _STEP)
    before = _files(run)
    override = f"{key}={json.dumps(value)}"
    ended = ganvas(resume_words(recipe, override), folder)
    if ended.code == 0:
        text = _same(straight, run)
        return text and f"{override} was taken, and changes training: {text}"
    if text := _refusal(ended, key, before, run):
        return text
    if key.startswith(_ALLOWED_TO_DIFFER):
        return f"{override} cannot change training, and was refused: {ended}"
    ended = ganvas(resume_words(recipe, override, "allow_drift=true"), folder)
    if ended.code == 2 and "allow_drift" not in ended.err:
        return None  # a value that no run could have, drift or not
    if ended.code != 0:
        return f"allow_drift=true did not take it: {ended}"
    return None if key in (run / "run.yaml").read_text().partition("resumed")[2] else "it was not recorded"


def _same(straight: Path, run: Path) -> str | None:
    """Whether the state after the same number of batches is the same; a budget may end the run elsewhere."""
    step = min(STEPS, int(max(run.glob("checkpoints/*.ckpt")).stem) // BATCH)
    return states(checkpoint(straight, step), checkpoint(run, step), _TRAINING)


def _files(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def _refusal(ended: Ended, key: str, before: dict[str, bytes], run: Path) -> str | None:
    if ended.code != 2 or len(ended.err.strip().splitlines()) != 1 or "Traceback" in ended.err:
        return f"exit code 2 and one line were due: {ended}"
    if key not in ended.err:
        return f"the line does not name {key}: {ended}"
    return None if _files(run) == before else "the refused resumption changed the run's files"


def _other_data(plan: Plan, folder: Path) -> str | None:
    """A pixel of the training data is another."""
    run = cut(plan.straight("dcgan"), folder, _STEP)
    before = _files(run)

    def other() -> None:
        from ganvas.data.digits import Digits

        load = Digits.load

        def changed(self: Any) -> Any:
            splits = load(self)
            splits["train"].x[7, 0, 3, 3] ^= 64
            return splits

        Digits.load = changed  # type: ignore[method-assign]

    ended = ganvas(resume_words("dcgan"), folder, before=other)
    if text := _refusal(ended, "data", before, run):
        return text
    ended = ganvas(resume_words("dcgan", "allow_drift=true"), folder, before=other)
    return None if ended.code == 0 else str(ended)


def _other_versions(plan: Plan, folder: Path) -> str | None:
    """The run was made by another torch."""
    run = cut(plan.straight("vqvae"), folder, _STEP)
    record = yaml.safe_load((run / "run.yaml").read_text())
    record["ganvas"]["environment"]["versions"]["torch"] = "2.0.0"
    (run / "run.yaml").write_text(yaml.safe_dump(record, sort_keys=False))
    ended = ganvas(resume_words("vqvae"), folder)
    if text := _refusal(ended, "torch", _files(run), run):
        return text
    ended = ganvas(resume_words("vqvae", "allow_drift=true"), folder)
    return str(ended) if ended.code != 0 else _same(plan.straight("vqvae"), run)
