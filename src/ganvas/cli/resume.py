"""``ganvas resume RUN [overrides]``: continue in the run's own folder from its newest whole checkpoint.

A run that was stopped before its first one begins anew there. RUN may be the folder of a pipeline, which goes
on at the stage where it was stopped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import modules_and_overrides, named_run, own_code, run_parser
from ganvas.cli.compose.secrets import fill_secrets, leaves, require_secrets
from ganvas.cli.compose.unread import leaf_keys, unread
from ganvas.cli.report import announce, report
from ganvas.errors import OptionError
from ganvas.files.plain import parse_plain
from ganvas.pipeline.find import pipeline_there
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.outcome import Outcome

# Keys that no constructor takes and that a run reads again when it is resumed.
_READ_AGAIN = ("optimized_metric", "optimized_mode", "allow_drift")
_INSTEAD = {
    "allow_imports": "give --allow-imports NAME",
    "name": "its folder has its name; move the folder",
    "seed": "a run keeps its seed; train another one",
    "resume": "name the run as RUN",
    "paths.run_dir": "move the folder, then name it",
    "paths.output_dir": "move the folder, then name it",
    "paths.data_dir": "give data.root=FOLDER",
}
# Sections of which a run.yaml holds copies: its interpolations have become values.
_COPIES = {
    "metric.features": "callback.evaluation.features",
    "metric.samples": "callback.evaluation.metrics",
    "metric.perceptual": "callback.evaluation.perceptual",
}

_TIME = re.compile(r"[-+]?\d+(:[0-5]?\d)+(\.\d*)?")  # a number to the base 60


def run(argv: Sequence[str]) -> int:
    parser = run_parser("resume", __doc__)
    parser.add_argument("overrides", nargs="*", help="keys to change, e.g. trainer.max_examples=2000000")
    arguments = parser.parse_args(list(argv))
    arguments.allow_imports, more = modules_and_overrides(arguments.allow_imports)
    pipeline = pipeline_there(arguments.run, Path(arguments.output_dir))
    if pipeline is not None:
        from ganvas.cli.pipeline.run import go_on

        return go_on(pipeline, [*arguments.overrides, *more], arguments)
    if arguments.overrides or more:
        arguments.command = "resume with overrides"
    folder, allow = named_run(arguments)
    own = own_code(arguments.config_dir, arguments.allow_imports)
    return resume(folder, [*arguments.overrides, *more], allow, own=own)


def resume(
    folder: RunFolder,
    overrides: Sequence[str],
    allow: Sequence[str],
    *,
    secrets: dict[str, Any] | None = None,
    own: Sequence[str] = (),
) -> int:
    """As :func:`continue_run`; says how it ended, and returns the exit code.

    Args:
        own: the words of this command line that bring the user's own code, for the command that goes on.
    """
    return report(continue_run(folder, overrides, allow, secrets=secrets), own)


def continue_run(
    folder: RunFolder,
    overrides: Sequence[str],
    allow: Sequence[str],
    *,
    secrets: dict[str, Any] | None = None,
    quiet: bool = False,
) -> Outcome:
    """Continues a run: its stored config, with ``overrides`` on existing keys.

    Args:
        folder: the run.
        overrides: ``key=value``.
        allow: what the user allows on this command line; the run's own word is data.
        secrets: a config that has what run.yaml hides, at the same keys.
        quiet: whether nothing is said of what is about to be trained.

    Raises:
        OptionError: all its checkpoints are damaged, it would train otherwise than it did (see
            ``allow_drift``), another process writes it, or an override names a key that it does not have.
    """
    from ganvas.run.config.places import check_training
    from ganvas.run.config.stored import read_stored, relocate_paths

    written = [override.partition("=")[0] for override in overrides]
    run = read_stored(folder, allow, trains=True, written=written)
    folder.check_resumable()
    config = relocate_paths(run["config"], run["config"]["paths"]["run_dir"], str(folder.path))
    for override in overrides:
        for word in _with_copies(config, override):
            _override(config, word)
    _check_read(config, overrides)
    if not folder.allows_places:
        check_training(config, folder.path, written)
    if secrets is not None:
        config = fill_secrets(config, dict(leaves(secrets)))
    require_secrets(config)
    config["allow_imports"] = list(allow)
    if not quiet:
        status = folder.read_status()
        announce(config, folder.choices(status), seen=int(status.get("examples_seen", 0)))
    from ganvas.run.start import train

    whole = {"ganvas": run["ganvas"], "config": config}
    try:
        return train(whole, resume=folder, overrides=overrides, quiet=quiet)
    except OptionError as error:
        raise _named_as_written(error, overrides) from error


def _named_as_written(error: OptionError, overrides: Sequence[str]) -> OptionError:
    """The error under the override that made it: a network's size has copies that it does not reach."""
    written = dict(override.split("=", 1) for override in overrides)
    sized = [key for key in written if key.startswith(("model.", "data."))]
    if error.option in written or not sized:
        return error
    return OptionError(sized[0], written[sized[0]], f"does not fit the run ({error}); leave it as it was")


def _with_copies(config: dict[str, Any], override: str) -> list[str]:
    """The override, and the same for a copy that is still equal to what it was made from."""
    key, _, value = override.partition("=")
    for section, copy in _COPIES.items():
        made = _at(config, copy)
        if key.startswith(f"{section}.") and made is not None and made == _at(config, section):
            return [override, f"{copy}{key[len(section) :]}={value}"]
    return [override]


def _at(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config


def _check_read(config: dict[str, Any], overrides: Sequence[str]) -> None:
    """Raises OptionError at an override that nothing reads in a run that has begun."""
    values = dict(override.split("=", 1) for override in overrides)
    for key in unread(config, list(values), own=_READ_AGAIN)[:1]:
        last = key.rpartition(".")[2]
        copies = [leaf for leaf in leaf_keys(config) if leaf != key and leaf.endswith(f".{last}")]
        instead = f"it reads {' and '.join(copies[:3])}" if copies and "." in key else "leave it out"
        instead = _INSTEAD.get(key, instead)
        raise OptionError(key, values[key], f"nothing reads it in a run that has begun; {instead}")


def _override(config: dict[str, Any], override: str) -> None:
    from ganvas.run.config.build import nearest

    key, sign, value = override.partition("=")
    *path, last = key.split(".")
    node = config
    for part in [*path, last]:
        if not sign or not isinstance(node, dict) or part not in node:
            known = list(node) if isinstance(node, dict) else []
            raise OptionError(key, value, "is no key of this run's config" + nearest(part, known))
        parent, node = node, node[part]
    if isinstance(node, dict) and path == ["logger"] and value == "null":
        parent[last] = None  # a tracker that is not there any more, or not on this machine
        return
    if isinstance(node, dict):
        raise OptionError(key, value, "is a whole section; set a key in it" + nearest("", list(node)))
    try:
        # YAML 1.1 would read 10:00:00 as 36000; train's grammar takes it for text, and so does this.
        parent[last] = value if _TIME.fullmatch(value) else parse_plain(value)
    except ValueError as error:
        raise OptionError(key, value, f"cannot be read ({error}); quote special characters") from error
