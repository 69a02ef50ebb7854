"""What a run does about a loss or a gradient that is not finite, before an optimizer takes it up."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganvas.errors import NonFiniteError, RollbackError, require

POLICIES = ("stop", "skip", "rollback")
_ADVICE = "a smaller learning rate, model.grad_clip=1.0 or accelerator.precision=32-true usually helps"
_DATA_ADVICE = "find and mend the samples, or pass over their batches with trainer.non_finite=skip"

log = logging.getLogger("ganvas")


class Guard:
    """Decides about optimizer steps: one that may be made, one that is skipped, or the end of the run.

    A step goes by a name, that of the network which it moves; each has its own counts.

    Args:
        policy: ``stop`` ends the run, ``skip`` leaves the step out, ``rollback`` goes back to a checkpoint.
        max_skips: steps of one name that may be skipped in a row.

    Attributes:
        skipped: name -> steps skipped in all.
        last_terms: name -> what the last step made noted, by tags of the logs.
        consecutive_skips: name -> steps skipped since the last one made.

    Raises:
        OptionError: an unknown policy (``non_finite``) or no skips.
    """

    def __init__(self, policy: str = "stop", max_skips: int = 10) -> None:
        require(policy in POLICIES, "non_finite", policy, "there are: " + ", ".join(POLICIES))
        require(
            max_skips >= 1, "max_skips", max_skips, "must be at least 1; trainer.non_finite=stop skips none"
        )
        self.policy, self.max_skips = policy, max_skips
        self.skipped: dict[str, int] = {}
        self.consecutive_skips: dict[str, int] = {}
        self.last_terms: dict[str, Mapping[str, Tensor]] = {}

    def skips(self, step: str, term: str, where: str) -> bool:
        """Counts a step that did not pass; whether it is to be skipped, else see :meth:`error`."""
        if self.policy != "skip" or self.consecutive_skips.get(step, 0) >= self.max_skips:
            return False
        self.skipped[step] = self.skipped.get(step, 0) + 1
        self.consecutive_skips[step] = self.consecutive_skips.get(step, 0) + 1
        if self.consecutive_skips[step] == 1:
            log.warning("%s is not finite: %s; %s: step skipped", term, where, step)
        return True

    def error(self, term: str, where: str, broken: str | None) -> NonFiniteError:
        """What to raise, with the last finite values and what helps.

        Args:
            term: what is not finite, or ``data``.
            where: batch and examples.
            broken: name of a parameter that was not finite before the step, or None.
        """
        last_terms = [looked_at(terms) for terms in self.last_terms.values()]
        values = {name: float(value) for terms in last_terms for name, value in terms.items()}
        last = ", ".join(f"{name} {value:.4g}" for name, value in values.items()) or "none"
        parts = [where]
        if self.policy == "skip":
            parts.append(f"{self.max_skips} steps in a row were skipped (trainer.max_skips)")
        if broken is not None:
            parts.append(f"the parameter {broken} was not finite before")
        parts += [f"last finite values: {last}", _DATA_ADVICE if term == "data" else _ADVICE]
        return (RollbackError if self.policy == "rollback" else NonFiniteError)(term, "; ".join(parts))

    @property
    def total(self) -> int:
        """Steps skipped, of all names."""
        return sum(self.skipped.values())

    def state(self) -> dict[str, Any]:
        """The counts, for a checkpoint."""
        return {"skipped": dict(self.skipped), "consecutive_skips": dict(self.consecutive_skips)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Takes over what :meth:`state` gave."""
        self.skipped = {str(step): int(count) for step, count in state["skipped"].items()}
        rows = state["consecutive_skips"]
        self.consecutive_skips = {str(step): int(count) for step, count in rows.items()}


def looked_at(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of what a step notes, the numbers that say whether it may be made: losses and gradient norms."""
    return {tag: value for tag, value in terms.items() if tag.startswith(("loss/", "gradient_norm/"))}
