"""``ganvas resume RUN [overrides]``: continue in the run's own folder from its newest whole checkpoint.

A run that was stopped before its first one begins anew there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ganvas.cli.arguments import modules_and_overrides, named_run, own_code, run_parser
from ganvas.cli.compose.secrets import fill_secrets, leaves, require_secrets
from ganvas.cli.report import report
from ganvas.errors import OptionError
from ganvas.run.folder.run_folder import RunFolder

_TIME = re.compile(r"[-+]?\d+(:[0-5]?\d)+(\.\d*)?")  # a number to the base 60


def run(argv: Sequence[str]) -> int:
    parser = run_parser("resume", __doc__)
    parser.add_argument("overrides", nargs="*", help="keys to change, e.g. trainer.max_examples=2000000")
    arguments = parser.parse_intermixed_args(list(argv))
    arguments.allow_imports, more = modules_and_overrides(arguments.allow_imports)
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
    """Continues a run: its stored config, with ``overrides`` on existing keys.

    Args:
        folder: the run.
        overrides: ``key=value``.
        allow: what the user allows on this command line; the run's own word is data.
        secrets: a config that has what run.yaml hides, at the same keys.
        own: the words of this command line that bring the user's own code, for the command that goes on.

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
        live = {"ganvas": run["ganvas"], "config": config}
        return report(train(live, resume=folder, overrides=overrides), own)
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
        # YAML 1.1 would read 10:00:00 as 36000; train's grammar takes it for text, and so does this.
        parent[last] = value if _TIME.fullmatch(value) else yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise OptionError(key, value, "cannot be read; quote special characters") from error
