"""What a user writes acts or is refused: overrides that nothing reads, and keys of Hydra's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ganvas.cli.compose.experiment import Composed, compose
from ganvas.cli.compose.explain import every_key, key_of, values_written
from ganvas.cli.compose.folders import user_modules
from ganvas.cli.compose.nearest import near
from ganvas.cli.compose.unread import structure, unread, value_at
from ganvas.errors import OptionError, require
from ganvas.files.folders import packaged_conf
from ganvas.run.config.allowed import check_targets

_IGNORED = {
    "hydra.run.dir": "a run's folder is paths.run_dir",
    "hydra.sweep.subdir": "a job's folder is named after its number and what differs; leave it out",
    "hydra.mode": "add -m for a sweep, or leave it out",
    "hydra.job.name": "a run's name is name=...",
}
_OF_SWEEPS = re.compile(r"hydra[./](launcher|sweeper)(\.|$)|hydra\.sweep\.dir$")
_OF_EVERY = re.compile(r"hydra\.searchpath$")


def check_experiment(
    composed: Composed, *, config_dir: str | None, config_name: str, allow: Sequence[str] = ()
) -> None:
    """What can be said against a composed experiment before it is built; sets its ``allow_imports``.

    torch is imported only where a metric is named, which its classes must report.

    Args:
        composed: the experiment; its config is changed.
        config_dir: the folder of the user's own groups, whose modules the config may name.
        config_name: the config that it was composed of.
        allow: the user's own modules that it may name beside those.

    Raises:
        OptionError: under the key of the part; ``composed.named_as_written`` finds what the user wrote.
    """
    check_hydra_overrides(composed.overrides, is_sweep=False)
    config = composed.config
    repeats = (config.get("sweep") or {}).get("repeats", 1)
    require(repeats == 1, "sweep.repeats", repeats, "repeats the jobs of a sweep; add -m")
    config["allow_imports"] = [*dict.fromkeys([*composed.allow_imports, *allow]), *user_modules(config_dir)]
    check_targets(config, config["allow_imports"])
    check_read(composed, config_dir=config_dir, config_name=config_name)
    _check_metrics(config)


def _check_metrics(config: dict[str, Any]) -> None:
    """Raises OptionError at a metric that is optimized or watched and that a run never reports."""
    monitor = ((config.get("callback") or {}).get("checkpoint") or {}).get("monitor")
    if config.get("optimized_metric") is None and not isinstance(monitor, str):
        return
    from ganvas.run.config.optimized import objectives
    from ganvas.run.config.reported import check_reported  # torch, for seconds

    for metric, _ in objectives(config):
        check_reported(config, metric)
    if isinstance(monitor, str):
        check_reported(config, monitor, "callback.checkpoint.monitor")


def check_read(composed: Composed, *, config_dir: str | None, config_name: str) -> None:
    """Raises OptionError at the first key of one experiment that nothing reads.

    Args:
        config_dir: where the user's own groups lie.
        config_name: the primary config.
    """
    metric = values_written(composed.overrides).get("model.main_metric")
    require(metric is None, "model.main_metric", metric, "is about sweeps; a run's is optimized_metric")
    left = written_unread(composed) + unread(composed.tree, structure(composed.tree))
    for key in left or _changed_by_experiment(composed, config_dir, config_name):
        refuse(key, composed)
    mode = composed.config.get("optimized_mode")
    asked = mode is None or composed.config.get("optimized_metric") is not None
    require(asked, "optimized_mode", mode, "there is no optimized_metric whose mode it is; give one")


def _changed_by_experiment(composed: Composed, config_dir: str | None, config_name: str) -> list[str]:
    """Keys that a recipe offers to its parts, none of the chosen ones reads, and a YAML sets anew."""
    node = composed.tree["model"]
    offered = [f"model.{name}" for name in node.get("_shared_") or () if not _is_derived(node.get(name))]
    left, choice = unread(composed.tree, offered), composed.choices.get("model")
    if not left or choice is None:
        return []
    plain = compose([f"model={choice}"], config_dir=config_dir, config_name=config_name)
    before = plain.config["model"]
    return [key for key in left if before.get(key[6:]) != composed.config["model"].get(key[6:])]


def _is_derived(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def written_unread(composed: Composed, roots: Sequence[str] | None = None) -> list[str]:
    """The keys among a composition's overrides that nothing reads.

    Args:
        roots: the keys and sections that the command reads; None: those of an experiment.
    """
    keys = _keys_written(composed)
    if roots is not None:
        return unread(composed.tree, keys, own=roots, only_own=True)
    return [*unread(composed.tree, keys), *_of_other_recipes(composed)]


class UnreadInSweep:
    """Which overrides no job of a sweep reads; of those that differ between jobs each job must read its own,
    or the sweep would train the same twice."""

    def __init__(self) -> None:
        self._unread_by_all: dict[str, Composed] | None = None

    def add(self, job: Composed, differs: Collection[str]) -> None:
        """Raises OptionError at what differs and is not read."""
        left, varied = written_unread(job), {key_of(word) for word in differs}
        for key in left:
            if key in varied:
                refuse(key, job)
        before = self._unread_by_all
        self._unread_by_all = {key: job for key in left if before is None or key in before}

    def finish(self) -> None:
        """Raises OptionError at what no job reads."""
        for key, job in (self._unread_by_all or {}).items():
            refuse(key, job)


def refuse(key: str, composed: Composed) -> None:
    """Raises OptionError for a key that nothing reads, with the options that would read it."""
    written = values_written(composed.overrides)
    value = written[key] if key in written else value_at(composed.config, key)
    value = "null" if value is None else value
    if (about := _metric_group(key)) in _JUDGES:
        model = composed.choices.get("model", "this")
        raise OptionError(key, value, f"{_JUDGES[about]}, and model={model} does not; leave it out")
    readers = _readers(key)
    if (left_out := _left_out(key, composed)) is not None:
        group, option = left_out
        raise OptionError(
            key, value, f"nothing reads it with {group}={option}; leave it out, or choose another {group}"
        )
    if not readers:
        known = [name for name in every_key(composed.tree) if not f"{key}.".startswith(f"{name}.")]
        hint = near(key, known)
        hint = f"{hint.rstrip('?')}? Else leave it out" if "did you mean" in hint else "; leave it out"
        raise OptionError(key, value, f"nothing reads it{hint}")
    told = "; ".join(f"{group}={' or '.join(options)}" for group, options in readers.items())
    chosen = [f"{group}={option}" for group, option in composed.choices.items() if group in readers]
    now = f" with {', '.join(chosen)}" if chosen else ""
    raise OptionError(key, value, f"nothing reads it{now}; leave it out, or choose {told}")


def _left_out(key: str, composed: Composed) -> tuple[str, str] | None:
    """The group, and its option, of a part that is left out and that the key is about; None: of no such."""
    for group, option in composed.choices.items():
        place = group.partition("@")[2] or group.replace("/", ".")
        node = value_at(composed.config, place)
        if key.startswith(f"{place}.") and isinstance(node, dict) and node.get("_target_", "") is None:
            return group, option
    return None


def check_hydra_overrides(overrides: Sequence[str], *, is_sweep: bool) -> None:
    """Raises OptionError at an override of Hydra's own config that ganvas passes over."""
    for word in overrides:
        key = key_of(word)
        if re.match(r"hydra[./]", key) is None or _OF_EVERY.match(key):
            continue
        value = word.partition("=")[2]
        of_sweeps = _OF_SWEEPS.match(key) is not None
        require(is_sweep or not of_sweeps, key, value, "is about sweeps; add -m, or leave it out")
        instead = _IGNORED.get(key, "leave it out")
        require(of_sweeps, key, value, f"ganvas does not use it; {instead}")


_JUDGES = {
    "samples": "judges what a recipe makes from nothing",
    "perceptual": "judges what a recipe reconstructs",
}


def _metric_group(key: str) -> str:
    """``samples`` of ``metric/samples`` and of ``metric.samples.kid.k``; empty for other keys."""
    found = re.match(r"metric[./](\w+)", key)
    return found.group(1) if found else ""


def _of_other_recipes(composed: Composed) -> list[str]:
    """Metrics that the overrides choose and that the evaluation of one of ganvas's own recipes passes over.

    Told by its parts: torch is not imported yet. What a recipe of the user's does is not known.
    """
    model = composed.config["model"]
    if not str(model.get("_target_")).startswith("ganvas.model."):
        return []
    other = {"samples"} if "decoder" in model else {"perceptual"} if "generator" in model else set()
    written = [(key_of(word), word.partition("=")[2]) for word in composed.overrides if word[:1] != "~"]
    return [key for key, value in written if _metric_group(key) in other and value not in ("none", "null")]


def _keys_written(composed: Composed) -> list[str]:
    """The keys that the overrides set; choices of groups and what is taken away are none."""
    words = [word for word in composed.overrides if not word.startswith("~")]
    keys = dict.fromkeys(map(key_of, words))
    return [key for key in keys if "/" not in key and "@" not in key and key not in composed.choices]


def _readers(key: str) -> Mapping[str, list[str]]:
    """Group -> its packaged options that interpolate the key."""
    conf, found = packaged_conf(), dict[str, list[str]]()
    for path in sorted(conf.rglob("*.yaml")):
        group = path.parent.relative_to(conf).as_posix()
        if group != "." and re.search(rf"[{{:]{re.escape(key)}[}},]", path.read_text(encoding="utf-8")):
            found.setdefault(group, []).append(path.stem)
    return found
