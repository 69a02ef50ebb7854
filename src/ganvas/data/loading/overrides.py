"""What chooses a data set on the command line."""

from __future__ import annotations

import inspect
import shlex

# Arguments that change neither samples nor labels of the whole splits.
_NO_CONTENT = {
    "batch_size",
    "num_workers",
    "seed",
    "mirrors",
    "cache_dir",
    "horizontal_flip",
    "random_shift",
    "shuffle_window",
    "train_fraction",
}


def overrides_of(module: object) -> str:
    """Words like ``data=digits data.image_size=16``; an option's file is called as its module.

    Args:
        module: a data module, whose attributes are called as the arguments of its constructor.
    """
    name, chosen = type(module).__module__, ["data=..."]
    if name.startswith("ganvas.data."):
        chosen = [f"data={name.removeprefix('ganvas.data.')}"]
    for option, parameter in inspect.signature(type(module)).parameters.items():
        value = getattr(module, option, parameter.default)
        if option not in _NO_CONTENT and value != parameter.default:
            chosen.append(f"data.{option}={value}")
    return shlex.join(chosen)
