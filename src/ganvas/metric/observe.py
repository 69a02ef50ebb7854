"""A split of real samples as an extractor sees it, batch by batch, from the disk where it is kept."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganvas.functional.distributed import world_size
from ganvas.metric.evaluate import EvaluatedData, is_mine
from ganvas.metric.feature_cache import manifest_of, read_features, write_features
from ganvas.metric.interface import FeatureExtractor, Observation


def observe_split(
    data: EvaluatedData,
    split: str,
    features: FeatureExtractor,
    *,
    batch_size: int,
    limit: int | None,
    device: torch.device,
) -> Iterator[Observation]:
    """This rank's batches of a split.

    Features are kept where one process has seen the whole split, unless the extractor says by
    ``cacheable = False`` that to make them again costs less than to read them.
    """
    cacheable = getattr(features, "cacheable", True)
    manifest = manifest_of(data.describe_split(split, limit), features.protocol) if cacheable else ""
    kept = read_features(manifest) if cacheable else None
    if kept is not None:
        yield from _from_kept(kept, batch_size, device)
        return
    seen: list[Observation] = []
    first = 0
    for number, batch in enumerate(data.batches(split, batch_size, limit)):
        if is_mine(number):
            found = features(batch.x.to(device))
            index = torch.arange(first, first + len(batch.x), device=device)
            label = None if batch.label is None else batch.label.to(device)
            observation = Observation(index, found.features, found.logits, label)
            if cacheable and world_size() == 1:
                seen.append(Observation._make(None if x is None else x.cpu() for x in observation))
            yield observation
        first += len(batch.x)
    if seen:
        write_features(manifest, _joined(seen))


def _joined(seen: list[Observation]) -> dict[str, Tensor]:
    columns = {"features": [one.features.float() for one in seen]}
    for name in ("logits", "label"):
        column = [getattr(one, name) for one in seen]
        if all(value is not None for value in column):
            columns[name] = column if name == "label" else [value.float() for value in column]
    return {name: torch.cat(column) for name, column in columns.items()}


def _from_kept(kept: dict[str, Tensor], batch_size: int, device: torch.device) -> Iterator[Observation]:
    count = len(kept["features"])
    for number, first in enumerate(range(0, count, batch_size)):
        if is_mine(number):
            rows = slice(first, first + batch_size)
            logits, label = (
                kept[name][rows].to(device) if name in kept else None for name in ("logits", "label")
            )
            features = kept["features"][rows].to(device)
            index = torch.arange(first, first + len(features), device=device)
            yield Observation(index, features, logits, label)
