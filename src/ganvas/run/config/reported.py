"""Which scalars a run will report, told from its config alone: before the first job of a sweep trains."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ganvas.callback.evaluation import Evaluation
from ganvas.callback.keep_classifier import KeepClassifier
from ganvas.callback.record import Record
from ganvas.errors import OptionError, require
from ganvas.metric.likelihood_evaluation import BETTER as OF_LIKELIHOOD
from ganvas.metric.reconstruction_evaluation import BETTER
from ganvas.modality.image import Image
from ganvas.modality.interface import Modality
from ganvas.modality.points import Points, Values
from ganvas.modality.sound import Sound
from ganvas.modality.text import Text
from ganvas.model.training.lifecycle import Lifecycle
from ganvas.run.config.allowed import locate
from ganvas.run.config.build import build
from ganvas.run.config.optimized import objectives

_METRIC = "evaluation/"
# Of every recipe, and of callbacks beside the evaluation (callback/health.py).
_COMMON = ("speed/examples_per_second", "non_finite/skipped", "health/")


def check_reported(config: Mapping[str, Any], metric: str, option: str = "optimized_metric") -> None:
    """Raises OptionError (``option``) where a run of this config never reports the scalar.

    What a recipe or a callback of the user's own reports is not known: then any name is believed.
    """
    metrics, is_complete = reported_metrics(config)
    there = {f"{_METRIC}{name}" for name in metrics}
    if metric in there or (metric.startswith(_METRIC) and not is_complete):
        return
    tags = _tags(config)
    is_tag = tags is None or any(_fits(metric, tag) for tag in tags)
    if is_tag and not metric.startswith(_METRIC):
        return
    names = sorted(there | {tag for tag in tags or () if tag[-1] != "/"})
    close = difflib.get_close_matches(metric, names, n=1, cutoff=0.75)
    near = f"did you mean {close[0]}? " if close else ""
    reason = f"no run of this config reports it; {near}there are: {', '.join(names) or 'none'}"
    raise OptionError(option, metric, reason)


def reported_objectives(config: dict[str, Any]) -> list[tuple[str, str]]:
    """(metric, mode) of each objective of a search, each one reported and with a direction.

    Raises:
        OptionError: ``optimized_metric``, ``optimized_mode``: there is none, no run reports it, or it has no
            direction.
    """
    pairs = objectives(config)
    reason = "is what a search looks for; write optimized_metric=evaluation/fid or the like"
    require(bool(pairs), "optimized_metric", "null", reason)
    chosen = []
    for metric, mode in pairs:
        check_reported(config, metric)
        way = mode or reported_metrics(config)[0].get(metric.removeprefix(_METRIC))
        reason = f"{metric} has no better way of its own; write optimized_mode=min or optimized_mode=max"
        require(way is not None, "optimized_mode", "null", reason)
        chosen.append((metric, str(way)))
    return chosen


def check_ranked(configs: Iterable[Mapping[str, Any]]) -> None:
    """Raises OptionError where none of a sweep's configs reports what the sweep is ranked by.

    One is enough: jobs of other models may have other metrics, and are then without a place.
    """
    refused: dict[str, OptionError] = {}
    known: set[str] = set()
    looked: set[tuple[str, str]] = set()
    for config in configs:
        kind = f"{_target(config.get('model'))} {config.get('callback')}"
        for metric, _ in objectives(dict(config)):
            if metric not in known and (metric, kind) not in looked:
                looked.add((metric, kind))
                try:
                    check_reported(config, metric)
                    known.add(metric)
                except OptionError as error:
                    refused.setdefault(metric, error)
    for metric, refusal in refused.items():
        if metric not in known:
            raise refusal


def _fits(metric: str, tag: str) -> bool:
    return metric == tag or (tag[-1] == "/" and metric.startswith(tag))


def reported_metrics(config: Mapping[str, Any]) -> tuple[dict[str, str | None], bool]:
    """The metrics that the config's evaluation may report, each with its better way (None: neither).

    Returns:
        metric -> ``min``, ``max`` or None; and whether these are all, as far as the config tells.

    Raises:
        OptionError: a metric's options do not fit.
    """
    found: dict[str, str | None] = {}
    complete, recipe = True, _class_of(config.get("model"))
    for name, node in _callbacks(config):
        kind = _class_of(node)
        if kind is KeepClassifier:
            found["accuracy"] = "max"
        elif kind is not Evaluation:
            complete = complete and str(_target(node)).startswith("ganvas.")
        elif hasattr(recipe, "reconstruct"):
            absent = {"rfid"} if not _target(node.get("features")) else set()
            found |= {metric: way for metric, way in BETTER.items() if metric not in absent}
            found |= getattr(_class_of(node.get("perceptual")), "better", {})
            found |= _of_modality(_class_of(config.get("data")))
        elif hasattr(recipe, "sample") and _target(node.get("features")):
            metrics = node.get("metrics")  # what is wrong with others, a run says
            metrics = metrics if isinstance(metrics, dict) else {}
            found |= dict(_sample_metrics(metrics, f"callback.{name}.metrics"))
        if kind is Evaluation and hasattr(recipe, "bits"):
            by_data = _of_modality(_class_of(config.get("data")), Sound, Text)
            found |= {metric: way or _of_bits(metric) for metric, way in by_data.items()}
            found |= OF_LIKELIHOOD
        elif recipe is None:
            complete = False
    return found, complete


def _of_bits(metric: str) -> str | None:
    """Fewer bits are better, but for those of the codes alone."""
    return None if metric.startswith("code_") else "min"


def _of_modality(data: type | None, *more: type[Modality]) -> Mapping[str, str | None]:
    """What reconstructions get by what the samples are; of data that do not say it before they are read, by
    any of what they may be: of codes also ``more``."""
    declared: type[Modality] | None = getattr(data, "modality_kind", None)
    kinds: tuple[type[Modality], ...] = (declared,) if declared else (Image, Points, Values, *more)
    return {metric: way for kind in kinds for metric, way in kind.reports.items()}


def _sample_metrics(metrics: Mapping[str, Any], path: str) -> Iterator[tuple[str, str | None]]:
    for name, node in metrics.items():
        if _target(node):
            for metric, up in build(node, f"{path}.{name}").directions.items():
                yield metric, None if up is None else "max" if up else "min"


def _tags(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What training and validation report; None where the recipe or a callback of the user's does not say."""
    recipe = _class_of(config.get("model"))
    said = vars(recipe).get("reports") if recipe else None  # a base's do not say what its subclass reports
    targets = [str(node.get("_target_")) for _, node in _callbacks(config)]
    if not said or any(not target.startswith("ganvas.") for target in targets):
        return None
    if recipe is not None and issubclass(recipe, Lifecycle):
        said = recipe.reported_with(_parts(config.get("model") or {}))
    quantizer = _class_of((config.get("model") or {}).get("quantizer"))
    if quantizer is not None:
        losses = getattr(quantizer, "losses", None)  # of what it notes; None: it does not say
        own = ["loss/"] if losses is None else [f"loss/{one.removesuffix('_loss')}" for one in losses]
        said = (*said, *own)
    records = any((kind := _class_of(node)) and issubclass(kind, Record) for _, node in _callbacks(config))
    return (*said, *_COMMON) if records else ("health/",)


def _parts(model: Mapping[str, Any]) -> dict[str, type | None]:
    """Section of the model -> the class of its part, None where it is left out; others are not there."""
    sections = {name: node for name, node in model.items() if node is None or _is_section(node)}
    kinds = {name: _class_of(node) for name, node in sections.items()}
    return {name: kind for name, kind in kinds.items() if kind or _target(sections[name]) is None}


def _is_section(node: Any) -> bool:
    return isinstance(node, dict) and "_target_" in node


def _callbacks(config: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, node) for name, node in (config.get("callback") or {}).items() if isinstance(node, dict)]


def _target(node: Any) -> str | None:
    return node.get("_target_") if isinstance(node, dict) else None


def _class_of(node: Any) -> type | None:
    """The class that a node names; None where it cannot be had (a run will say why)."""
    target = _target(node)
    try:
        found = locate(target, "") if target else None
    except OptionError:
        return None
    return found if isinstance(found, type) else None
