"""What the author of a recipe may have got wrong, in one line each.

Networks and optimizers are looked at once, before training; a step, where it could not go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ganvas.errors import OptionError, require


class Named(dict[str, Any]):
    """What a step asks for by name; a name that is not there is the author's mistake.

    Args:
        call: how a step asks for it, e.g. ``descend``.
        missing: what is wrong with an unknown name.
        entries: by name.
    """

    def __init__(self, call: str, missing: str, entries: Mapping[str, Any] | None = None) -> None:
        super().__init__(entries or {})
        self.call, self.missing = call, missing

    def __missing__(self, name: str) -> Any:
        raise wrong_step(f"{self.call}({name!r})", f"{self.missing}; there are: {', '.join(self) or 'none'}")


def wrong_step(what: str, reason: str) -> OptionError:
    """The error of a call in a recipe's ``step``."""
    return OptionError("model.step", what, reason)


def wrong_terms(name: str, terms: Mapping[str, Tensor]) -> OptionError:
    """Why nothing can be descended against these terms."""
    for tag, value in terms.items():
        if value.ndim:
            return wrong_value(tag, value)
    tags = ", ".join(terms)
    reason = "depends on no parameter that is trained; was it detached, or computed without gradients?"
    return wrong_step(f"descend({name!r})", f"{tags}: {reason}")


def wrong_value(tag: str, value: object) -> OptionError:
    """A term or a noted value that is not a scalar tensor."""
    shape = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
    return wrong_step(tag, f"is {shape} and must be a scalar tensor, e.g. a mean over the batch")


def check_optimizer(model: nn.Module, name: str, networks: Sequence[str], others: Iterable[str]) -> None:
    """Raises OptionError unless an optimizer of this name can move these attributes of the recipe."""
    require(name not in others, "add_optimizer", name, "is the name of another optimizer; choose a new one")
    listed = not isinstance(networks, str) and len(networks) > 0
    require(listed, "add_optimizer", name, f"must be given a list of networks' names, not {networks!r}")
    for network in networks:
        there = [each for each, _ in model.named_children()]
        reason = (
            f"the recipe has no network {network!r}; set self.{network} before add_optimizer; "
            f"there are: {', '.join(there) or 'none'}"
        )
        require(network in there, "add_optimizer", name, reason)


HOOKS = (
    "on_train_start on_train_batch_end training_step on_before_zero_grad on_before_backward "
    "on_after_backward on_before_optimizer_step optimizer_step optimizer_zero_grad"
).split()


def check_hooks(model: nn.Module, base: type) -> None:
    """Raises OptionError where a recipe has one of Lightning's hooks that the base has or never asks for."""
    own = [hook for hook in HOOKS if getattr(type(model), hook) is not getattr(base, hook)]
    reason = "is the base's, or is never called; write a callback with it (callback=[default,mine])"
    require(not own, f"model.{own[0] if own else ''}", type(model).__name__, reason)


def check_trained(model: nn.Module, moved: Mapping[str, Sequence[str]]) -> None:
    """Raises OptionError where a network would silently not be trained.

    Args:
        model: the recipe.
        moved: optimizer -> the names of its networks.
    """
    kind = type(model).__name__
    require(bool(moved), "add_optimizer", kind, "no optimizer was added; call it in __init__")
    for name, networks in moved.items():
        parameters = [p for network in networks for p in getattr(model, network).parameters()]
        some = any(p.requires_grad for p in parameters)
        require(some, "add_optimizer", name, f"{', '.join(networks)}: no parameter there is trained")
    known = {id(p) for names in moved.values() for one in names for p in getattr(model, one).parameters()}
    for name, parameter in model.named_parameters():
        left_out = parameter.requires_grad and id(parameter) not in known
        reason = "is in no optimizer's networks; add it, or call requires_grad_(False) on what is not trained"
        require(not left_out, "add_optimizer", name, reason)
