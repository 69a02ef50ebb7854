"""Several reconstruction losses as one: ``model/reconstruction_loss=[l1,perceptual]``."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.batch import DataFacts
from ganvas.model.reconstruction_loss.interface import ReconstructionLoss


class Sum(ReconstructionLoss):
    """The sum of losses, each with the weight that it has itself.

    Every option of the group is a sum of one term, so that a list of them is laid together into one sum.

    Args:
        terms: losses by the names that they have in the logs.

    Raises:
        OptionError: no term, or what is no ReconstructionLoss.
    """

    def __init__(self, **terms: ReconstructionLoss) -> None:
        super().__init__()
        for name, term in terms.items():
            kind = isinstance(term, ReconstructionLoss)
            shown = f"{type(term).__module__}.{type(term).__qualname__}"
            require(kind, name, shown, "must be ReconstructionLoss; its class needs that base")
        require(len(terms) > 0, "reconstruction_loss", "[]", "names no loss; [mse] is one")
        self.terms = terms
        self.needs_bounded = any(term.needs_bounded for term in terms.values())
        self.of_logits = any(term.of_logits for term in terms.values())
        rule = "is a loss of symbols, and others of values; name one kind alone"
        mixed = [name for name, term in terms.items() if not term.of_logits] if self.of_logits else []
        require(not mixed, "reconstruction_loss", list(terms), rule)

    def __call__(self, *, reconstruction: Tensor, target: Tensor) -> Tensor:
        return self.with_terms(reconstruction=reconstruction, target=target)[0]

    def with_terms(self, *, reconstruction: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        made = {name: term(reconstruction=reconstruction, target=target) for name, term in self.terms.items()}
        first, *others = made.values()
        for value in others:
            first = first + value
        return first, made if others else {}

    def check(self, facts: Callable[[], DataFacts]) -> None:
        for name, term in self.terms.items():
            try:
                term.check(facts)
            except OptionError as error:
                raise error.under(name) from error

    def rests_on(self) -> dict[str, object]:
        named = {name: term.rests_on() for name, term in self.terms.items()}
        return {name: values for name, values in named.items() if values}
