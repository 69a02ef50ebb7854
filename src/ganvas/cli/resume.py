"""``ganvas resume RUN [overrides]``: continue in the run's own folder from its newest whole checkpoint.

A run that was stopped before its first one begins anew there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganvas.cli.arguments import named_run, run_parser
from ganvas.cli.compose.secrets import fill_secrets, leaves, require_secrets
from ganvas.cli.report import report
from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.outcome import Outcome


def run(argv: Sequence[str]) -> int:
    parser = run_parser("resume", __doc__)
    parser.add_argument("overrides", nargs="*", help="keys to change, e.g. trainer.max_examples=2000000")
    arguments = parser.parse_intermixed_args(list(argv))
    folder, allow = named_run(arguments)
    return resume(folder, arguments.overrides, allow)


def resume(
    folder: RunFolder,
    overrides: Sequence[str],
    allow: Sequence[str],
    *,
    secrets: dict[str, Any] | None = None,
) -> int:
    """As :func:`continue_run`; says how it ended, and returns the exit code."""
    return report(continue_run(folder, overrides, allow, secrets=secrets))


def continue_run(
    folder: RunFolder,
    overrides: Sequence[str],
    allow: Sequence[str],
    *,
    secrets: dict[str, Any] | None = None,
) -> Outcome:
    """Continues a run: its stored config, with ``overrides`` on existing keys.

    Args:
        folder: the run.
        overrides: ``key=value``.
        allow: what the user allows on this command line; the run's own word is data.
        secrets: a config that has what run.yaml hides, at the same keys.

    Raises:
        OptionError: all its checkpoints are damaged, it would train otherwise than it did (see
            ``allow_drift``), another process writes it, or an override names a key that it does not have.
    """
    from ganvas.run.config.stored import check_places, read_stored, relocate_paths

    run = read_stored(folder, allow)
    config = relocate_paths(run["config"], run["config"]["paths"]["run_dir"], str(folder.path))
    for override in overrides:
        _override(config, override)
    check_places(config, folder.path, [override.partition("=")[0] for override in overrides])
    if secrets is not None:
        config = fill_secrets(config, dict(leaves(secrets)))
    require_secrets(config)
    config["allow_imports"] = list(allow)
    from ganvas.run.start import train

    try:
        return train({"ganvas": run["ganvas"], "config": config}, resume=folder, overrides=overrides)
    except OptionError as error:
        raise _named_as_written(error, overrides) from error


def _named_as_written(error: OptionError, overrides: Sequence[str]) -> OptionError:
    """The error under the override that made it: a network's size has copies that it does not reach."""
    written = dict(override.split("=", 1) for override in overrides)
    sized = [key for key in written if key.startswith(("model.", "data."))]
    if error.option in written or not sized:
        return error
    return OptionError(sized[0], written[sized[0]], f"does not fit the run ({error}); leave it as it was")


def _override(config: dict[str, Any], override: str) -> None:
    import yaml

    from ganvas.run.config.build import nearest

    key, sign, value = override.partition("=")
    *path, last = key.split(".")
    node = config
    for part in [*path, last]:
        if not sign or not isinstance(node, dict) or part not in node:
            known = list(node) if isinstance(node, dict) else []
            raise OptionError(key, value, "is no key of this run's config" + nearest(part, known))
        parent, node = node, node[part]
    if isinstance(node, dict):
        raise OptionError(key, value, "is a whole section; set a key in it" + nearest("", list(node)))
    try:
        parent[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise OptionError(key, value, "cannot be read; quote special characters") from error
