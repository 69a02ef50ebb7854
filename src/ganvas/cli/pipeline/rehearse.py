"""What can be said against a pipeline's stages before the first one trains, which may take hours.

The first is built and checked as its run will be. Of a later one its parts are built: those of codes on the
tokenizer that the earlier stage's config describes, with weights that have learned nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ganvas.pipeline.definition import FOLDER, Stage, place

# What may name an earlier run, or the pipeline's folder, and is not read where parts are built.
_NAMES_RUNS = ("data.tokenizer", "model.init_from", "paths.")


def rehearse(
    stages: Sequence[Stage], naming: Callable[[Stage], AbstractContextManager[None]], *, begins: bool
) -> None:
    """Builds the stages that train, in their order; writes nothing but what is kept of data.

    Args:
        stages: of a pipeline that is planned; their configs stay as they are.
        naming: what an OptionError about a stage is put under.
        begins: whether data are read: not for a plan that is only shown.

    Raises:
        OptionError: what a stage cannot work with.
    """
    from ganvas.model.tokenizer import Tokenizer  # torch, for seconds
    from ganvas.run.init_from import begin_with_other
    from ganvas.run.parts import build_parts, construct_parts

    names = {place(stage.name): stage for stage in stages if stage.trains}
    made: dict[str, tuple[Any, Any]] = {}
    for number, (where, stage) in enumerate(names.items()):
        config = copy.deepcopy(stage.config)
        written = config["data"].get("tokenizer")
        given = {}
        if written in names:
            if written not in made or not _is_told(made[written][0], names[written], naming, reads=begins):
                continue
            data, model = made[written]
            with naming(stage):
                _check_root(names[written], config["data"].get("root"))
            given = {"tokenizer": Tokenizer(model, data, sha256="", place=f"{{{names[written].name}}}")}
        with naming(stage):
            if number == 0 and begins:
                parts = build_parts(config)
                begin_with_other(parts.model, config)
                made[where] = parts.data, parts.model
            elif (written is None or given) and not _reads_earlier(config, [*names, place(FOLDER)]):
                made[where] = construct_parts(config, given)


def _is_told(
    data: Any, stage: Stage, naming: Callable[[Stage], AbstractContextManager[None]], *, reads: bool
) -> bool:
    """Whether it is known what samples an earlier stage's data are of; they are read where they may be."""
    from ganvas.run.prepare import error_prefix

    known = None not in (getattr(data, "declared_shape", None), getattr(data, "num_classes", None))
    if reads and not known:
        with naming(stage), error_prefix("data"):
            data.prepare()
    return reads or known


def _check_root(earlier: Stage, root: Any) -> None:
    """Raises OptionError where the earlier stage's data have no folder, and are said to lie elsewhere."""
    from ganvas.run.config.build import build

    if root is not None:
        build({**copy.deepcopy(earlier.config["data"]), "root": root}, "data")


def _reads_earlier(config: dict[str, Any], places: Sequence[str]) -> bool:
    """Whether a part other than a tokenizer is told of an earlier stage's folder, which is not there yet."""
    return any(
        isinstance(value, str) and any(one in value for one in places) and not key.startswith(_NAMES_RUNS)
        for key, value in _leaves(config)
    )


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield from _leaves(value, f"{path}.{key}".lstrip("."))
    if not isinstance(node, dict | list):
        yield path, node
