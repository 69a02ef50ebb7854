"""A metric's protocol in a few words, for terminals: ``fid 1.575 (pixels, val, 2000)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def short_protocol(protocol: Mapping[str, Any], metric: str) -> str:
    """Features where the metric looks at any, split of the real samples, number of samples judged."""
    generated, data = protocol.get("generated_samples"), protocol.get("data")
    if _group(protocol, metric).get("judges") == "codes":  # those of the split, whatever is generated beside
        generated, protocol = None, {}
    data = data if isinstance(data, Mapping) else {}
    count = data.get("samples") if generated is None else generated
    words = [_features(protocol, metric), data.get("split"), count]
    return ", ".join(str(word) for word in words if word is not None)


def _group(protocol: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """What stands in the protocol for this metric and those of its kind; empty without."""
    groups = protocol.get("metrics")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        if isinstance(group, Mapping) and metric in (group.get("metrics") or ()):
            return group
    return {}


def _features(protocol: Mapping[str, Any], metric: str) -> Any:
    """Those of all metrics of samples, or of reconstructions the metric's own."""
    features = _group(protocol, metric).get("features", protocol.get("features"))
    return features.get("name") if isinstance(features, Mapping) else None


def protocols_of_run(rows: Iterable[Any]) -> dict[str, str]:
    """Metric -> short protocol, of a run's own last evaluation.

    Args:
        rows: those of evaluations.jsonl; whatever is no such row is passed over.
    """
    found: dict[str, str] = {}
    for row in rows:
        if isinstance(row, dict) and row.get("source") == "run" and isinstance(row.get("protocol"), dict):
            metrics = row.get("metrics")
            names = metrics if isinstance(metrics, dict) else ()
            found = {name: short_protocol(row["protocol"], name) for name in names}
    return found


def noted_protocols(status: Mapping[str, Any]) -> dict[str, str]:
    """What status.json holds of them; empty where it holds something else."""
    noted = status.get("protocols")
    sound = isinstance(noted, dict) and all(isinstance(text, str) for text in noted.values())
    return dict(noted) if sound and isinstance(noted, dict) else {}
