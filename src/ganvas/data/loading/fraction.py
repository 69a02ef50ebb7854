"""A share of the training samples, for studies of small data: the same samples for every seed."""

from __future__ import annotations

from torch import Tensor

from ganvas.data.loading.stored import hold_out, hold_out_of_classes
from ganvas.errors import require


def require_fraction(fraction: float) -> None:
    """Raises OptionError unless it is a share."""
    rule = "must be above 0 and at most 1; 1 trains on all samples, 0.1 on a tenth"
    require(0 < fraction <= 1, "train_fraction", fraction, rule)


def kept_count(count: int, fraction: float) -> int:
    """How many of ``count`` samples the share has: the nearest whole number."""
    return round(count * fraction)


def check_fraction(fraction: float, count: int, batch_size: int) -> None:
    """Raises OptionError where the share of ``count`` training samples does not fill a batch."""
    kept = kept_count(count, fraction)
    rule = f"leaves {kept} of {count} training samples, fewer than batch_size={batch_size}; "
    least = -(-10_000 * batch_size // count) / 10_000
    require(
        kept >= batch_size, "train_fraction", fraction, f"{rule}take {least:g} or more, or smaller batches"
    )


def kept_rows(count: int, label: Tensor | None, fraction: float) -> Tensor:
    """The samples that stay: sorted int64 numbers, a function of the arguments alone.

    Of each class its share, and at least one as long as there are as many samples as classes; without labels
    any sample is as likely. What a fraction keeps, a larger one keeps too, but for what does not divide
    evenly among classes.

    Args:
        count: N, number of training samples.
        label: their classes int64 [N], or None.
        fraction: in (0, 1].
    """
    left_out = [count - kept_count(count, fraction)]
    purpose = "train_fraction"
    if label is None:
        return hold_out(count, left_out, purpose)[0]
    return hold_out_of_classes(label, left_out, purpose)[0]


def describe_fraction(fraction: float, kept: int, count: int, label: Tensor | None) -> str:
    """What the share is, as a line for the log of a run; arguments as of :func:`kept_rows`."""
    how = "" if label is None else ", of each class its share"
    counts = f"{kept:,} of {count:,} training samples{how}, the same for every seed"
    return f"data.train_fraction={fraction:g}: {counts}"
