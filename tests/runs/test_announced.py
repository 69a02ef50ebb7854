"""``ganvas train`` and ``resume`` say where a run lies once nothing can be refused any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusal import SMOKE


def test_a_resumed_run_says_from_where(ganvas) -> None:
    ganvas(*SMOKE, "paths.run_dir=outputs/x/run")
    text = ganvas("resume", "latest", "trainer.max_examples=256").stdout
    assert text.startswith("mlp_gan on digits: 256 examples, on from 128, seed 1\nfolder: outputs/x/run\n")


def test_it_is_said_where_the_run_lies(ganvas, tmp_path: Path) -> None:
    first, second = ganvas(*SMOKE, "seed=5").stdout.splitlines()[:2]
    assert first == "mlp_gan on digits: 128 examples, seed 5"
    assert (tmp_path / second.removeprefix("folder: ") / "run.yaml").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["metric/features=classifier", "metric.features.network.feature_dim=3"],
        ["model.latent_dim=-1"],
        ["data.batch_size=4000"],
        ["model.init_from=nowhere"],
        ["callback.evaluation.num_samples=-1"],
        ["+callback.x._target_=pytorch_lightning.callbacks.DeviceStatsMonitor"],
    ],
)
def test_no_folder_is_named_of_what_is_refused(words: list[str], ganvas, tmp_path: Path) -> None:
    assert "folder: " not in ganvas(*SMOKE, *words, code=2).stdout
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_where_a_finished_run_lies_is_not_said_again(ganvas) -> None:
    ganvas(*SMOKE, "paths.run_dir=outputs/x/run")
    assert "folder: " not in ganvas("resume", "latest").stdout
