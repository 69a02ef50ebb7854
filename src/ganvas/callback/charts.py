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
from ganvas.callback.health import Health
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
# By what tells the recipe. A tag is a regular expression to TensorBoard.
_METRICS = {
    "loss/discriminator": {"FID": ["evaluation/fid"], "KID": ["evaluation/kid"]},
    "codes/used": {
        "PSNR, dB": ["evaluation/psnr"],
        "SSIM": ["evaluation/ssim"],
        "FID of reconstructions": ["evaluation/rfid"],
    },
}
_HEALTH = {
    "loss/discriminator": {
        "distance from the data: raw, averaged weights": ["health/energy", "health/energy_averaged"],
        "samples beside data: diversity, distinct": ["health/diversity", "health/distinct"],
        "overfitting of D: gap, r_t": ["health/overfitting", "health/r_t"],
        "largest singular values of D's layers": ["health/spectral_norm/.*"],
    },
    "codes/used": {
        "codes used: watched samples": ["health/codes_used"],
        "perplexity of the codes: watched samples": ["health/perplexity"],
        "unexplained share of the samples": ["health/unexplained"],
    },
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
                watched = any(isinstance(one, Health) for one in trainer.callbacks)  # type: ignore[attr-defined]
                reports = getattr(pl_module, "reports", ())
                charts = layout(reports, metrics=_has_curves(trainer), health=watched)
                for kind in (kind for group in charts.values() for kind in group.values()):
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
                run = load_plain(self.run_file, "RUN")
                config, options = run["config"], swept(run)
            except (OptionError, KeyError, TypeError) as error:  # somebody else wrote it; the run is done
                log.warning("no row of HPARAMS: run.yaml holds no config (%s)", error)
                return
            best = best_metrics(read_rows(self.run_file.with_name("evaluations.jsonl")))
            examples, results = int(pl_module.examples_seen), _results(pl_module.metrics, best)
            with self.state.tolerate_write_errors("TensorBoard"):
                for writer in (logger.experiment for logger in _loggers(trainer)):
                    if results:
                        writer.add_text("results", _table(results), examples)
                    _add_hparams(writer, led(chosen(config), results, options))


def layout(
    reports: Sequence[str], *, metrics: bool = False, health: bool = False
) -> dict[str, dict[str, list[Any]]]:
    """TensorBoard's layout of charts for a recipe that may report these tags; losses first.

    Args:
        reports: see ``Recipe.reports`` (``codes/`` stands for all that begin so); empty: all charts.
        metrics: whether the run is evaluated while it trains, so that metrics are curves.
        health: whether its health is watched.
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
    groups = {"training": ordered}
    kind = "loss/discriminator" if reported("loss/discriminator") else "codes/used"
    if metrics and reported(kind):
        groups["metrics"] = _METRICS[kind]
    if health and reported(kind):
        groups["health"] = _HEALTH[kind]
    return {
        group: {title: ["Multiline", list(tags)] for title, tags in charts.items()}
        for group, charts in groups.items()
    }


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


Plain = bool | int | float | str


def led(
    hparams: Mapping[str, Plain], results: Mapping[str, Result], options: Mapping[str, Plain] | None = None
) -> dict[str, Plain]:
    """The columns of HPARAMS; capitals lead: the main metric (``Final/fid``), then what tells runs apart.

    That is, in a sweep, what it varies (``Option/seed``), elsewhere learning rates (``LR/...``). TensorBoard
    sorts columns by their letters' codes and shows the first five.

    Args:
        options: see :func:`swept`.
    """
    columns: dict[str, Plain] = {f"Option/{key}": value for key, value in (options or {}).items()}
    for key, value in hparams.items():
        path, _, last = key.rpartition(".")
        columns[f"LR/{path}" if last == "lr" and not options else key] = value
    for number, (name, one) in enumerate(results.items()):
        for kind, result in (("final", one.final), ("best", one.best)):
            if result is not None:
                columns[f"{kind if number else kind.capitalize()}/{name}"] = result
    return columns


def swept(run: Mapping[str, Any]) -> dict[str, Plain]:
    """What a sweep varies, of the run.yaml of one of its runs: key -> value.

    Those are the overrides of the run that were not written for all of them. Empty elsewhere.
    """
    about = run.get("ganvas")
    if not isinstance(about, dict) or not about.get("sweep"):
        return {}
    common = str(about.get("command", "")).split()
    varied: dict[str, Plain] = {}
    for word in about.get("overrides") or ():
        key, _, value = str(word).lstrip("+~").partition("=")
        if word not in common:
            try:
                varied[key] = float(value)
            except ValueError:
                varied[key] = value
    return varied


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


def _add_hparams(writer: Any, hparams: Mapping[str, Any]) -> None:
    """What ``SummaryWriter.add_hparams`` writes, but into this run's file and not into one of its own.

    And without a list of columns: TensorBoard would take that of any one run for all, and a folder of several
    recipes would be a table of empty cells. Without one it takes the columns of all, and scalars as metrics.
    """
    from torch.utils.tensorboard.summary import hparams as summaries

    _, start, end = summaries(dict(hparams), {})
    for summary in (start, end):
        writer._get_file_writer().add_summary(summary)
    writer.flush()


def _loggers(trainer: pl.Trainer) -> list[TensorBoardLogger]:
    """Those of TensorBoard, on the rank that writes."""
    if not trainer.is_global_zero:
        return []
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
