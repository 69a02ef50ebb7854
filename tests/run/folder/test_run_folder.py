from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import (
    RunFolder,
    all_runs,
    check_name,
    check_writable,
    create,
    find_run,
    new_folder_path,
    redacted,
)

RUN = {"ganvas": {"choices": {"model": "mlp_gan"}}, "config": {"seed": 1, "api_key": "abc"}}


def make(folder: Path, name: str, started: str) -> RunFolder:
    made = create(folder / "train" / name, RUN)
    made.write_status(started=started)
    return made


def test_create_writes_run_and_status(tmp_path: Path) -> None:
    folder = create(tmp_path / "a" / "b", RUN)
    assert folder.read_run() == {
        "ganvas": {"choices": {"model": "mlp_gan"}},
        "config": {"seed": 1, "api_key": "<redacted>"},
    }
    status = folder.read_status()
    assert (status["state"], status["examples_seen"], status["error"]) == ("running", 0, None)
    assert {path.name for path in folder.path.iterdir()} == {
        "run.yaml",
        "status.json",
        "checkpoints",
        "tensorboard",
        "samples",
    }


def test_create_never_takes_a_folder_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^paths.run_dir="):
        create(tmp_path, RUN)
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"^paths.output_dir="):
        create(tmp_path / "file" / "x", RUN)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", range(6))
def test_a_disk_that_fails_midway_leaves_no_folder(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _at_rename_or_folder(number, patch, _fail)
        with pytest.raises(OptionError, match=r"paths.output_dir=.*Input/output error"):
            create(tmp_path / "train" / "a", RUN)
    assert os.listdir(tmp_path / "train") == []


@pytest.mark.parametrize("number", range(6))
def test_one_that_is_killed_midway_leaves_no_run_and_the_name_free(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (pid := os.fork()) == 0:
        _at_rename_or_folder(number, monkeypatch, lambda: os.kill(os.getpid(), signal.SIGKILL))
        create(tmp_path / "train" / "a", RUN)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert all_runs(tmp_path) == []
    create(tmp_path / "train" / "a", RUN)
    assert os.listdir(tmp_path / "train") == ["a"]


def _at_rename_or_folder(number: int, patch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """At the n-th: the folder's own, three in it, and files and folders that get their names."""
    count = iter(range(100))

    def reached(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *args: Any, **options: Any) -> Any:
            if os.path.basename(path) != "train" and next(count) == number:
                action()
            return real(path, *args, **options)

        return wrapped

    for name in ("mkdir", "replace", "rename"):
        patch.setattr(os, name, reached(getattr(os, name)))


def _fail() -> None:
    raise OSError(5, "Input/output error")


def test_redaction_hides_secrets_and_nothing_else() -> None:
    tree = {
        "api_key": "a",
        "WANDB_TOKEN": "b",
        "logger": [{"password": "c", "save_dir": "d"}],
        "secret": "e",
        "keyboard": "f",
        "monkey": "g",
        "token": None,
        "key": 3,
        "num_tokens": 4,
    }
    assert redacted(tree) == tree | {
        "api_key": "<redacted>",
        "WANDB_TOKEN": "<redacted>",
        "logger": [{"password": "<redacted>", "save_dir": "d"}],
        "secret": "<redacted>",
    }


def test_status_is_updated_not_replaced(tmp_path: Path) -> None:
    folder = create(tmp_path / "a", RUN)
    folder.write_status(examples_seen=64, metrics={"mse": 0.5})
    folder.write_status(state="finished")
    status = folder.read_status()
    assert (status["state"], status["examples_seen"], status["metrics"]) == ("finished", 64, {"mse": 0.5})


def test_a_broken_status_reads_as_empty(tmp_path: Path) -> None:
    folder = create(tmp_path / "a", RUN)
    (folder.path / "status.json").write_text('{"state": "runn')
    assert folder.read_status() == {}


def test_an_interrupted_status_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create(tmp_path / "a", RUN)
    old = (folder.path / "status.json").read_text()

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        folder.write_status(state="finished")
    assert (folder.path / "status.json").read_text() == old
    assert not list(folder.path.glob(".*"))


@pytest.mark.parametrize("text", [None, "{", "[1, 2]", "config: 3", "other: {}"])
def test_what_is_no_run_is_refused(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(OptionError, match=r"^RUN="):
        RunFolder(tmp_path).read_run()


def test_runs_are_found_by_folder_prefix_and_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path, "20260101_gan", "2026-01-03T00:00:00Z")
    second = make(tmp_path, "20260102_vqvae", "2026-01-01T00:00:00Z")
    inside = make(tmp_path / "train", "20260105_job", "2026-01-02T00:00:00Z")  # of a sweep
    assert all_runs(tmp_path) == [second, inside, first]
    assert find_run("latest", tmp_path) == first
    assert find_run("20260101", tmp_path) == first
    assert find_run("20260102_vqvae", tmp_path) == second
    assert find_run("20260105", tmp_path) == inside
    assert find_run(str(second.path), tmp_path / "nowhere") == second
    monkeypatch.chdir(tmp_path)
    assert find_run("train/20260101_gan", Path("outputs")).path == Path("train/20260101_gan")
    with pytest.raises(OptionError, match=r"^RUN=202601: fits 3 runs \(20260102_vqvae, "):
        find_run("202601", tmp_path)
    with pytest.raises(OptionError, match=r"^RUN=20260101_gna: .* did you mean 20260101_gan\?"):
        find_run("20260101_gna", tmp_path)
    with pytest.raises(OptionError, match=r"^RUN=zzz: .*ganvas runs ls"):
        find_run("zzz", tmp_path)
    for name, why in (("latest", "there is no run"), ("x", "there is no such folder, and no run")):
        with pytest.raises(OptionError, match=f"^RUN={name}: {why} under {tmp_path}/none; ganvas train"):
            find_run(name, tmp_path / "none")
    with pytest.raises(OptionError, match=f"^RUN={tmp_path}: holds no run.yaml, and no run under"):
        find_run(str(tmp_path), tmp_path / "none")
    with pytest.raises(OptionError, match=r"^RUN=latest: there is no run under"):
        find_run("latest", tmp_path / "nowhere")


def test_a_whole_name_is_its_run_also_where_others_begin_so(tmp_path: Path) -> None:
    short = make(tmp_path, "a_gan", "1")
    make(tmp_path, "a_gan2", "2")
    assert find_run("a_gan", tmp_path) == short


def test_newest_checkpoint_is_the_newest_that_is_whole(tmp_path: Path) -> None:
    from ganvas.run.checkpoint.io import DurableCheckpointIO

    folder = create(tmp_path / "a", RUN)
    assert folder.newest_checkpoint() is None
    paths = [folder.checkpoints / f"{examples:012d}.ckpt" for examples in (64, 128, 1024)]
    for path in paths:
        DurableCheckpointIO().save_checkpoint({"x": path.name}, path)
    assert folder.newest_checkpoint() == paths[2]
    paths[2].write_bytes(b"x")
    assert folder.newest_checkpoint() == paths[1]
    paths[1].with_name(f"{paths[1].name}.sha256").unlink()
    assert folder.newest_checkpoint() == paths[0]


def test_new_folders_are_named_after_the_experiment_and_never_alike() -> None:
    config = {"paths": {"output_dir": "outputs"}, "name": "mine", "seed": 7}
    first, second = (new_folder_path(config, {"model": "dcgan", "data": "mnist"}) for _ in range(2))
    assert first.parent == Path("outputs/mine")
    assert "_dcgan-mnist-s7-" in first.name
    assert "=" not in first.name
    assert first != second


@pytest.mark.parametrize("name", [None, "", ".", "..", "a/b", "/a"])
def test_check_name_refuses(name: str | None) -> None:
    with pytest.raises(OptionError, match=r"^name="):
        check_name(name)


@pytest.mark.parametrize("name", ["train", "a.b", 3])
def test_check_name_takes(name: object) -> None:
    check_name(name)


def test_check_writable_makes_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b", "o")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "b" / "c"):
        with pytest.raises(OptionError, match=r"^o=.*file is a file; name a folder$"):
            check_writable(path, "o")


def test_check_writable_believes_a_try_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(OptionError, match="cannot be written"):
        check_writable(tmp_path / "a", "o")


def test_status_is_json_that_a_shell_can_read(tmp_path: Path) -> None:
    folder = create(tmp_path / "a", RUN)
    assert json.loads((folder.path / "status.json").read_text())["updated"][:2] == "20"
