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
    Payload,
    checkpoint_of,
    edit_checkpoint,
    edit_config,
    forged_run,
    write_bytes,
    write_checkpoint,
)

Checkpoint = dict[str, Any]


def _forged(
    name: str, forge: Callable[[Path, Path], object], command: str, says: str = "", model: str = "mlp_gan"
) -> Case:
    """``forge(canary, run)`` writes the checkpoint."""

    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder, model)
        forge(canary, path)
        return [command, str(path)]

    return Case(f"checkpoint/{name}", prepare, says=says or "is no checkpoint of ganvas")


def _edited(
    name: str, change: Callable[[Checkpoint], object], command: str, says: str = "", model: str = "mlp_gan"
) -> Case:
    return _forged(name, lambda canary, run: edit_checkpoint(run, change), command, says, model)


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


def _set(*path: Any, value: Any) -> Callable[[Checkpoint], None]:
    def change(checkpoint: Checkpoint) -> None:
        node = checkpoint
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def _without(key: str) -> Callable[[Checkpoint], None]:
    return lambda checkpoint: checkpoint.__delitem__(key)


def _first(change: Callable[[torch.Tensor], Any]) -> Callable[[Checkpoint], None]:
    """Changes the generator's first tensor."""

    def edit(checkpoint: Checkpoint) -> None:
        state = checkpoint["state_dict"]
        name = next(iter(state))
        state[name] = change(state[name])

    return edit


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
    return _forged(f"pickle_{name}", _holding(payload), command, "weights_only")


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
    _forged("bare_pickle", _bare_pickle, "sample", "no zip archive"),
    _forged("bare_pickle_at_resume", _bare_pickle, "resume", "no zip archive"),
    _forged("legacy", _legacy, "resume", "no zip archive"),
    _forged("legacy_of_plain_values", _plain_legacy, "sample", "no zip archive"),
    _forged("torch_script", _script, "sample"),
    _forged("torch_script_at_resume", _script, "resume"),
    _forged(
        "compressed", _repacked(lambda name, content: (content, zipfile.ZIP_DEFLATED)), "sample", "compressed"
    ),
    _forged("cut_pickle", _repacked(_cut_pickle), "resume"),
    _forged("protocol_0", _repacked(_protocol_zero), "sample"),
    _forged("empty_archive", lambda canary, run: write_bytes(run, b"PK\x05\x06" + b"\0" * 18), "sample"),
    _forged("empty", lambda canary, run: write_bytes(run, b""), "resume"),
    _forged("list", lambda canary, run: write_checkpoint(run, [1, 2]), "sample", "it holds a list"),
    _forged(
        "tensor", lambda canary, run: write_checkpoint(run, torch.zeros(2)), "resume", "it holds a Tensor"
    ),
    _forged("deletes_a_file", _forgotten_file, "resume", "callback.x.dirpath"),
    *(
        _edited(f"without_{key}", _without(key), command, f"it holds no {key}")
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
    _edited("state_list", _set("state_dict", value=[1]), "sample", "its state_dict is a list"),
    _edited("state_text", _first(str), "resume", "no tensor with a name"),
    _edited("state_number_for_a_name", _set("state_dict", 3, value=torch.zeros(1)), "sample"),
    _edited("float64", _first(torch.Tensor.double), "sample", "torch.float64"),
    _edited("float64_at_resume", _first(torch.Tensor.double), "resume", "torch.float64"),
    _edited("whole_numbers", _first(torch.Tensor.int), "export", _OF_ANOTHER),
    _edited("complex", _first(lambda x: x.to(torch.complex64)), "resume", _OF_ANOTHER),
    _edited("bool_vqvae", _first(torch.Tensor.bool), "reconstruct", _OF_ANOTHER, "mlp_vqvae"),
    _edited("other_shape", _first(lambda x: x[:-1].clone()), "evaluate", _OF_ANOTHER),
    _edited("sparse", _first(torch.Tensor.to_sparse), "sample"),
    _edited("meta", _first(lambda x: x.to("meta")), "resume"),
    _edited(
        "stride_of_zero", _first(lambda x: torch.zeros(1).expand(10**6, 10**6)), "sample", "than it stores"
    ),
    _edited("further_tensor", _set("state_dict", "guard", value=torch.zeros(1)), "sample", _OF_ANOTHER),
    _edited(
        "tensor_of_another",
        _set("state_dict", "guard", value=torch.zeros(1)),
        "reconstruct",
        _OF_ANOTHER,
        "mlp_vqvae",
    ),
    _edited("clock_list", _set("ganvas_clock", value=[1]), "sample", "its ganvas_clock is a list"),
    _edited(
        "clock_text", _set("ganvas_clock", "examples_seen", value="64"), "sample", "its counter examples_seen"
    ),
    _edited(
        "clock_negative", _set("ganvas_clock", "batches_seen", value=-1), "resume", "its counter batches_seen"
    ),
    _edited("clock_fraction", _set("ganvas_clock", "examples_seen", value=0.5), "evaluate", "its counter"),
    _edited("clock_true", _set("ganvas_clock", "examples_seen", value=True), "export", "its counter"),
    _edited("clock_huge", _set("ganvas_clock", "examples_seen", value=2**70), "resume", "its counter"),
    *(
        _edited(f"clock_{name}", _set("ganvas_clock", name, value=0), command, name)
        for name, command in (
            ("guard", "resume"),
            ("training_step", "resume"),
            ("generator", "sample"),
            ("__class__", "export"),
            ("trainer", "resume"),
        )
    ),
    _edited("step_text", _set("global_step", value="1"), "resume", "its global_step is a str"),
    _edited("epoch_negative", _set("epoch", value=-1), "resume", "its counter epoch"),
    _edited("version_of_nobody", _set("pytorch-lightning_version", value="9; rm -rf"), "resume"),
    _edited("loops_list", _set("loops", value=[1]), "resume", "its loops is a list"),
    _edited("loops_empty", _set("loops", value={}), "resume", "no fit_loop"),
    _edited("loops_method", _set(*_PROGRESS, "increment_ready", value=1), "resume", "increment_ready"),
    _edited("loops_text", _set(*_PROGRESS, "total", value="x"), "resume", "no whole number"),
    _edited("loops_negative", _set(*_PROGRESS, "total", "ready", value=-1), "resume", "no whole number"),
    _edited(
        "loops_other", _set("loops", "fit_loop", "trainer", value={}), "resume", "Lightning does not write"
    ),
    _edited("callbacks_list", _set("callbacks", value={"x": [1]}), "resume", "callbacks"),
    _edited("callbacks_deep", _deep, "resume", "too deeply nested"),
    _edited("callbacks_cycle", _cycle, "resume", "too deeply nested"),
    _edited("guard_text", _set("ganvas_guard", value="x"), "resume", "ganvas_guard"),
    _edited(
        "guard_negative",
        _set("ganvas_guard", value={"skipped": {"x": -1}, "consecutive_skips": {}}),
        "sample",
        "ganvas_guard",
    ),
    _edited("bytes", _set("extra", value=b"x"), "sample", "its extra is a bytes"),
    _edited("type", _set("extra", value=torch.float32), "sample", "its extra is a dtype"),
    _edited("optimizers_none", _set("optimizer_states", value=[]), "resume", _OF_ANOTHER),
    _edited("optimizers_text", _set("optimizer_states", value=["x", "y"]), "resume", "optimizer_states"),
    _edited("moment_too_small", _set(*_MOMENT, value=torch.zeros(3)), "resume", _OF_ANOTHER),
    _edited("moment_text", _set(*_MOMENT, value="x"), "resume", _OF_ANOTHER),
    _edited("moment_of_nothing", _set("optimizer_states", 0, "state", 99, value={}), "resume", _OF_ANOTHER),
    _edited(
        "lr_text", _set("optimizer_states", 0, "param_groups", 0, "lr", value="x"), "resume", "the option lr"
    ),
    _edited(
        "lr_nan",
        _set("optimizer_states", 0, "param_groups", 0, "lr", value=float("nan")),
        "resume",
        "the option lr",
    ),
    _edited(
        "further_option", _set("optimizer_states", 0, "param_groups", 0, "x", value=1), "resume", "option x"
    ),
    _edited("groups_none", _set("optimizer_states", 0, "param_groups", value=[]), "resume", _OF_ANOTHER),
]
