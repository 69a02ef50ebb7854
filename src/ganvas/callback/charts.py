"""TensorBoard beside the scalars: a layout of charts, the config as text, and a row of HPARAMS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.loggers import TensorBoardLogger

from ganvas.callback.evaluation import best_metrics, finished
from ganvas.callback.rows import read_rows
from ganvas.callback.run_state import RunCallback
from ganvas.model.interface import Reconstructs

_GAN_CHARTS = {
    "losses": ["loss/generator", "loss/discriminator"],
    "logits of D": ["logits/real", "logits/fake"],
    "accuracy of D": ["accuracy/real", "accuracy/fake"],
    "gradient norms": ["gradient_norm/generator", "gradient_norm/discriminator"],
    "learning rates": ["learning_rate/generator", "learning_rate/discriminator"],
}
_VQVAE_CHARTS = {
    "losses": ["loss/total", "loss/reconstruction", "loss/codebook", "loss/commitment"],
    "reconstruction": ["loss/reconstruction", "validation/reconstruction_loss"],
    "codes": ["codes/perplexity", "codes/used", "validation/perplexity", "validation/codes_used"],
}


class Charts(RunCallback):
    """Writes to the run's own TensorBoard folder: charts of several curves (tab CUSTOM SCALARS), run.yaml as
    text, and at the end the config with final and best metrics (tab HPARAMS), without a run beside the run.

    Args:
        run_dir: the run's folder, which holds run.yaml.
    """

    def __init__(self, *, run_dir: str) -> None:
        self.run_file = Path(run_dir) / "run.yaml"

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if pl_module.examples_seen:  # a resumed run's event files hold them already
            return
        charts = _VQVAE_CHARTS if isinstance(pl_module, Reconstructs) else _GAN_CHARTS
        layout = {"training": {title: ["Multiline", tags] for title, tags in charts.items()}}
        with self.state.tolerate_write_errors("TensorBoard"):
            for writer in _writers(trainer):
                writer.add_custom_scalars(layout)
                if self.run_file.exists():
                    text = self.run_file.read_text(encoding="utf-8")
                    writer.add_text("config", f"```yaml\n{text}\n```", 0)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """After every callback's ``on_train_end``, so that the final metrics are there in any order."""
        if finished(trainer, pl_module, self.state) and self.run_file.exists():
            config = yaml.safe_load(self.run_file.read_text(encoding="utf-8"))["config"]
            best = best_metrics(read_rows(self.run_file.with_name("evaluations.jsonl")))
            metrics = {f"final/{name}": value for name, value in pl_module.metrics.items()}
            metrics |= {f"best/{name}": float(one["value"]) for name, one in best.items()}
            with self.state.tolerate_write_errors("TensorBoard"):
                for writer in _writers(trainer):
                    _add_hparams(writer, chosen(config), metrics, int(pl_module.examples_seen))


def chosen(config: dict[str, Any]) -> dict[str, bool | int | float | str]:
    """What a table of experiments tells them apart by, from a composed config, as flat plain values.

    A ``_target_`` is given by its last name, a list of numbers as text; nulls are left out.
    """
    data = config.get("data", {})
    parts = {
        "model": config.get("model", {}),
        "data": {name: data[name] for name in ("_target_", "batch_size") if name in data},
        "seed": config.get("seed"),
        "trainer": {"max_examples": config.get("trainer", {}).get("max_examples")},
    }
    return dict(_leaves("", parts))


def _leaves(path: str, node: Any) -> Iterator[tuple[str, bool | int | float | str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "_target_" and value is not None:
                yield path or name, str(value).rpartition(".")[2]
            elif not name.startswith("_"):
                yield from _leaves(f"{path}.{name}" if path else name, value)
    elif isinstance(node, list):
        yield path, ", ".join(str(value) for value in node)
    elif node is not None:
        yield path, node


def _add_hparams(writer: Any, hparams: dict[str, Any], metrics: dict[str, float], examples: int) -> None:
    """What ``SummaryWriter.add_hparams`` writes, but into this run's file and not into one of its own."""
    from torch.utils.tensorboard.summary import hparams as summaries

    for summary in summaries(hparams, metrics):
        writer._get_file_writer().add_summary(summary)
    for tag, value in metrics.items():
        writer.add_scalar(tag, value, examples)
    writer.flush()


def _writers(trainer: pl.Trainer) -> list[Any]:
    if not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
