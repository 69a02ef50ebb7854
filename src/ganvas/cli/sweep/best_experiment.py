"""The best job of a sweep as an experiment of the user's own: a YAML that composes to the same config."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict

from ganvas.cli.arguments import writing
from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import composed
from ganvas.cli.compose.explain import key_of
from ganvas.cli.compose.secrets import leaves
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.terminal import command_line
from ganvas.errors import REDACTED, OptionError, require
from ganvas.files.plain import dump_plain, parse_plain
from ganvas.files.write import write_text
from ganvas.run.config.places import check_training, confine
from ganvas.run.folder.run_folder import check_name_fits, check_writable
from ganvas.sweep.interface import Job
from ganvas.sweep.manifest import Manifest
from ganvas.sweep.tree import RUN_DIR

# What is the sweep's or the machine's business and not the experiment's.
_LEFT_OUT = ("paths", "resume", "sweep", "allow_imports", "allow_drift")
_NO_CHOICE = ("experiment", "debug", "local/", "local")
_ROUNDS = 4  # of choices that bring groups with them, and of values that bring others along


def save_experiment(
    out: Path,
    sweep: Manifest,
    job: Job,
    *,
    result: str,
    config_dir: str | None,
    allows_places: bool = False,
) -> str:
    """Writes a job's config as ``experiment/<name>.yaml``.

    Args:
        out: the file, in a folder named experiment.
        result: what the job reached, a line for the file's head.
        config_dir: the user's own groups, which the job may have used.
        allows_places: whether folders to be written and addresses that the job names may lie anywhere.

    Returns:
        the command that trains it.

    Raises:
        OptionError: ``--save``: the file is there; or the config groups of now cannot make this config.
        OutputError: it cannot be written.
    """
    check_out(out)
    wanted = sweep.config_of(job)
    if not allows_places:
        wanted = _confined(wanted, sweep.run_dir(job))
    name = str(sweep.about.get("config_name", "train"))
    with hydra_session(config_dir) as hydra:
        choices, values = _told(Composer(hydra, name), sweep, job, wanted)
    folder = out.resolve().parent.parent
    shown = out.parent.parent if str(out.parent.parent) != "." else Path(".")
    command = command_line("train", f"experiment={out.stem}", "--config-dir", shown)
    if config_dir is not None and Path(config_dir).resolve() != folder:
        command += f"  # with what {config_dir} holds beside it"
    head = [
        "# @package _global_",
        f"# Source: job {job.index} of the sweep {sweep.folder.name}, the best of {len(sweep.jobs)}.",
        f"# Command: {command}",
        f"# Result: {result}",
    ]
    body: dict[str, Any] = {"defaults": [{f"override /{key}": choice} for key, choice in choices.items()]}
    text = "\n".join(head) + "\n" + dump_plain((body if choices else {}) | values)
    with writing(out, "--save"):
        write_text(out, text)
    return command


def check_out(out: Path) -> None:
    """Raises OptionError unless an experiment can be written there."""
    example = "name a file like conf/experiment/best.yaml"
    fits = out.suffix == ".yaml" and out.parent.name == "experiment"
    require(
        fits, "--save", out, f"must be a .yaml in a folder named experiment, where Hydra looks; {example}"
    )
    check_name_fits(out, "--save")
    require(not out.exists(), "--save", out, "is there already; name another file")
    check_writable(out.parent, "--save")


def _confined(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The config without what a sweep may not name; a cache without a folder stays without one."""
    made = copy.deepcopy(config)
    confine(made, folder)
    check_training(made, folder)
    data = config.get("data")
    if isinstance(data, dict) and data.get("cache_dir") is None:
        made["data"].pop("cache_dir", None)
        made["data"] |= {key: value for key, value in data.items() if key == "cache_dir"}
    return made


def _told(
    composer: Composer, sweep: Manifest, job: Job, config: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The choices of groups and the values that make the job's config of the config groups of now."""
    wanted = _replaced(config, str(sweep.run_dir(job)), RUN_DIR)
    choices = _choices(composer, sweep.choices_of(job) | _lists(composer, sweep.overrides_of(job)))
    base = composer.base(_overrides(choices))
    written = {key_of(word).partition("@")[0] for word in sweep.overrides_of(job)}
    read = sweep.origins_of(job)
    values: dict[str, Any] = {}
    # Values that were written, then those that no other key gives, then whatever is left.
    asked: list[Callable[[str], bool]] = [
        lambda key: key in written,
        lambda key: key not in read,
        *[lambda _key: True] * _ROUNDS,
    ]
    for takes in asked:
        found = list(_differing(wanted, _with(base, values)))
        if not found:
            return choices, values
        for key, value in found:
            if takes(".".join(key)):
                _set(values, key, value)
    keys = ", ".join(".".join(key) for key, _ in found)
    reason = (
        f"the config groups of now cannot make this job's config ({keys}); give the --config-dir of the sweep"
    )
    raise OptionError("--save", sweep.folder, reason)


def _choices(composer: Composer, wanted: dict[str, str]) -> dict[str, Any]:
    """Those that are not the defaults already; a choice may bring others with it."""
    wanted = {key: _plain(text) for key, text in wanted.items() if not key.startswith(_NO_CHOICE)}
    chosen: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        runtime = composer.base(_overrides(chosen)).hydra.runtime.choices
        there = {key: _plain(str(text)) for key, text in runtime.items()}
        missing = {key: value for key, value in wanted.items() if there.get(key) != value}
        if not missing:
            break
        top = {key: value for key, value in missing.items() if "/" not in key.partition("@")[0]}
        chosen |= top or missing
    return chosen


def _lists(composer: Composer, overrides: Sequence[str]) -> dict[str, str]:
    """Groups of which several options were chosen: Hydra keeps no note of these choices."""
    pairs = (word.partition("=")[::2] for word in overrides)
    return {key: text for key, text in pairs if text.startswith("[") and composer.is_group(key)}


def _replaced(tree: Any, old: str, new: str) -> Any:
    """A copy in which texts hold the one for the other."""
    if isinstance(tree, dict):
        return {key: _replaced(value, old, new) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_replaced(value, old, new) for value in tree]
    return tree.replace(old, new) if isinstance(tree, str) else tree


def _plain(text: str) -> Any:
    return None if text == "None" else parse_plain(text) if text.startswith("[") else text


def _overrides(choices: dict[str, Any]) -> list[str]:
    return [f"{key}={_shown(value)}" for key, value in choices.items()]


def _shown(value: Any) -> str:
    return "null" if value is None else f"[{','.join(value)}]" if isinstance(value, list) else str(value)


def _with(base: Any, values: dict[str, Any]) -> dict[str, Any]:
    """What the experiment composes to."""
    config = copy.deepcopy(base)
    with open_dict(config):
        config.paths.run_dir = RUN_DIR
        config.merge_with(OmegaConf.create(values))
    return composed(config, []).config


def _differing(wanted: Any, there: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(key, value) of each leaf that must be given another value; None takes a callback or logger away."""
    for key in sorted(there.keys() - wanted.keys()):
        require(
            path in (("callback",), ("logger",)) or (not path and key in _LEFT_OUT) or key == "main_metric",
            "--save",
            ".".join((*path, key)),
            "is in the config groups of now and not in the sweep's",
        )
        if path and key != "main_metric":  # sweeps of before it have none
            yield (*path, key), None
    for key, value in wanted.items():
        if (not path and key in _LEFT_OUT) or _is_hidden(value):
            continue
        old = there.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            yield from _differing(value, old, (*path, key))
        elif key not in there or type(old) is not type(value) or old != value:
            yield (*path, key), _replaced(value, RUN_DIR, "${paths.run_dir}")


def _is_hidden(value: Any) -> bool:
    return any(isinstance(text, str) and REDACTED in text for _, text in leaves(value))


def _set(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value
