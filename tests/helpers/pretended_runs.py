"""Recipes on the CPU and on the pretended device: training, validation, what is measured beside it.

    python pretended_runs.py ANSWERS RUNS

RUNS is a list of lists of overrides, ANSWERS gets [on the CPU, on the device]; both are JSON.

It registers a device for the whole process, so the test starts it in one of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy
from without_float64 import NAME, DeviceTensor, pretend, register

from ganvas.callback.detectors.evidence.probe import Probe, Reference
from ganvas.cli.compose.experiment import compose
from ganvas.metric.evaluate import evaluating
from ganvas.model.interface import Reconstructs, Samples
from ganvas.run.config.build import build
from ganvas.run.load import model_of, tokenizer_of


class Pretended(CPUAccelerator):
    """Lightning's for the CPU asks that the device is one."""

    def setup_device(self, device: torch.device) -> None: ...


class OnDevice(pl.Callback):
    """Looks whether training is where it seems."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert all(isinstance(value, DeviceTensor) for value in pl_module.state_dict().values())


def run(words: list[str], device: str) -> dict[str, Any]:
    config = compose([*words, "data.batch_size=16", "data.num_workers=0"]).config
    torch.manual_seed(0)
    given = tokenizer_of(config)
    data = build(config["data"] | given, "data")
    model = model_of(config, data, given)
    model.log_every(16, 16)
    trainer = pl.Trainer(
        strategy=SingleDeviceStrategy(torch.device(device), accelerator=Pretended()),
        max_steps=12,
        val_check_interval=6,
        limit_val_batches=2,
        num_sanity_val_steps=0,
        logger=False,
        callbacks=[OnDevice()] if device == NAME else [],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data)
    answer = {"steps": trainer.global_step, **{k: float(v) for k, v in model.report.items()}}
    answer |= model.validation_report
    model.to(device)
    callbacks = config["callback"]
    evaluation = (
        build(callbacks["evaluation"] | {"num_samples": 40}, "callback.evaluation")
        if "evaluation" in callbacks
        else None
    )
    with evaluating(model) as home:
        probe = Probe(model, Reference(data, num=8, max_train=20, device=home), num=8, seed=0)
        for detector in build(callbacks["health"], "callback.health").detectors.values():
            answer |= detector.measure(probe)
    if isinstance(model, Samples):
        answer |= evaluation.samples(model, data).metrics
    if isinstance(model, Reconstructs):
        answer |= evaluation.reconstruction(model, data).metrics
    return answer


def main(answers: Path, runs: list[list[str]]) -> None:
    torch.set_num_threads(1)
    register()
    on_cpu = [run(words, "cpu") for words in runs]
    with pretend():
        on_device = [run(words, NAME) for words in runs]
    answers.write_text(json.dumps([on_cpu, on_device]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
