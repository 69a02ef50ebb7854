"""Secrets stay out of what a run writes: by their key where there is one, by their text elsewhere.

Whoever learns a secret (the command line, a composed config) tells :func:`remember`; whoever writes text that
anything may stand in (logs, errors) passes it through :func:`scrub`.
"""

from __future__ import annotations

import logging
from typing import Any

from ganvas.errors import REDACTED, is_secret

_SHORTEST = 4  # letters; a shorter secret is hidden under its key alone, or half of a log would be
_SHORTEST_INSIDE = 8  # in values of a config, which have to keep their meaning
_known: set[str] = set()


def redacted(tree: Any) -> Any:
    """A copy in which the values of secret-looking keys are hidden, also in overrides (``a.api_key=x``).

    Numbers under ``key`` and ``token`` stay: they count or name something; under ``password`` and ``secret``
    they are hidden as text is.
    """
    if isinstance(tree, dict):
        return {key: _hidden(key, value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [redacted(value) for value in tree]
    if isinstance(tree, str):
        return redacted_override(_replace(tree, _SHORTEST_INSIDE))
    return tree


def redacted_override(word: str) -> str:
    """``logger.x.api_key=abc`` without its value; any other word as it is."""
    key, sign, value = word.partition("=")
    secret = bool(sign and value) and " " not in key and is_secret(key.rpartition(".")[2])
    return f"{key}={REDACTED}" if secret else word


def remember(tree: Any, key: object = "") -> None:
    """Notes every secret value in a config, or the text under a ``key``, for :func:`scrub`."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            remember(value, name)
    elif isinstance(tree, list | tuple):
        for value in tree:
            remember(value, key)
    elif _hides(key, tree) and str(tree) != REDACTED:
        _known.add(str(tree))


def remember_words(words: list[str]) -> None:
    """Notes the secrets among ``key=value`` words of a command line."""
    for word in words:
        key, _, value = word.partition("=")
        remember(value.strip("'\""), key.rpartition(".")[2])


def known_secrets() -> list[str]:
    """What this process would hide, for a process that it starts; never to be written anywhere."""
    return sorted(_known)


def remember_secrets(texts: list[str]) -> None:
    """Takes over what the process that started this one would hide."""
    _known.update(texts)


def scrub(text: str) -> str:
    """The text without any secret that is known to this process."""
    return _replace(text, _SHORTEST)


def scrubbed(tree: Any) -> Any:
    """A copy in which every text is scrubbed."""
    if isinstance(tree, dict):
        return {key: scrubbed(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [scrubbed(value) for value in tree]
    return scrub(tree) if isinstance(tree, str) else tree


class ScrubbingFormatter(logging.Formatter):
    """Log lines, tracebacks included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def _hidden(key: object, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_hidden(key, item) for item in value]
    return REDACTED if _hides(key, value) else redacted(value)


def _hides(key: object, value: Any) -> bool:
    if not is_secret(key) or isinstance(value, dict | bool | None) or value == "":
        return False
    return isinstance(value, str) or is_secret(str(key).lower().replace("key", "").replace("token", ""))


def _replace(text: str, shortest: int) -> str:
    for secret in sorted(_known, key=len, reverse=True):
        if len(secret) >= shortest:
            text = text.replace(secret, REDACTED)
    return text
