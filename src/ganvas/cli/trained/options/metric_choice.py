"""Which metrics a command computes: those of the run, or others that its overrides choose from the groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from ganvas.errors import OptionError

GROUPS = ("features", "samples", "perceptual")


def metric_node(stored: dict[str, Any], overrides: Sequence[str], config_dir: str | None) -> dict[str, Any]:
    """The section ``metric`` as plain values.

    Args:
        stored: the run's config; its own choice stands where the overrides choose nothing, and what a chosen
            YAML interpolates (``${data.shape}``) is read there.
        overrides: overrides such as ``metric/features=classifier``, ``metric/samples=[fid,kid]``.
        config_dir: the user's own groups.

    Raises:
        OptionError: a word that names nothing under ``metric``.
    """
    for word in overrides:
        if "=" not in word or not any(is_about(word, group) for group in GROUPS):
            raise OptionError(
                word.partition("=")[0],
                word.partition("=")[2],
                "is no option here; a word chooses metrics, e.g. metric/features=efficientnet_lite0",
            )
    own = stored.get("metric") or {}
    chosen = {
        group for group in GROUPS if group not in own or any(is_about(word, group) for word in overrides)
    }
    if not chosen:
        return {group: own[group] for group in GROUPS}
    composed = _composed(stored, overrides, config_dir)
    return {group: composed[group] if group in chosen else own[group] for group in GROUPS}


def build_metrics(node: dict[str, Any], allow: Sequence[str]) -> dict[str, Any]:
    """``features`` (or None), ``samples`` (name -> metric) and ``perceptual`` (or None) as objects."""
    from ganvas.run.config.build import build, check_targets

    check_targets(node, allow, "metric")
    built = {
        group: None if node[group] is None else build(node[group], f"metric.{group}")
        for group in ("features", "perceptual")
    }
    samples = {
        name: build(part, f"metric.samples.{name}")
        for name, part in (node["samples"] or {}).items()
        if part is not None
    }
    return built | {"samples": {name: metric for name, metric in samples.items() if metric is not None}}


@contextmanager
def chosen_by(**flags: str | None) -> Iterator[None]:
    """Names an error of a whole group of metrics by what chose it.

    Args:
        flags: group -> the flag that the user gave, or None: ``metric/GROUP`` is named.
    """
    try:
        yield
    except OptionError as error:
        group = error.option.replace("/", ".").removeprefix("metric.")
        if group not in flags:
            raise
        raise OptionError(flags[group] or f"metric/{group}", error.value, error.reason) from error


def is_about(word: str, group: str) -> bool:
    """Whether an override chooses the group's option or sets a key in it."""
    return word.lstrip("+~").startswith((f"metric/{group}=", f"metric.{group}.", f"metric.{group}="))


def _composed(stored: dict[str, Any], overrides: Sequence[str], config_dir: str | None) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from ganvas.cli.compose.explain import composition_errors
    from ganvas.cli.compose.hydra_internals import compose_config
    from ganvas.cli.compose.session import hydra_session

    with hydra_session(config_dir) as hydra, composition_errors(hydra, overrides):
        config = compose_config(hydra, "train", overrides)
        unresolved = OmegaConf.to_container(config.metric, resolve=False)
        whole = OmegaConf.create({**stored, "metric": unresolved})
        try:
            plain = OmegaConf.to_container(whole.metric, resolve=True)
        except OmegaConfBaseException as error:
            choice = next((word for word in overrides if word.startswith("metric/")), "metric")
            reason = " ".join(str(error).split("\n")[0].split())
            raise OptionError(
                choice.partition("=")[0],
                choice.partition("=")[2],
                f"does not fit this run's data ({reason}); choose another",
            ) from error
    return cast("dict[str, Any]", plain)
