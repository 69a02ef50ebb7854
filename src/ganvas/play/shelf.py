"""The runs that a server shows, and the models of those that were opened last."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ganvas.errors import require
from ganvas.run.folder.run_folder import RunFolder

_MOST_LOADED = 3  # models held in memory


class Shelf:
    """Runs by their numbers, so that an address of the page never names a folder.

    Args:
        find: gives the runs anew; a run keeps its number as long as the server lives.
        allow: the user's own modules that runs may name.
    """

    def __init__(self, find: Callable[[], Sequence[RunFolder]], allow: Sequence[str]) -> None:
        self._find, self._allow = find, list(allow)
        self._runs: list[RunFolder] = []
        self._loaded: OrderedDict[int, tuple[Any, Any]] = OrderedDict()
        # One thread: draws of torch's own generators and a model's mode belong to one computation at a time.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ganvas-play")

    def runs(self) -> list[tuple[int, RunFolder]]:
        """(number, run) of all that are there now."""
        numbers = {one.path.resolve(): number for number, one in enumerate(self._runs)}
        for one in self._find():
            if numbers.setdefault(one.path.resolve(), len(self._runs)) == len(self._runs):
                self._runs.append(one)
        return [(number, one) for number, one in enumerate(self._runs) if (one.path / "run.yaml").exists()]

    def run(self, number: int) -> RunFolder:
        """Raises OptionError (``run``) for a number that no run has."""
        there = dict(self.runs())
        require(number in there, "run", number, "is not there (any more); choose one of the list")
        return there[number]

    async def work(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Runs a function on the thread that computes, while the page goes on."""
        call = partial(function, *args, **options)
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)

    async def load(self, number: int) -> tuple[Any, Any]:
        """A run's recipe and data module; the last few are kept.

        Raises:
            OptionError: it cannot be loaded.
        """
        found: tuple[Any, Any] = await self.work(self._load, number)
        return found

    def _load(self, number: int) -> tuple[Any, Any]:
        from ganvas.run.load import load_run

        if number not in self._loaded:
            model, data, _ = load_run(self.run(number), allow=self._allow)
            self._loaded[number] = (model, data)
            while len(self._loaded) > _MOST_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(number)
        return self._loaded[number]
