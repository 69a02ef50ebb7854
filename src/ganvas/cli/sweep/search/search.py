"""``hydra/sweeper=optuna``: a sweep whose jobs are the trials of an Optuna study.

What a search is, is checked before anything is written, and kept in sweep.json under ``search``; whoever
resumes the sweep reads it from there. The trials' configs are composed one by one, of the config groups as
they were when the search began (see :mod:`ganvas.cli.sweep.search.frozen`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.refuse_unread import UnreadInSweep
from ganvas.cli.compose.secrets import hidden_values
from ganvas.cli.compose.session import without_environment
from ganvas.cli.sweep.drafts import repeats
from ganvas.cli.sweep.main_metric import main_metric
from ganvas.cli.sweep.search.frozen import FOLDER, freeze, frozen_session
from ganvas.cli.sweep.search.space import overrides_of, parse
from ganvas.errors import REDACTED, OptionError, OutputError, require
from ganvas.files.text import one_line, say
from ganvas.run.config.build import bind
from ganvas.run.config.places import ALLOW
from ganvas.sweep.interface import Job, Result
from ganvas.sweep.manifest import Draft, Manifest
from ganvas.sweep.records import result_of
from ganvas.sweep.search.search_spec import SearchSpec
from ganvas.sweep.search.settings import Settings
from ganvas.sweep.search.space import Space
from ganvas.sweep.tree import config_key

KEY = "search"  # of sweep.json's ``about``
_SECTION = "hydra.sweeper"


def parse_search(
    composer: Composer, overrides: Sequence[str], sweeper: Any
) -> tuple[SearchSpec, list[Draft]]:
    """What the overrides search for, checked as far as it can be without a run; writes nothing.

    Args:
        overrides: without Hydra's own.
        sweeper: the composed ``hydra.sweeper``.

    Returns:
        the search, and the jobs of a trial that takes the first value of every key: what all will be like.

    Raises:
        OptionError: an option that does not fit, a metric that no run reports, a study of another search.
    """
    settings, params = read_settings(sweeper)
    require_optuna()
    from ganvas.run.config.reported import reported_objectives  # torch, for seconds
    from ganvas.sweep.search.check import check

    fixed, space = parse([*overrides_of(params), *overrides], composer.hydra)
    first = space.overrides({one.name: (one.choices or (one.low,))[0] for one in space.dimensions})
    example = composer.compose([*fixed, *first])
    main = main_metric(example.config)
    if example.config.get("optimized_metric") is None and main is not None:
        fixed.append(f"optimized_metric={main}")
        example = composer.compose([*fixed, *first])
    examples = repeats(composer, example, first, 0)
    unread = UnreadInSweep()
    unread.add(example, ())
    _compose_every_option(composer, fixed, first, space, unread)
    unread.finish()
    config = examples[0].config
    seed = config["seed"] if settings.seed is None else settings.seed
    spec = check(
        settings,
        space,
        reported_objectives(config),
        config,
        overrides=fixed,
        seed=seed,
        repeats=len(examples),
        experiment=config_key(config),
    )
    return spec, examples


def read_settings(sweeper: Any) -> tuple[Settings, dict[str, Any]]:
    """The options of ``hydra.sweeper`` and its ``params``.

    Raises:
        OptionError: an option that is not there, or does not fit.
    """
    plain: Any = OmegaConf.to_container(sweeper, resolve=True)
    plain = {key: value for key, value in plain.items() if key != "_target_"}
    params = plain.pop("params", None) or {}
    require(isinstance(params, dict), f"{_SECTION}.params", params, "must be a section: key -> values")
    arguments = bind(Settings, plain, _SECTION)
    try:
        return Settings(**arguments), params
    except OptionError as error:
        raise error.under(_SECTION) from error


def require_optuna() -> None:
    """Raises OptionError where the extra is missing."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise OptionError(
            "hydra/sweeper", "optuna", "needs an extra; pip install 'ganvas[search]'"
        ) from error


def _compose_every_option(
    composer: Composer, fixed: list[str], first: list[str], space: Space, unread: UnreadInSweep
) -> None:
    """Each option of each group once: a misspelt one is refused before the first job."""
    for place, one in enumerate(space.dimensions):
        if composer.is_group(one.name):
            for option in one.choices[1:]:
                others = [word for number, word in enumerate(first) if number != place]
                _check_option(composer, [*fixed, *others, one.word(option)], one.name, unread)


def _check_option(composer: Composer, overrides: list[str], group: str, unread: UnreadInSweep) -> None:
    try:
        unread.add(composer.compose(overrides), ())
    except OptionError as error:
        if error.option == group:  # others may fit other values: then it is a failed trial
            raise


class Search:
    """A source of jobs that opens its study when the first job is asked for: until then nothing is written.

    Args:
        sweep: it holds the search under ``about``.
        secrets: job index -> key -> value; those of new jobs are added.
        again: overrides that give hidden secrets again, at a resume.
        retry: jobs to run again although they failed.
        example: what its jobs will be like.
        allows_places: whether the values of the environment that its config groups name are taken.
    """

    def __init__(
        self,
        sweep: Manifest,
        spec: SearchSpec,
        *,
        config_dir: str | None,
        secrets: dict[int, dict[str, Any]],
        again: Sequence[str] = (),
        retry: Sequence[int] = (),
        example: Draft | None = None,
        allows_places: bool = True,
    ) -> None:
        self.sweep, self.spec, self.config_dir = sweep, spec, config_dir
        self.secrets, self.again, self.retry = secrets, list(again), set(retry)
        self.example, self.allows_places = example, allows_places
        self._source: Any = None
        self._stack = ExitStack()

    @property
    def source(self) -> Any:
        """The study's, opened now if it was not yet."""
        if self._source is None:
            from ganvas.sweep.search.check import open_source

            if not (self.sweep.folder / FOLDER).is_dir():
                freeze(self.sweep.folder, self.config_dir)
            if not self.allows_places:
                self._stack.enter_context(without_environment())
            hydra = self._stack.enter_context(frozen_session(self.sweep.folder))
            composer = Composer(hydra, str(self.sweep.about.get("config_name", "train")))
            jobs = _SweepJobs(self, composer)
            trials = {job.variant for job in self.sweep.jobs if job.index in self.retry}
            self._source = open_source(
                self.spec, jobs, self.sweep.folder, has_jobs=bool(self.sweep.jobs), retry=trials
            )
        return self._source

    def next(self) -> Job | None:
        job: Job | None = self._asked_of(self.source.next)
        return job

    def is_done(self) -> bool:
        return bool(self._asked_of(self.source.is_done))

    def ended(self, job: Job, result: Result) -> None:
        self._asked_of(self.source.ended, job, result)
        self.retry.discard(job.index)

    def should_stop(self, job: Job) -> bool:
        return bool(self._asked_of(self.source.should_stop, job))

    def _asked_of(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Calls the study's source; what its storage refuses is an option's fault, in one line."""
        from ganvas.sweep.search.storage import PRIVATE, storage_errors

        place = self.spec.settings.storage or str(self.sweep.folder / PRIVATE)
        with storage_errors(place, running=True):
            return method(*arguments)

    def finish(self) -> tuple[list[str], bool]:
        """Writes the report; returns what to say of it, and whether it is written and no trial failed."""
        from ganvas.sweep.search.report import failed, report_lines, write_report

        try:
            if self._source is None:
                return [], True
            handle = self._source.handle
            lines, all_well = report_lines(handle), not failed(handle)
            try:
                lines.append(write_report(handle, self.sweep.folder))
            except OutputError as error:
                say(one_line(str(error), 4000), error=True)
                all_well = False
            return lines, all_well
        finally:
            self._stack.close()


class _SweepJobs:
    """What a study asks of its sweep (see sweep/search/study.py)."""

    def __init__(self, search: Search, composer: Composer) -> None:
        self.search, self.composer = search, composer
        fixed = [word for word in search.spec.overrides if REDACTED not in word]
        self._fixed = [*fixed, *search.again]
        self._drafts: dict[int, list[Draft]] = {}

    def add(self, number: int, overrides: Sequence[str], repeat: int) -> Job:
        if number not in self._drafts:
            # A study asks for one trial's repeats in a row: older drafts are of no more use.
            first = self.composer.compose([*self._fixed, *overrides])
            made = repeats(self.composer, first, list(overrides), number)
            self._drafts = {**dict(list(self._drafts.items())[-64:]), number: made}
        draft = self._drafts[number][repeat]
        sweep = self.search.sweep
        before = len(sweep.jobs)
        (job,) = sweep.add([draft])
        if len(sweep.jobs) > before:
            sweep.write()
        hidden = hidden_values(draft.config)
        if hidden:
            self.search.secrets[job.index] = hidden
        return job

    def result(self, job: Job) -> Result:
        result = result_of(self.search.sweep, job)
        return Result() if job.index in self.search.retry and result.state in AGAIN else result

    def metrics(self, job: Job) -> Path:
        return self.search.sweep.run_dir(job) / "metrics.jsonl"


AGAIN = ("failed", "refused", "killed", "broken")  # what a retry begins again


def note(sweep: Manifest, spec: SearchSpec) -> None:
    """Puts a search into the sweep's manifest, yet to be written."""
    sweep.about[KEY] = asdict(spec)


def stored(sweep: Manifest, *, allows_places: bool = True) -> SearchSpec | None:
    """The search that a manifest holds, or None where it is a sweep of another kind.

    Args:
        allows_places: whether its storage may lie outside of the sweep's folder.

    Raises:
        OptionError: ``SWEEP``: it is damaged; ``hydra.sweeper.storage``: it lies elsewhere.
    """
    if KEY not in sweep.about:
        return None
    require_optuna()
    try:
        spec = SearchSpec.read(sweep.about[KEY])
        if not allows_places:
            _check_storage(spec.settings.storage, sweep.folder)
        return spec
    except OptionError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        kind = type(error).__name__
        reason = f"what its sweep.json says of a search is damaged ({kind}: {error}); put a copy back"
        raise OptionError("SWEEP", sweep.folder, reason) from error


def _check_storage(storage: str | None, folder: Path) -> None:
    """Raises OptionError where a stored search would be looked for beyond its sweep's folder."""
    if storage is None:
        return
    from ganvas.sweep.search.storage import OPTION, hidden

    path = Path(storage.removeprefix("sqlite:///"))
    inside = "://" not in str(path) and path.resolve().is_relative_to(folder.resolve())
    reason = f"lies outside of the sweep's folder; {ALLOW} allows it where the sweep is your own"
    require(inside and "?" not in storage, OPTION, hidden(storage), reason)


def extended(sweep: Manifest, spec: SearchSpec, overrides: Sequence[str]) -> SearchSpec:
    """The search with the number of trials that the overrides of a resumption give.

    Raises:
        OptionError: another option of the sweeper is among them.
    """
    for word in overrides:
        key, _, value = word.partition("=")
        if not key.lstrip("+~").startswith(("hydra.sweeper", "hydra/sweeper")):
            continue
        reason = "is frozen in this search; hydra.sweeper.n_trials=40 may change, for the rest begin another"
        require(key == f"{_SECTION}.n_trials" and value.isdigit(), key, value, reason)
        try:
            settings = replace(spec.settings, n_trials=int(value))
        except OptionError as error:
            raise error.under(_SECTION) from error
        spec = replace(spec, settings=settings)
        note(sweep, spec)
    return spec
