"""The errors that a run can end with and that are not ours: an option, numbers that diverged, a lost rank,
memory.

Parts, data modules and metrics raise it with the name of their own constructor's argument; the command
line puts the path of the part in front of it (``num_embeddings`` becomes ``model.quantizer.num_embeddings``)
and prints it as one line. It imports nothing, so that every room may use it.
"""

from __future__ import annotations

import math
import numbers
import re

_SECRET = {"key", "token", "password", "secret"}
REDACTED = "<redacted>"
_LONGEST = 300  # letters of a key or value that an error repeats in full


class OptionError(ValueError):
    """An option of the user's that cannot be taken; the text hides the value of a secret.

    Args:
        option: name of the argument, dotted when nested, e.g. ``num_embeddings``.
        value: the value as given.
        reason: the rule that it breaks, then ``; `` and how to mend it.
    """

    is_known: bool  # whether the user has read it already; set where ranks tell each other, absent elsewhere

    def __init__(self, option: str, value: object, reason: str) -> None:
        self.option, self.value, self.reason = option, value, reason
        shown, why = _text(value), reason
        if shown and is_secret(option.rpartition(".")[2]):
            shown, why = REDACTED, reason.replace(shown, REDACTED)
        elif len(shown) > _LONGEST:
            short = f"{shown[:40]}... ({len(shown):,} letters)"
            shown, why = short, reason.replace(shown, short)
        named = option if len(option) <= _LONGEST else f"{option[:40]}..."
        super().__init__(f"{named}={shown}: {why}")

    def under(self, prefix: str) -> OptionError:
        """The same error with the option's path completed, e.g. ``under("model.quantizer")``.

        A name in capitals (RUN, a variable of the environment) is no key of a part and stays as it is.
        """
        if self.option.isupper():
            return self
        return OptionError(f"{prefix}.{self.option}" if prefix else self.option, self.value, self.reason)


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # a whole number of more than 4300 digits
        return hex(value) if isinstance(value, int) else repr(type(value))


def is_secret(key: object) -> bool:
    """Whether the value under a key is hidden: one of the words in it is key, token, password or secret."""
    return not _SECRET.isdisjoint(re.split(r"[^a-z0-9]+", str(key).lower()))


def require(condition: bool, option: str, value: object, reason: str) -> None:
    """Raises :class:`OptionError` unless ``condition`` holds."""
    if not condition:
        raise OptionError(option, value, reason)


def is_whole(value: object) -> bool:
    """Whether it is a whole number, Python's or numpy's, and no bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def require_whole(option: str, value: int, least: int, usual: str) -> None:
    """Raises :class:`OptionError` unless ``value`` is a whole number of at least ``least``."""
    rule = f"must be at least {least}, a whole number; {usual}"
    require(is_whole(value) and value >= least, option, value, rule)


def require_number(option: str, value: float, usual: str, *, positive: bool = False) -> None:
    """Raises :class:`OptionError` unless ``value`` is finite and at least 0, or where asked above it."""
    require(math.isfinite(value), option, value, f"must be a finite number; {usual}")
    rule = f"must be {'positive' if positive else 'at least 0'}; {usual}"
    require(value > 0 if positive else value >= 0, option, value, rule)


def missing_extra(extra: str, package: str, of: tuple[str, object] | None = None) -> OptionError:
    """The error that a package is not installed.

    Args:
        extra: of ganvas, that has it.
        package: what is missing.
        of: option and value that ask for it; None: nobody's option does, a program of the user's own, say.
    """
    option, value = of or ("EXTRA", extra)
    return OptionError(option, value, f"needs {package}, not installed here; pip install 'ganvas[{extra}]'")


class OutputError(OSError):
    """A file or folder that was asked for cannot be written: a full disk, say; what stood there is as it was.

    Args:
        option: what named it, e.g. ``--out``.
        value: the file or folder.
        error: what the system said.
        remedy: what the user can do.
    """

    def __init__(
        self, option: str, value: object, error: OSError, remedy: str = "name another, or make room"
    ) -> None:
        super().__init__(error.errno, error.strerror)
        self.option, self.value, self.remedy = option, value, remedy

    def __str__(self) -> str:
        said = self.strerror or self.errno or "no reason is known"
        return f"{self.option}={self.value}: cannot be written ({said}); {self.remedy}"


class NonFiniteError(ArithmeticError):
    """A loss, a gradient or a parameter that is not finite; raised before it reaches an optimizer or a file.

    Args:
        term: what is not finite, by its name in the logs, e.g. ``loss/discriminator``.
        reason: where (batch, examples seen), the last finite values, and what usually helps.
    """

    def __init__(self, term: str, reason: str) -> None:
        self.term = term
        super().__init__(f"{term} is not finite: {reason}")


class RollbackError(NonFiniteError):
    """The same, where the run's policy is to go back to its last checkpoint and on with other data."""


class RankError(RuntimeError):
    """A rank that died, hangs or failed ended the run of all; the text names it and its machine."""


class OutOfMemoryError(MemoryError):
    """Memory that a run or a command asked for and did not get; in one line."""
