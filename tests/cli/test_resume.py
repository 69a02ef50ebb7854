from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image
from refusal import SMOKE, refused

from ganvas.run.config.stored import relocate_paths


def test_moved_takes_the_folder_itself_and_what_lies_in_it() -> None:
    tree = {
        "run_dir": "outputs/a",
        "deep": [{"x": "outputs/a/samples"}, "outputs/ab", "see outputs/a", 3, None, True],
    }
    assert relocate_paths(tree, "outputs/a", "/new") == {
        "run_dir": "/new",
        "deep": [{"x": "/new/samples"}, "outputs/ab", "see outputs/a", 3, None, True],
    }
    assert tree["run_dir"] == "outputs/a"


@pytest.mark.parametrize("command", ["resume", "train"])
def test_goes_on_in_the_same_folder(command: str, ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    first = ["resume", "a_gan"] if command == "resume" else ["train", "resume=a_gan"]
    ganvas(*first, "trainer.max_examples=256")
    assert json.loads((run / "status.json").read_text())["examples_seen"] == 256
    assert (run / "checkpoints" / "000000000256.ckpt").exists()
    assert [path.name for path in run.parent.iterdir()] == ["a_gan"]


def test_train_resume_finds_the_run_and_sets_keys_of_its_own_model(
    ganvas, outputs: Path, tmp_path: Path
) -> None:
    shutil.copytree(outputs / "train" / "b_vqvae", tmp_path / "runs" / "train" / "b_vqvae")
    words = ("resume=latest:vqvae", "paths.output_dir=runs", "trainer.max_examples=256")
    done = ganvas("train", *words, "model.optimizer.lr=0.5", code=2)  # no key of model=mlp_gan
    assert done.stderr.startswith("model.optimizer.lr=0.5: would change the training of this run")
    ganvas("train", *words, "model.optimizer.lr=0.5", "allow_drift=true")
    assert json.loads((tmp_path / "runs/train/b_vqvae/status.json").read_text())["examples_seen"] == 256


def test_metrics_of_a_resumed_run_follow_its_metric_section(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "r"
    small = ("trainer=smoke", "trainer.max_examples=128", "callback=minimal", "logger=none")
    ganvas("train", *small, "callback.evaluation.num_samples=64", f"paths.run_dir={run}")
    ganvas("resume", "r", "trainer.max_examples=256", "metric.features.size=4")
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    assert [row["protocol"]["features"]["size"] for row in rows] == [8, 4]


def test_a_run_cannot_name_foreign_code(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    text = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text(text.replace("ganvas.data.digits.Digits", "os.system"))
    for words in (["resume", "a_gan"], ["sample", "a_gan"], ["evaluate", "a_gan"]):
        assert ganvas(*words, code=2).stderr.startswith("data._target_=os.system: ")


def test_a_run_without_a_valid_checkpoint(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    shutil.copytree(outputs / "train" / "a_gan", run)
    (run / "checkpoints" / "000000000128.ckpt").write_bytes(b"short")
    for command in ("sample", "evaluate"):
        assert "all its checkpoints are damaged" in ganvas(command, "a_gan", code=2).stderr
    assert "damaged, their sha256 is wrong (000000000128.ckpt)" in ganvas("resume", "a_gan", code=2).stderr


def test_a_time_is_text_as_it_is_for_train(ganvas, outputs: Path, tmp_path: Path) -> None:
    """YAML 1.1 would make 36000 of it."""
    shutil.copytree(outputs / "train" / "a_gan", tmp_path / "outputs" / "train" / "a_gan")
    run = tmp_path / "outputs" / "train" / "a_gan"
    ganvas("resume", "a_gan", "trainer.max_time=10:00:00:00", "trainer.max_examples=192")
    assert yaml.safe_load((run / "run.yaml").read_text())["config"]["trainer"]["max_time"] == "10:00:00:00"
    for words in (["resume", "a_gan"], ["train"]):
        done = ganvas(*words, "trainer.val_every_examples=1:00", code=2)
        assert done.stderr.startswith("trainer.val_every_examples=1:00: must be a whole number")


def test_a_logger_is_left_out_from_here_on(ganvas, outputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "a_gan"
    words = ("train", "trainer=smoke", "callback=minimal", "trainer.max_examples=128")
    ganvas(*words, f"paths.run_dir={run}", "callback.evaluation.num_samples=64")
    files = {path: path.stat().st_size for path in (run / "tensorboard").iterdir()}
    assert files
    ganvas("resume", "a_gan", "trainer.max_examples=256", "logger.tensorboard=null")
    ganvas("resume", "a_gan", "trainer.max_examples=384")
    assert {path: path.stat().st_size for path in (run / "tensorboard").iterdir()} == files
    assert json.loads((run / "status.json").read_text())["examples_seen"] == 384
    refused(ganvas, tmp_path, ["resume", "a_gan", "callback.record=null"], "callback.record", "=null: ")


def test_a_time_in_a_file_needs_quotes(ganvas, tmp_path: Path) -> None:
    (tmp_path / "conf" / "trainer").mkdir(parents=True)
    text = "defaults: [smoke, _self_]\nmax_time: 10:00:00:00\n"
    (tmp_path / "conf" / "trainer" / "mine.yaml").write_text(text)
    done = ganvas("train", "--config-dir", "conf", "trainer=mine", code=2)
    assert "trainer.max_time=" in done.stderr
    assert "write it in quotes: YAML 1.1 reads" in done.stderr


def test_a_finished_run_is_told_where_its_images_lie_now(ganvas, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for level in range(12):
        Image.new("L", (8, 8), 20 * level).save(images / f"{level:02}.png")
    words = ["model=mlp_vqvae", "data=image_folder", "data.root=images", "data.image_size=8"]
    small = ["data.batch_size=4", "trainer.max_examples=8", "callback=none", "logger=none"]
    ganvas("train", *words, *small, "paths.run_dir=outputs/train/r")
    images.rename(tmp_path / "moved")
    for words in (("reconstruct", "r", "--num=1"), ("evaluate", "r")):
        done = ganvas(*words, code=2)
        assert done.stderr.startswith("data.root=images: does not exist; ")
        assert "ganvas resume RUN data.root=FOLDER" in done.stderr
    done = ganvas("resume", "r", "data.root=moved")
    assert "it was finished already" in done.stdout + done.stderr
    ganvas("reconstruct", "r", "--num=1")
    record = yaml.safe_load((tmp_path / "outputs/train/r/run.yaml").read_text())
    assert record["config"]["data"]["root"] == "moved"
    assert record["ganvas"]["resumed"][-1]["overrides"] == ["data.root=moved"]
    before = (tmp_path / "outputs/train/r/run.yaml").read_bytes()
    ganvas("resume", "r")  # nothing to say, nothing written
    assert (tmp_path / "outputs/train/r/run.yaml").read_bytes() == before


def test_a_share_of_the_data_is_part_of_a_run(ganvas, tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "train" / "r"
    words = ("trainer=smoke", "callback=minimal", "callback.evaluation=null", "logger=none")
    ganvas("train", *words, "data.train_fraction=0.1", f"paths.run_dir={run}", "trainer.max_epochs=1")
    # 144 of 1,437 digits are two batches of 64
    status = json.loads((run / "status.json").read_text())
    assert status["examples_seen"] == 128
    stored = yaml.safe_load((run / "run.yaml").read_text())
    assert stored["config"]["data"]["train_fraction"] == 0.1
    assert stored["ganvas"]["environment"]["data"]["splits"]["train"]["count"] == 144
    more = ("resume", "r", "trainer.max_epochs=2", "trainer.max_examples=null")
    done = ganvas(*more, "data.train_fraction=0.2", code=2)
    assert done.stderr.startswith("data.train_fraction=0.2: would change the training of this run")
    ganvas(*more)
    assert json.loads((run / "status.json").read_text())["examples_seen"] == 256


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("0", "must be above 0 and at most 1"),
        ("0.01", "leaves 14 of 1437 training samples"),
        ("ten", "number"),
    ],
)
def test_a_share_that_is_none(value: str, part: str, ganvas, tmp_path: Path) -> None:
    refused(ganvas, tmp_path, [*SMOKE, f"data.train_fraction={value}"], "data.train_fraction", part)
