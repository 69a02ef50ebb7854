"""A new run that begins with the weights of another one's networks: ``model.init_from``.

Weights alone are taken, by the names of the networks: the clock, the optimizers and the averages begin anew.
Its own checkpoints hold all that it goes on from: nothing of the other run is read when it is resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganvas.errors import OptionError, require
from ganvas.functional.finite import non_finite_name
from ganvas.model.training.recipe import Recipe
from ganvas.run.checkpoint.check import load_checked
from ganvas.run.checkpoint.weights import check_weights
from ganvas.run.distributed.group import Group
from ganvas.run.folder.checksum import sha256_of
from ganvas.run.folder.links import check_tree
from ganvas.run.folder.run_folder import RunFolder

_OPTION = "model.init_from"


@dataclass(frozen=True)
class Source:
    """A checkpoint of another run, and its sha256."""

    checkpoint: Path
    sha256: str

    @property
    def run(self) -> Path:
        return self.checkpoint.parent.parent


def begin_with_other(
    model: Recipe, config: Mapping[str, Any], group: Group | None = None
) -> dict[str, str] | None:
    """Puts the weights that ``config`` asks for into a model that has not trained; the same on all ranks.

    Returns:
        what was taken, for the run's record; None where nothing is asked for.

    Raises:
        OptionError: see :func:`find_source` and :func:`take_weights`.
    """
    source = group.in_turn(lambda: find_source(config)) if group is not None else find_source(config)
    if source is None:
        return None
    if group is not None:  # that run may have written another one since the first rank looked
        name, _, sha256 = group.of_first(f"{source.checkpoint.name} {source.sha256}").partition(" ")
        source = Source(source.checkpoint.with_name(name), sha256)
    taken, average = source, bool(config["model"].get("init_average", False))
    if group is not None:
        group.in_turn(lambda: take_weights(model, taken, average=average))
    else:
        take_weights(model, taken, average=average)
    return {"checkpoint": str(source.checkpoint), "sha256": source.sha256}


def find_source(config: Mapping[str, Any]) -> Source | None:
    """The newest whole checkpoint of the run that ``model.init_from`` names; None where it is null.

    Raises:
        OptionError: there is no such run, or none of its checkpoints is whole; options of the model's that
            are about another run's weights, where there are none.
    """
    options = config["model"]
    written, average = options.get("init_from"), options.get("init_average", False)
    require(isinstance(average, bool), "model.init_average", average, "must be true or false")
    if written is None:
        add = "add model.init_from=RUN, or leave it out"
        require(not average, "model.init_average", average, f"is about the weights of another run; {add}")
        frozen = options.get("freeze_discriminator_layers", 0)
        rule = f"would keep layers as they are drawn at random; {add}"
        require(not frozen, "model.freeze_discriminator_layers", frozen, rule)
        return None
    require(isinstance(written, str), _OPTION, written, "must be a run's folder")
    folder = RunFolder(Path(written))
    require((folder.path / "run.yaml").exists(), _OPTION, written, "is no run's folder; see ganvas runs ls")
    with _blamed(folder.path):
        check_tree(folder.path, "RUN")
    path, damaged = folder.find_checkpoint()
    lacks = "no whole checkpoint: the sha256 of each is wrong" if damaged else "no checkpoint"
    require(path is not None, _OPTION, written, f"holds {lacks}; name a run that has weights")
    assert path is not None
    try:
        return Source(path, sha256_of(path))
    except OSError as error:
        raise _gone(path, error) from error


def take_weights(model: Recipe, source: Source, *, average: bool) -> None:
    """Puts a checkpoint's weights into the networks of the same names, or all of them stay as they are.

    Args:
        model: one that has not trained; averages of its weights begin as copies of what it is given.
        source: the checkpoint; it is data that may come from anyone.
        average: takes the averages that the other run has kept, for the networks that have one there.

    Raises:
        OptionError: ``model.init_from``: the file has changed, is no checkpoint of ganvas, or is of other
            networks, with the first tensor that differs; ``model.init_average``: it holds no average.
    """
    path = source.checkpoint
    try:
        same = sha256_of(path) == source.sha256
    except OSError as error:
        raise _gone(path, error) from error
    require(same, _OPTION, source.run, "was changed while ranks read it; name a run that is finished")
    with _blamed(source.run):
        stored = load_checked(path)["state_dict"]
    broken = non_finite_name(stored)
    require(broken is None, _OPTION, source.run, f"its {broken} is not finite; name another run")
    states = {name: _state_of(name, stored, model, source.run) for name in model.networks}
    if average:
        found = {name: _average_of(stored, state) for name, state in states.items()}
        kept = {name: state for name, state in found.items() if state is not None}
        rule = f"{source.run} holds no average of weights; model.init_average=false takes the trained ones"
        require(bool(kept), "model.init_average", True, rule)
        states |= kept
    model.begin_with(states)


def _state_of(name: str, stored: Mapping[str, Tensor], model: Recipe, run: Path) -> dict[str, Tensor]:
    """The stored tensors of a network, by their names inside it."""
    network, prefix = model.networks[name], f"{name}."
    state = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
    reason = f"has no {name}; name the run of a model like this one"
    require(bool(state) or not network.state_dict(), _OPTION, run, reason)
    try:
        check_weights(state, network, "32-true")
    except ValueError as error:
        mend = "choose the networks and the data's shape of that run, or another run"
        raise OptionError(_OPTION, run, f"is of another {name}: {error}; {mend}") from error
    return state


def _average_of(stored: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """A network's average (:class:`ganvas.model.ema.interface.WeightAverage`), where one is stored."""
    first = next(iter(state), "")
    for key in stored:
        place = key.removesuffix(f"average.{first}")
        if place == key or not all(f"{place}average.{one}" in stored for one in state):
            continue
        found = {one: stored[f"{place}average.{one}"] for one in state}
        if all(found[one].shape == value.shape for one, value in state.items()):
            return found
    return None


def _gone(path: Path, error: OSError) -> OptionError:
    reason = f"its {path.name} cannot be read ({error.strerror or error}); name another run"
    return OptionError(_OPTION, path.parent.parent, reason)


@contextmanager
def _blamed(run: Path) -> Iterator[None]:
    """What is wrong with the other run is wrong with the option that names it."""
    try:
        yield
    except OptionError as error:
        if error.option != "RUN":
            raise
        file = Path(str(error.value))
        where = f"its {file.relative_to(run)} " if run in file.parents else ""
        raise OptionError(_OPTION, run, f"{where}{error.reason}") from error
