"""The one error that a user's option can cause.

Parts, data modules and metrics raise it with the name of their own constructor's argument; the command
line puts the path of the part in front of it (``num_embeddings`` becomes ``model.quantizer.num_embeddings``)
and prints it as one line. It imports nothing, so that every room may use it.
"""

from __future__ import annotations


class OptionError(ValueError):
    """An option of the user's that cannot be taken.

    Args:
        option: name of the argument, dotted when nested, e.g. ``num_embeddings``.
        value: the value as given.
        reason: the rule that it breaks, then ``; `` and how to mend it.
    """

    def __init__(self, option: str, value: object, reason: str) -> None:
        self.option, self.value, self.reason = option, value, reason
        super().__init__(f"{option}={value}: {reason}")

    def under(self, prefix: str) -> OptionError:
        """The same error with the option's path completed, e.g. ``under("model.quantizer")``."""
        return OptionError(f"{prefix}.{self.option}" if prefix else self.option, self.value, self.reason)


def require(condition: bool, option: str, value: object, reason: str) -> None:
    """Raises :class:`OptionError` unless ``condition`` holds."""
    if not condition:
        raise OptionError(option, value, reason)
