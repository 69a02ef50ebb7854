"""What a sweep ranks by where ``optimized_metric`` is null: the main metric of its recipe's YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganvas.sweep.manifest import Draft

_EVALUATION = "ganvas.callback.evaluation.Evaluation"


def main_metric(config: Mapping[str, Any]) -> str | None:
    """``model.main_metric`` of a config; None where the recipe declares none."""
    found = config["model"].get("main_metric")
    return found if isinstance(found, str) and found else None


def rank_by_main_metric(drafts: Sequence[Draft]) -> list[str]:
    """Gives all jobs their recipes' main metric, where none asks for another and all report the same.

    Returns:
        what to tell the user, a line or none.
    """
    if any(draft.config.get("optimized_metric") is not None for draft in drafts):
        return []
    metrics = sorted({main_metric(draft.config) or "" for draft in drafts})
    if len(metrics) > 1 and all(metrics):
        return [f"not ranked: the recipes' main metrics are {', '.join(metrics)}; optimized_metric=... ranks"]
    if metrics == [""] or len(metrics) > 1 or not _all_report(drafts, metrics[0]):
        return []
    for draft in drafts:
        draft.config["optimized_metric"] = metrics[0]
    return [told(metrics[0])]


def told(metric: str) -> str:
    """That nobody asked for the metric, and how to ask for another."""
    return f"ranked by {metric}, the recipe's main metric; optimized_metric=... chooses another"


def _all_report(drafts: Sequence[Draft], metric: str) -> bool:
    seen: list[Any] = []
    for draft in drafts:
        kind = (draft.config["model"].get("_target_"), draft.config.get("callback"))
        if kind not in seen:
            seen.append(kind)
            if not _reports(draft.config, metric):
                return False
    return True


def _reports(config: Mapping[str, Any], metric: str) -> bool:
    """Whether a run of the config reports the metric; torch is imported only where its YAMLs do not tell."""
    name = metric.removeprefix("evaluation/")
    for node in config.get("callback", {}).values() if "generator" in config["model"] else ():
        metrics = node.get("metrics")
        chosen = metrics.get(name) if isinstance(metrics, Mapping) else None
        if node.get("_target_") == _EVALUATION and _is_part(node.get("features")) and _is_part(chosen):
            return True
    from ganvas.errors import OptionError
    from ganvas.run.config.reported import check_reported

    try:
        check_reported(config, metric)
    except OptionError:
        return False
    return True


def _is_part(node: Any) -> bool:
    return isinstance(node, Mapping) and node.get("_target_") is not None
