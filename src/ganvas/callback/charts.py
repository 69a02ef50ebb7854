"""TensorBoard beside the scalars: a layout of charts, the config as text, and a row of HPARAMS."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from ganvas.callback.evaluation import Evaluation, best_metrics
from ganvas.callback.run_state import RunCallback, finished
from ganvas.callback.writing.rows import read_rows
from ganvas.errors import OptionError
from ganvas.files.plain import MAX_BYTES, load_plain
from ganvas.files.read import read_bytes

log = logging.getLogger("ganvas")

# Titles name the lines in their order: TensorBoard gives all lines of one run one colour, and tells them
# apart by their marks. A chart of which a recipe reports no tag is left out.
_CHARTS = {
    "loss: generator, discriminator": ["loss/generator", "loss/discriminator"],
    "loss: total, reconstruction, commitment": ["loss/total", "loss/reconstruction", "loss/commitment"],
    "reconstruction loss: training, validation": ["loss/reconstruction", "validation/reconstruction_loss"],
    "loss: training, validation": ["loss/cross_entropy", "validation/cross_entropy"],
    "logits of D: real, generated": ["logits/real", "logits/fake"],
    "accuracy of D: real, generated": ["accuracy/real", "accuracy/fake"],
    "accuracy: training, validation": ["accuracy/training", "validation/accuracy"],
    "perplexity of the codes: training, validation": ["codes/perplexity", "validation/perplexity"],
    "codes used: training, validation": ["codes/used", "validation/codes_used"],
    "gradient norm: generator, discriminator": ["gradient_norm/generator", "gradient_norm/discriminator"],
    "learning rate: generator, discriminator": ["learning_rate/generator", "learning_rate/discriminator"],
}
_MAIN_METRICS = ("fid", "psnr", "accuracy")  # what a reader asks for first, of whichever there is


class Charts(RunCallback):
    """Writes to the run's own TensorBoard folder: charts of several curves (tab CUSTOM SCALARS), run.yaml as
    text, and at the end the config with final and best metrics (tab HPARAMS, and as text), without a run
    beside the run. Final and best metrics are no scalars: each would be a chart of one dot.

    Args:
        run_dir: the run's folder, which holds run.yaml.
    """

    shows_results = True

    def __init__(self, *, run_dir: str) -> None:
        self.run_file = Path(run_dir) / "run.yaml"

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if pl_module.examples_seen:  # a resumed run's event files hold them already
            return
        with self.state.tolerate_write_errors("TensorBoard"):
            for logger in _loggers(trainer):
                named = getattr(logger, "shown_tag", str)  # as the logger names scalars
                charts = layout(getattr(pl_module, "reports", ()))
                for kind in charts["training"].values():
                    kind[1] = list(map(named, kind[1]))
                writer = logger.experiment
                writer.add_custom_scalars(charts)
                if self.run_file.exists():
                    text = read_bytes(self.run_file, MAX_BYTES).decode(errors="replace")
                    writer.add_text("config", f"```yaml\n{text}\n```", 0)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """After every callback's ``on_train_end``, so that the final metrics are there in any order."""
        if finished(trainer, pl_module, self.state) and self.run_file.exists():
            try:
                config = load_plain(self.run_file, "RUN")["config"]
            except (OptionError, KeyError, TypeError) as error:  # somebody else wrote it; the run is done
                log.warning("no row of HPARAMS: run.yaml holds no config (%s)", error)
                return
            best = best_metrics(read_rows(self.run_file.with_name("evaluations.jsonl")))
            examples, results = int(pl_module.examples_seen), _results(pl_module.metrics, best)
            curves = [f"evaluation/{name}" for name in results] if _has_curves(trainer) else []
            with self.state.tolerate_write_errors("TensorBoard"):
                for writer in (logger.experiment for logger in _loggers(trainer)):
                    if results:
                        writer.add_text("results", _table(results), examples)
                    _add_hparams(writer, led(chosen(config), results), curves)


def layout(reports: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """TensorBoard's layout of charts for a recipe that may report these tags; losses first.

    Args:
        reports: see ``Recipe.reports`` (``codes/`` stands for all that begin so); empty: all charts.
    """
    prefixes = tuple(tag for tag in reports if tag.endswith("/"))

    def reported(tag: str) -> bool:
        return not reports or tag in reports or tag.startswith(prefixes)

    there = {title: tags for title, tags in _CHARTS.items() if any(map(reported, tags))}
    losses = {title: there[title] for title in there if title.startswith("loss:")}
    if not losses:
        own = [tag for tag in reports if tag.startswith("loss/") and not tag.endswith("/")]
        losses = {f"loss: {tag.partition('/')[2]}": [tag] for tag in own}
    ordered = losses | there
    return {"training": {title: ["Multiline", tags] for title, tags in ordered.items()}}


class Result(NamedTuple):
    final: float | None
    best: float | None
    best_at: int | None  # examples seen


def _results(final: Mapping[str, float], best: Mapping[str, Mapping[str, float | int]]) -> dict[str, Result]:
    """Metric -> its values, the main one first; what is not finite is left out."""
    names = dict.fromkeys([*(name for name in _MAIN_METRICS if name in final), *final, *best])
    results = {}
    for name in names:
        value, top = final.get(name), best.get(name)
        last = float(value) if value is not None and math.isfinite(value) else None
        results[name] = Result(last, *((float(top["value"]), int(top["examples"])) if top else (None, None)))
    return results


def led(
    hparams: dict[str, bool | int | float | str], results: Mapping[str, Result]
) -> dict[str, bool | int | float | str]:
    """The columns of HPARAMS; capitals lead: learning rates (``LR/...``) and the main metric (``Final/fid``).

    TensorBoard sorts columns by their letters' codes and shows the first five.
    """
    columns: dict[str, bool | int | float | str] = {}
    for key, value in hparams.items():
        path, _, last = key.rpartition(".")
        columns[f"LR/{path}" if last == "lr" else key] = value
    for number, (name, one) in enumerate(results.items()):
        for kind, result in (("final", one.final), ("best", one.best)):
            if result is not None:
                columns[f"{kind if number else kind.capitalize()}/{name}"] = result
    return columns


def _table(results: Mapping[str, Result]) -> str:
    """The same as a table in Markdown."""
    lines = ["| metric | final | best | at examples |", "|---|---:|---:|---:|"]
    for name, one in results.items():
        final, best = ("" if value is None else f"{value:.6g}" for value in (one.final, one.best))
        lines.append(f"| {name} | {final} | {best} | {'' if one.best_at is None else one.best_at} |")
    return "\n".join(lines)


def _has_curves(trainer: pl.Trainer) -> bool:
    """Whether the run is evaluated while it trains: then its metrics are scalars too (:func:`record`)."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return any(isinstance(one, Evaluation) and one.every_examples for one in callbacks)


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


def _add_hparams(writer: Any, hparams: dict[str, Any], curves: Sequence[str]) -> None:
    """What ``SummaryWriter.add_hparams`` writes, but into this run's file and not into one of its own.

    Args:
        curves: tags of scalars that are there, whose last values HPARAMS takes for metrics.
    """
    from torch.utils.tensorboard.summary import hparams as summaries

    for summary in summaries(hparams, dict.fromkeys(curves, 0.0)):
        writer._get_file_writer().add_summary(summary)
    writer.flush()


def _loggers(trainer: pl.Trainer) -> list[TensorBoardLogger]:
    """Those of TensorBoard, on the rank that writes."""
    if not trainer.is_global_zero:
        return []
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
