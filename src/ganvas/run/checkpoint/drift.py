"""Whether a resumed run would train as it did: config, data, versions and machine, key by key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from ganvas.errors import OptionError
from ganvas.run.folder.differences import differences

# Keys of a config that change neither a parameter nor a logged metric of training: where files lie, what is
# watched and written beside training, how long it goes on, how batches are fetched.
_ALLOWED_TO_DIFFER = re.compile(
    r"""^(?:
      name | resume | optimized_(?:metric|mode) | allow_imports | allow_drift
    | debug(?:\..*)? | sweep(?:\..*)?
    | paths\..* | callback(?:\..*)? | logger(?:\..*)? | metric(?:\..*)?
    | trainer\.(?:max_examples|max_epochs|max_steps|max_time|log_every_examples|val_every_examples
        |val_check_interval|check_val_every_n_epoch|limit_val_batches|limit_test_batches
        |num_sanity_val_steps|detect_anomaly|inference_mode|profiler|enable_model_summary
        |non_finite|max_skips|max_rollbacks)
    | accelerator\.(?:process_group_backend|timeout)
    | data\.(?:root|cache_dir|num_workers|mirrors|tokenizer|encode_batch_size) | model\.main_metric
    )$""",
    re.VERBOSE,
)
_PACKAGES = ("ganvas", "torch", "pytorch-lightning")


def environment(data: Any, world_size: int, rests_on: Mapping[str, object] | None = None) -> dict[str, Any]:
    """What training depends on beside the config, as plain values, for run.yaml.

    Args:
        data: of the run.
        world_size: its processes.
        rests_on: see :class:`ganvas.model.training.lifecycle.Lifecycle`.
    """
    return {
        "data": data.fingerprint() if hasattr(data, "fingerprint") else None,
        "versions": {package: version(package) for package in _PACKAGES},
        "world_size": world_size,
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    } | ({"rests_on": dict(rests_on)} if rests_on else {})


def config_drift(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The leaves of two configs that differ and would change training."""
    return [one for one in differences(old, new) if not _ALLOWED_TO_DIFFER.match(one[0])]


def check_drift(drift: list[tuple[str, Any, Any]], *, allowed: bool) -> list[dict[str, Any]]:
    """What to record of an allowed drift.

    Raises:
        OptionError: the first key that drifted, with all of them key by key, where it is not allowed.
    """
    if drift and not allowed:
        listed = "; ".join(f"{key}: {_short(old)} -> {_short(new)}" for key, old, new in drift)
        key, _, new = drift[0]
        raise OptionError(
            key,
            _short(new),
            f"would change the training of this run ({listed}); leave it as it was, or "
            "take it with allow_drift=true",
        )
    return [{"option": key, "old": old, "new": new} for key, old, new in drift]


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
