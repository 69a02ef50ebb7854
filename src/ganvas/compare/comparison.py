"""What a comparison is: runs as members of variants, variants side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ganvas.compare.rows import Protocol, RunMetrics, shown
from ganvas.compare.statistics import LEVEL, Summary


@dataclass(frozen=True)
class Member:
    """One run's part in a comparison: its newest metrics under the protocol, and what each rests on."""

    run: RunMetrics
    examples: int
    metrics: dict[str, float]
    protocols: dict[str, Protocol] = field(repr=False)


@dataclass
class Variant:
    """Runs that differ by their seed alone, judged by one protocol.

    Attributes:
        label: what tells it from the others.
        members: its runs, by seed.
        protocol: of the metric that ranks.
        summaries: of each metric that all its runs have.
        rank: from 1; None where nothing is ranked, or a run's metric is not finite.
        p: of Welch's test against the variant ranked above; None where there is none, or one has one seed.
        overlaps: whether the intervals of the two overlap.
    """

    label: str
    members: list[Member] = field(repr=False)
    protocol: Protocol = field(repr=False)
    summaries: dict[str, Summary]
    rank: int | None = None
    p: float | None = None
    overlaps: bool | None = None

    @property
    def examples(self) -> tuple[int, int]:
        """Fewest and most examples that its runs had seen."""
        seen = [member.examples for member in self.members]
        return min(seen), max(seen)

    @property
    def told_apart(self) -> bool | None:
        return None if self.p is None else self.p < 1 - LEVEL


@dataclass
class Comparison:
    """Variants side by side.

    Attributes:
        by: the metric that ranks; empty where the runs have no metrics.
        mode: ``min`` or ``max``, whichever is better; None where nothing is ranked and it is not known.
        ranked: whether there are ranks.
        variants: in order.
        metrics: the columns: ``by`` first.
        differing: keys of the protocol of ``by`` that are not the same for all; empty where ranked.
        protocol: what all the metrics rest on, besides those keys.
        notes: what a reader has to know, as sentences.
    """

    by: str
    mode: str | None
    ranked: bool
    variants: list[Variant]
    metrics: list[str]
    differing: list[str]
    protocol: Protocol = field(repr=False)
    notes: list[str] = field(default_factory=list)


def protocol_values(variant: Variant, keys: Sequence[str]) -> list[str]:
    """The variant's values under these keys of its protocol."""
    held = dict(variant.protocol)
    return [shown(held.get(key)) for key in keys]
