"""Secrets on their way through the command line: read from the environment, and given back to what lost them.

run.yaml holds ``<redacted>`` where a secret was; who needs the value again reads it off a command line. It
does not hold ``${oc.env:NAME}`` instead: a RUN is data that may come from anyone, and resolving what it names
would hand this machine's environment to it. Besides, a secret that is written out has to be filled in anyway.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ganvas.errors import REDACTED, OptionError, is_secret
from ganvas.run.folder.redact import redacted, remember


def remember_environment(unresolved: Any) -> None:
    """Notes the secrets that a config takes from the environment: ``${oc.env:API_KEY}`` under any key."""
    for _, value in leaves(unresolved):
        for name in re.findall(r"\$\{\s*oc\.env\s*:\s*([^,}\s]+)", value if isinstance(value, str) else ""):
            if is_secret(name) and os.environ.get(name):
                remember(os.environ[name], name)


def hidden_keys(config: Any) -> list[str]:
    """The keys of a stored config whose values were hidden when it was written."""
    return [path for path, value in leaves(config) if isinstance(value, str) and REDACTED in value]


def values_at(config: Any, paths: Iterable[str]) -> dict[str, Any]:
    """Path -> value of some leaves, for :func:`fill_secrets`."""
    wanted = set(paths)
    return {path: value for path, value in leaves(config) if path in wanted and value is not None}


def hidden_values(config: Any) -> dict[str, Any]:
    """Path -> value of what a stored copy of this config would hide."""
    return values_at(config, hidden_keys(redacted(config)))


def fill_secrets(stored: Any, values: Mapping[str, Any], path: str = "") -> Any:
    """A copy of a stored config with the values of :func:`values_at` where it hides something.

    What was hidden is noted for the log, as far as it is text within other text, too.
    """
    if isinstance(stored, dict):
        return {
            key: fill_secrets(value, values, f"{path}.{key}".lstrip(".")) for key, value in stored.items()
        }
    if isinstance(stored, list):
        return [fill_secrets(value, values, f"{path}[{index}]") for index, value in enumerate(stored)]
    if not (isinstance(stored, str) and REDACTED in stored and path in values):
        return stored
    shown = "(.+?)".join(map(re.escape, stored.split(REDACTED)))
    found = re.fullmatch(shown, str(values[path]), re.DOTALL)
    for secret in found.groups() if found else ():
        remember(secret, "secret")
    return values[path]


def require_secrets(config: dict[str, Any]) -> None:
    """Raises OptionError where a config that is about to train lacks a secret; else notes those it has.

    For a stored config, after the overrides of the command that resumes it.
    """
    for path in hidden_keys(config):
        reason = f"was left out of run.yaml, where secrets are not kept; give it again: {path}=VALUE"
        raise OptionError(path, REDACTED, reason)
    remember(config)


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a tree with its path, as an override names it."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}[{index}]")
    else:
        yield path, node
