"""Which of a command line's overrides goes to which stage of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import Composed
from ganvas.cli.compose.explain import composition_errors, every_key, key_of
from ganvas.cli.compose.hydra_internals import parse_overrides
from ganvas.cli.compose.nearest import near
from ganvas.cli.compose.refuse_unread import refuse, written_unread
from ganvas.errors import OptionError, require
from ganvas.pipeline.definition import FOLDER, Stage, filled, place

_OF_ONE = ("model", "data", "experiment")  # what a stage is: the same for all of them makes no pipeline
_OF_PIPELINE = ("name", "paths.run_dir")
_WORD = re.compile(r"([+~]*)([A-Za-z]\w*)\.(.+)", re.DOTALL)


class Routes:
    """The overrides of a command line, dealt out.

    ``tokenizer.model.embedding_dim=32`` goes to the stage ``tokenizer``, any other word to every stage that
    has its key and reads it. ``name`` and ``paths.run_dir`` are the pipeline's own.

    Args:
        composer: while its session lasts.
        pipeline: all its stages.
        stages: those whose words are dealt out.
        overrides: as the user wrote them.

    Attributes:
        own: key -> value, of the pipeline.

    Raises:
        OptionError: a word for a stage that is a command, or one that has to name its stage.
    """

    def __init__(
        self,
        composer: Composer,
        pipeline: Sequence[Stage],
        stages: Sequence[Stage],
        overrides: Sequence[str],
    ) -> None:
        self.composer, self.stages = composer, [stage for stage in stages if stage.trains]
        self._places = {name: place(name) for name in (*(one.name for one in pipeline), FOLDER)}
        self.own: dict[str, str] = {}
        self._shared: list[str] = []
        self._taken: dict[int, list[str]] = {stage.index: [] for stage in self.stages}
        self._single: dict[int, list[str]] = {stage.index: [] for stage in self.stages}
        by_name = {stage.name: stage for stage in stages}
        for word in overrides:
            found = _WORD.fullmatch(word)
            stage = by_name.get(found[2]) if found else None
            key, _, value = word.partition("=")
            if stage is not None and found is not None:
                reason = "is a command, whose words the pipeline's YAML says; write a pipeline of your own"
                require(stage.trains, key, value, f"{stage.name} {reason}")
                self._single[stage.index].append(f"{found[1]}{found[3]}")
            elif key in _OF_PIPELINE:
                self.own[key] = value
            else:
                how = " or ".join(f"{one.name}.{key}={value}" for one in self.stages)
                require(key not in _OF_ONE, key, value, f"has to name its stage: {how}")
                self._shared.append(word)

    def words_of(self, stage: Stage) -> list[str]:
        """The overrides that a stage takes, behind those of its own."""
        return [*self._taken[stage.index], *self._single[stage.index]]

    def compose(self) -> dict[int, Composed]:
        """Index of a stage -> its experiment; the folder of an earlier run is :func:`place`.

        Raises:
            OptionError: a stage does not compose (under its name), or a word that no stage takes.
        """
        bases = {stage.index: self._composed(stage) for stage in self.stages}
        self._check_names(bases)
        for word in self._shared:
            takers = [one for one in self.stages if self._has(bases[one.index], word)]
            if not takers:
                key, _, value = word.partition("=")
                known = [name for base in bases.values() for name in every_key(base.tree)]
                meant = near(key.lstrip("+~"), list(dict.fromkeys(known)))
                names = ", ".join(stage.name for stage in self.stages)
                raise OptionError(key, value, f"no stage ({names}) has such a key or group{meant}")
            for stage in takers:
                self._taken[stage.index].append(word)
        made = {
            one.index: self._composed(one) if self._taken[one.index] else bases[one.index]
            for one in self.stages
        }
        return self._without_unread(made)

    def _without_unread(self, made: dict[int, Composed]) -> dict[int, Composed]:
        """Leaves a shared word out of the stages that have its key and read it nowhere; one must read it."""
        unread = {index: set(written_unread(one)) for index, one in made.items()}
        changed: set[int] = set()
        for word in self._shared:
            key = key_of(word)
            takers = [index for index, words in self._taken.items() if word in words]
            left = [index for index in takers if any(_is_below(one, key) for one in unread[index])]
            if left and left == takers:
                refuse(key, made[left[0]])
            for index in left:
                self._taken[index].remove(word)
                changed.add(index)
        return made | {one.index: self._composed(one) for one in self.stages if one.index in changed}

    def _composed(self, stage: Stage) -> Composed:
        words = [filled(word, self._places) for word in (*stage.words, *self.words_of(stage))]
        with self.named(stage):
            with composition_errors(self.composer.hydra, words):
                for one in parse_overrides(words):
                    key, _, value = str(one.input_line).partition("=")
                    reason = (
                        f"has several values, and a stage trains once; write one, or the list {key}=[{value}]"
                    )
                    require(not one.is_sweep_override(), key, value, reason)
            return self.composer.compose(words, awaited=tuple(self._places.values()))

    def _has(self, base: Composed, word: str) -> bool:
        """Whether a stage has the key, or chooses an option of the group, that a word is about."""
        key = key_of(word)
        if word.startswith("+") or key in base.choices:
            return True
        if self.composer.is_group(key):
            return "@" not in key and key.partition("/")[0] not in ("model", "data")
        node: Any = base.tree
        for name in key.split("."):
            if not isinstance(node, dict) or name not in node:
                return False
            node = node[name]
        return True

    def _check_names(self, bases: dict[int, Composed]) -> None:
        """No stage is called as a section or key of an experiment: words could mean either."""
        keys = {key for base in bases.values() for key in base.tree}
        for stage in self.stages:
            reason = f"a stage is called {stage.name}, and an experiment has such a key; call it otherwise"
            require(stage.name not in keys, "pipeline", stage.name, reason)

    @contextmanager
    def named(self, stage: Stage) -> Iterator[None]:
        """An OptionError inside is under the stage's name, unless its key is of a word for all stages."""
        try:
            yield
        except OptionError as error:
            option, value, reason = error.option, str(error.value), error.reason
            for name, text in self._places.items():
                value, reason = value.replace(text, f"{{{name}}}"), reason.replace(text, f"{{{name}}}")
            shared = option in {key_of(word) for word in self._shared}
            named = OptionError(option, value, reason)
            raise named if shared else named.under(stage.name) from error


def _is_below(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")
