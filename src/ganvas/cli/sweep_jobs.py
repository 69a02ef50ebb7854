"""From the overrides of ``ganvas train -m`` to the frozen configs of its jobs."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from ganvas.cli.compose import Composed, composed
from ganvas.cli.explain import composition_errors
from ganvas.errors import OptionError, require
from ganvas.run.config.optimized import check_optimized
from ganvas.run.folder.redact import redacted_override
from ganvas.sweep.manifest import Draft
from ganvas.sweep.tree import RUN_DIR

_MAX_REPEATS = 1000


class Composer:
    """Composes many experiments; Hydra walks the defaults once for each choice of groups.

    Args:
        hydra: from :func:`ganvas.cli.compose.hydra_session`, while it lasts.
        config_name: the primary config.
    """

    def __init__(self, hydra: Any, config_name: str = "train") -> None:
        self.hydra, self.config_name = hydra, config_name
        self._bases: dict[tuple[str, ...], Any] = {}

    def compose(self, overrides: Sequence[str]) -> Composed:
        """What ``ganvas train`` would compose of the overrides, without ``-m``; its folder is RUN_DIR.

        Raises:
            OptionError: an override that names no key or option, or does not parse.
        """
        from hydra._internal.config_loader_impl import ConfigLoaderImpl

        overrides = [*overrides, f"paths.run_dir='{RUN_DIR}'"]
        with composition_errors(self.hydra, overrides):
            groups, values = self._sorted(overrides)
            config = copy.deepcopy(self.base(groups))
            ConfigLoaderImpl._apply_overrides_to_config(values, config)
            return composed(config, overrides[:-1])

    def hydra_section(self, overrides: Sequence[str]) -> Any:
        """Hydra's own part of the config: launcher, sweeper, sweep.dir."""
        with composition_errors(self.hydra, overrides):
            return self.hydra.compose_config(
                self.config_name, list(overrides), run_mode=_multirun(), with_log_configuration=False
            ).hydra

    def _sorted(self, overrides: Sequence[str]) -> tuple[tuple[str, ...], list[Any]]:
        """The overrides that choose options of groups, and the parsed ones that set keys."""
        from hydra.core.override_parser.overrides_parser import OverridesParser

        parsed = OverridesParser.create().parse_overrides(list(overrides))
        exists = self.hydra.config_loader.repository.group_exists
        groups = tuple(str(one.input_line) for one in parsed if exists(one.key_or_group))
        return groups, [one for one in parsed if not exists(one.key_or_group)]

    def base(self, overrides: Sequence[str]) -> Any:
        """Hydra's config of choices of groups alone; it is kept, so copy it before a change."""
        groups = tuple(overrides)
        if groups not in self._bases:
            from hydra.types import RunMode

            self._bases[groups] = self.hydra.compose_config(
                self.config_name, list(groups), run_mode=RunMode.RUN, with_log_configuration=False
            )
        return self._bases[groups]


def fixed_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides that are the same for every job."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [str(one.input_line) for one in parsed if not one.is_sweep_override()]


def combinations(hydra: Any, overrides: Sequence[str]) -> list[list[str]]:
    """Every job's overrides, as Hydra's own sweeper puts them together: the last word changes fastest.

    Raises:
        OptionError: a word lists no value, or an interval.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(config_loader=hydra.config_loader).parse_overrides(list(overrides))
    for one in parsed:
        key, _, value = str(one.input_line).partition("=")
        if one.is_sweep_override() and not one.is_discrete_sweep():
            raise OptionError(key, value, "lists no values; write a,b,c, or search with hydra/sweeper=optuna")
        if one.is_sweep_override() and not list(one.sweep_string_iterator()):
            raise OptionError(key, value, "lists no value at all: the grid is empty; give some")
    (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [list(job) for job in jobs]


def drafts(composer: Composer, overrides: Sequence[str]) -> tuple[list[Draft], list[str]]:
    """Every job of a sweep over the overrides' values, each ``sweep.repeats`` times with seeds of its own.

    Returns:
        the jobs, and the overrides that all of them share.

    Raises:
        OptionError: an override that does not compose.
    """
    jobs = combinations(composer.hydra, overrides)
    varied = differing(jobs)
    shared = [word for word in jobs[0] if word not in varied[0]]
    made = []
    for variant, (job, differs) in enumerate(zip(jobs, varied, strict=True)):
        made += repeats(composer, job, differs, variant)
    return made, shared


def repeats(
    composer: Composer, overrides: Sequence[str], differs: Sequence[str], variant: int
) -> list[Draft]:
    """One combination as jobs: ``sweep.repeats`` of them, with the seeds from ``seed`` on."""
    first = composer.compose(overrides)
    try:
        check_optimized(first.config)
    except OptionError as error:
        raise first.named_as_written(error) from error
    count = (first.config.get("sweep") or {}).get("repeats", 1)
    fits = isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= _MAX_REPEATS
    require(fits, "sweep.repeats", count, f"must be a whole number from 1 to {_MAX_REPEATS}")
    if count == 1:
        return [_draft(first, differs, variant, 0)]
    swept = any(word.startswith("seed=") for word in differs)
    require(
        not swept, "sweep.repeats", count, "gives the seeds itself, and seed=... lists some; leave one out"
    )
    answer = []
    for repeat in range(count):
        word = f"seed={first.config['seed'] + repeat}"
        made = composer.compose([*overrides, word]) if repeat else first
        answer.append(_draft(made, [*differs, word], variant, repeat))
    return answer


def _draft(made: Composed, differs: Sequence[str], variant: int, repeat: int) -> Draft:
    return Draft(made.config, made.choices, made.origins, list(differs), slug(differs), variant, repeat)


def differing(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of each job's overrides, those that not every job has (all of them where there is one job)."""
    shared = set(jobs[0]).intersection(*jobs) if len(jobs) > 1 else set()
    return [[override for override in job if override not in shared] for job in jobs]


def slug(overrides: Sequence[str]) -> str:
    """A folder name from a job's overrides: last key and value of each, no ``=`` (Hydra's grammar)."""
    parts = [
        f"{o.partition('=')[0].rpartition('.')[2].rpartition('/')[2]}-{o.partition('=')[2]}"
        for o in map(redacted_override, overrides)
    ]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(parts)).strip("-")[:80] or "job"


def _multirun() -> Any:
    from hydra.types import RunMode

    return RunMode.MULTIRUN
