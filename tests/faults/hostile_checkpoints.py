"""Attacks by a checkpoint whose sha256 is right: pickles that run code, and contents that are not ours."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hostile_case import (
    Case,
    Checkpoint,
    Payload,
    checkpoint_of,
    edit_checkpoint,
    edit_config,
    edited,
    first_weight,
    forged,
    put_at,
    without,
    write_bytes,
    write_checkpoint,
)


def _holding(payload: Callable[[Path], Any]) -> Callable[[Path, Path], object]:
    """A checkpoint like ours with one more entry."""

    def forge(canary: Path, run: Path) -> None:
        edit_checkpoint(run, lambda checkpoint: {**checkpoint, "extra": payload(canary)})

    return forge


def _legacy(canary: Path, run: Path) -> None:
    payload = Payload(os.system, f"touch {canary}")
    write_checkpoint(run, {"state_dict": payload}, _use_new_zipfile_serialization=False)


def _plain_legacy(canary: Path, run: Path) -> None:
    checkpoint = torch.load(checkpoint_of(run), weights_only=True)
    write_checkpoint(run, checkpoint, _use_new_zipfile_serialization=False)


def _bare_pickle(canary: Path, run: Path) -> None:
    write_bytes(run, pickle.dumps(Payload(os.system, f"touch {canary}")))


def _script(canary: Path, run: Path) -> None:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    write_bytes(run, file.getvalue())


def _repacked(change: Callable[[str, bytes], tuple[bytes, int]]) -> Callable[[Path, Path], object]:
    """The run's own archive with its members changed: (name, content) -> (content, kind of compression)."""

    def forge(canary: Path, run: Path) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(checkpoint_of(run)) as old, zipfile.ZipFile(file, "w") as new:
            for name in old.namelist():
                content, kind = change(name, old.read(name))
                new.writestr(name, content, kind)
        write_bytes(run, file.getvalue())

    return forge


def _cut_pickle(name: str, content: bytes) -> tuple[bytes, int]:
    return (content[:-20] if name.endswith("data.pkl") else content), zipfile.ZIP_STORED


def _protocol_zero(name: str, content: bytes) -> tuple[bytes, int]:
    return (b"cos\nsystem\n(S'true'\ntR." if name.endswith("data.pkl") else content), zipfile.ZIP_STORED


def _deep(checkpoint: Checkpoint) -> None:
    node: Any = 1
    for _ in range(100):
        node = [node]
    checkpoint["callbacks"] = {"x": {"y": node}}


def _cycle(checkpoint: Checkpoint) -> None:
    node: list[Any] = []
    node.append(node)
    checkpoint["callbacks"] = {"x": {"y": node}}


def _forgotten_file(canary: Path, run: Path) -> None:
    """Lightning's own callback would delete the file that its state calls the worst of the best."""
    victim = run.parent / "victim.txt"
    victim.write_text("precious")
    state = {
        "dirpath": str(run.parent),
        "kth_best_model_path": str(victim),
        "best_k_models": {str(victim): 1.0},
    }
    callback = {"_target_": "pytorch_lightning.callbacks.ModelCheckpoint", "dirpath": str(run.parent)}
    edit_config(run, lambda config: config["callback"].update(x=callback))
    edit_checkpoint(run, lambda checkpoint: checkpoint["callbacks"].update(ModelCheckpoint=state))


def _code(name: str, payload: Callable[[Path], Any], command: str) -> Case:
    return forged(f"pickle_{name}", _holding(payload), command, "weights_only")


_PROGRESS = ("loops", "fit_loop", "epoch_loop.batch_progress")
_MOMENT = ("optimizer_states", 0, "state", 0, "exp_avg")
_OF_ANOTHER = "is of another model"

CASES = [
    _code("system", lambda c: Payload(os.system, f"touch {c}"), "sample"),
    _code("popen", lambda c: Payload(subprocess.Popen, ["touch", str(c)]), "resume"),
    _code("eval", lambda c: Payload(builtins.eval, f"open({str(c)!r}, 'w')"), "evaluate"),
    _code("open", lambda c: Payload(builtins.open, str(c), "w"), "export"),
    _code("exec", lambda c: Payload(builtins.exec, f"open({str(c)!r}, 'w')"), "resume"),
    _code("torch_save", lambda c: Payload(torch.save, 1, str(c)), "sample"),
    _code("torch_load", lambda c: Payload(torch.load, str(c)), "resume"),
    _code("class", lambda c: Payload, "sample"),
    _code("module", lambda c: torch.nn.Linear(2, 2), "resume"),
    forged("bare_pickle", _bare_pickle, "sample", "no zip archive"),
    forged("bare_pickle_at_resume", _bare_pickle, "resume", "no zip archive"),
    forged("legacy", _legacy, "resume", "no zip archive"),
    forged("legacy_of_plain_values", _plain_legacy, "sample", "no zip archive"),
    forged("torch_script", _script, "sample"),
    forged("torch_script_at_resume", _script, "resume"),
    forged(
        "compressed", _repacked(lambda name, content: (content, zipfile.ZIP_DEFLATED)), "sample", "compressed"
    ),
    forged("cut_pickle", _repacked(_cut_pickle), "resume"),
    forged("protocol_0", _repacked(_protocol_zero), "sample"),
    forged("empty_archive", lambda canary, run: write_bytes(run, b"PK\x05\x06" + b"\0" * 18), "sample"),
    forged("empty", lambda canary, run: write_bytes(run, b""), "resume"),
    forged("list", lambda canary, run: write_checkpoint(run, [1, 2]), "sample", "it holds a list"),
    forged(
        "tensor", lambda canary, run: write_checkpoint(run, torch.zeros(2)), "resume", "it holds a Tensor"
    ),
    forged("deletes_a_file", _forgotten_file, "resume", "callback.x.dirpath"),
    *(
        edited(f"without_{key}", without(key), command, f"it holds no {key}")
        for key, command in (
            ("state_dict", "sample"),
            ("ganvas_clock", "evaluate"),
            ("optimizer_states", "resume"),
            ("loops", "resume"),
            ("lr_schedulers", "resume"),
            ("callbacks", "resume"),
            ("global_step", "export"),
            ("pytorch-lightning_version", "resume"),
        )
    ),
    edited("state_list", put_at("state_dict", value=[1]), "sample", "its state_dict is a list"),
    edited("state_text", first_weight(str), "resume", "no tensor with a name"),
    edited("state_number_for_a_name", put_at("state_dict", 3, value=torch.zeros(1)), "sample"),
    edited("float64", first_weight(torch.Tensor.double), "sample", "torch.float64"),
    edited("float64_at_resume", first_weight(torch.Tensor.double), "resume", "torch.float64"),
    edited("whole_numbers", first_weight(torch.Tensor.int), "export", _OF_ANOTHER),
    edited("complex", first_weight(lambda x: x.to(torch.complex64)), "resume", _OF_ANOTHER),
    edited("bool_vqvae", first_weight(torch.Tensor.bool), "reconstruct", _OF_ANOTHER, "mlp_vqvae"),
    edited("other_shape", first_weight(lambda x: x[:-1].clone()), "evaluate", _OF_ANOTHER),
    edited("sparse", first_weight(torch.Tensor.to_sparse), "sample"),
    edited("meta", first_weight(lambda x: x.to("meta")), "resume"),
    edited(
        "stride_of_zero",
        first_weight(lambda x: torch.zeros(1).expand(10**6, 10**6)),
        "sample",
        "than it stores",
    ),
    edited("further_tensor", put_at("state_dict", "guard", value=torch.zeros(1)), "sample", _OF_ANOTHER),
    edited(
        "tensor_of_another",
        put_at("state_dict", "guard", value=torch.zeros(1)),
        "reconstruct",
        _OF_ANOTHER,
        "mlp_vqvae",
    ),
    edited("clock_list", put_at("ganvas_clock", value=[1]), "sample", "its ganvas_clock is a list"),
    edited(
        "clock_text",
        put_at("ganvas_clock", "examples_seen", value="64"),
        "sample",
        "its counter examples_seen",
    ),
    edited(
        "clock_negative",
        put_at("ganvas_clock", "batches_seen", value=-1),
        "resume",
        "its counter batches_seen",
    ),
    edited("clock_fraction", put_at("ganvas_clock", "examples_seen", value=0.5), "evaluate", "its counter"),
    edited("clock_true", put_at("ganvas_clock", "examples_seen", value=True), "export", "its counter"),
    edited("clock_huge", put_at("ganvas_clock", "examples_seen", value=2**70), "resume", "its counter"),
    *(
        edited(f"clock_{name}", put_at("ganvas_clock", name, value=0), command, name)
        for name, command in (
            ("guard", "resume"),
            ("training_step", "resume"),
            ("generator", "sample"),
            ("__class__", "export"),
            ("trainer", "resume"),
        )
    ),
    edited("step_text", put_at("global_step", value="1"), "resume", "its global_step is a str"),
    edited("epoch_negative", put_at("epoch", value=-1), "resume", "its counter epoch"),
    edited("version_of_nobody", put_at("pytorch-lightning_version", value="9; rm -rf"), "resume"),
    edited("loops_list", put_at("loops", value=[1]), "resume", "its loops is a list"),
    edited("loops_empty", put_at("loops", value={}), "resume", "no fit_loop"),
    edited("loops_method", put_at(*_PROGRESS, "increment_ready", value=1), "resume", "increment_ready"),
    edited("loops_text", put_at(*_PROGRESS, "total", value="x"), "resume", "is a str"),
    edited("loops_negative", put_at(*_PROGRESS, "total", "ready", value=-1), "resume", "no whole number"),
    edited(
        "loops_other", put_at("loops", "fit_loop", "trainer", value={}), "resume", "Lightning does not write"
    ),
    edited("callbacks_list", put_at("callbacks", value={"x": [1]}), "resume", "callbacks"),
    edited("callbacks_deep", _deep, "resume", "too deeply nested"),
    edited("callbacks_cycle", _cycle, "resume", "too deeply nested"),
    edited("guard_text", put_at("ganvas_guard", value="x"), "resume", "ganvas_guard"),
    edited(
        "guard_negative",
        put_at("ganvas_guard", value={"skipped": {"x": -1}, "consecutive_skips": {}}),
        "sample",
        "ganvas_guard",
    ),
    edited("bytes", put_at("extra", value=b"x"), "sample", "its extra is a bytes"),
    edited("type", put_at("extra", value=torch.float32), "sample", "its extra is a dtype"),
    edited("optimizers_none", put_at("optimizer_states", value=[]), "resume", _OF_ANOTHER),
    edited("optimizers_text", put_at("optimizer_states", value=["x", "y"]), "resume", "optimizer_states"),
    edited("moment_too_small", put_at(*_MOMENT, value=torch.zeros(3)), "resume", _OF_ANOTHER),
    edited("moment_text", put_at(*_MOMENT, value="x"), "resume", _OF_ANOTHER),
    edited("moment_of_nothing", put_at("optimizer_states", 0, "state", 99, value={}), "resume", _OF_ANOTHER),
    edited(
        "lr_text",
        put_at("optimizer_states", 0, "param_groups", 0, "lr", value="x"),
        "resume",
        "the option lr",
    ),
    edited(
        "lr_nan",
        put_at("optimizer_states", 0, "param_groups", 0, "lr", value=float("nan")),
        "resume",
        "the option lr",
    ),
    edited(
        "further_option", put_at("optimizer_states", 0, "param_groups", 0, "x", value=1), "resume", "option x"
    ),
    edited("groups_none", put_at("optimizer_states", 0, "param_groups", value=[]), "resume", _OF_ANOTHER),
]
