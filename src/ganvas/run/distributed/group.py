"""The ranks of one run: what they agree on before anything is written, and how they end together.

They meet at a store, a small server of names and values: torchrun's own, or one in the first rank. The
first rank alone writes the run's folder; the others learn its path here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torch import distributed as dist

from ganvas.errors import NonFiniteError, OptionError, RankError
from ganvas.run.config.stored import relocate_paths
from ganvas.run.distributed.interface_name import choose_interface
from ganvas.run.distributed.peers import Peer
from ganvas.run.distributed.rank_info import RankInfo
from ganvas.run.distributed.rank_watchdog import RankWatchdog
from ganvas.run.folder.differences import differences
from ganvas.run.folder.redact import redacted, scrub
from ganvas.run.folder.run_folder import RunFolder

Made = TypeVar("Made")

TIMEOUT = 600.0  # seconds, where a config has no accelerator.timeout
_LATER = 30.0  # seconds by which torch's own timeout comes after ours, which can name the rank
_LOOK = 0.05  # seconds between two looks at the store
_BLAME = 20.0  # seconds in which it must show which rank broke a collective of all
_LEAVE = 10.0  # seconds that a rank waits for the others to leave
_OF_OTHERS = re.compile(r"gloo|nccl|connection|timed? ?out|peer|broken pipe|socket|store", re.IGNORECASE)
# What may differ between the machines of a run: where things lie there.
_ALLOWED_TO_DIFFER = re.compile(
    r"^(?:paths\..*|data\.(?:root|cache_dir|num_workers|mirrors)|allow_imports.*|accelerator\.devices)$"
)


class Group:
    """The ranks of a run; for one that nothing but a shell started, each method does its work alone.

    Use: ``with Group(info, timeout=...) as group``. Every rank calls the same methods in the same order.

    Args:
        info: this rank's.
        timeout: seconds that a rank waits for another one.
        listener: a listening socket's number for the store, where this is the first rank and has one.
    """

    def __init__(self, info: RankInfo, *, timeout: float = TIMEOUT, listener: int | None = None) -> None:
        self.info, self.timeout, self.listener = info, timeout, listener
        self.folder: RunFolder | None = None  # once the run has one
        self.watchdog: RankWatchdog | None = None
        self._base: Any = None
        self._store: Any = None
        self._stages = 0

    @property
    def is_alone(self) -> bool:
        """Whether there is no launcher, and so no store."""
        return self.info.launcher is None

    def __enter__(self) -> Group:
        if self.is_alone:
            return self
        choose_interface(self.info)
        self._base = self._connect(first=self.info.is_first)
        # torchrun's store outlives its restarts: each has names of its own.
        self._store = self._named(self._base)
        self._store.set(f"who/{self.info.rank}", json.dumps(Peer.this().values()))
        self._until(lambda: bool(self._store.check(self._all("who"))), seconds=self.timeout, what="come")
        peers = [Peer(**json.loads(self._store.get(name))) for name in self._all("who")]
        if self.info.world > 1:
            self.watchdog = RankWatchdog(
                self.info, peers, lambda: self._named(self._connect()), timeout=self.timeout
            )
            self.watchdog.start()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self.is_alone:
            return
        with contextlib.suppress(RuntimeError, RankError):  # a store that went with its rank
            if isinstance(error, OptionError):
                self._refuse(error)
            elif isinstance(error, Exception) and not isinstance(error, NonFiniteError | RankError):
                self._fail(error)
            self._leave(error)

    def _connect(self, *, first: bool = False) -> Any:
        """A connection of its own: a blocked one blocks whoever shares it."""
        of_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        own = first and not of_agent
        try:
            return dist.TCPStore(
                self.info.address,
                self.info.port,
                self.info.world,
                own,
                timeout=timedelta(seconds=self.timeout),
                wait_for_workers=False,
                master_listen_fd=self.listener if own else None,
                multi_tenant=own and self.listener is None,
            )
        except (RuntimeError, ValueError) as error:
            where = f"{self.info.address}:{self.info.port}"
            raise RankError(
                f"rank {self.info.rank} does not reach the first rank at {where} within {self.timeout:g} s "
                f"({str(error).splitlines()[0]})"
            ) from error

    def _named(self, store: Any) -> Any:
        return dist.PrefixStore(f"ganvas/{self.info.restart}", store)

    def _all(self, name: str) -> list[str]:
        return [f"{name}/{rank}" for rank in range(self.info.world)]

    def _until(self, ready: Callable[[], bool], *, seconds: float | None = None, what: str = "") -> None:
        """Waits; a rank that dies meanwhile, or refuses, ends it."""
        until = None if seconds is None else time.monotonic() + seconds
        while not ready():
            self._heed()
            if until is not None and time.monotonic() > until:
                there = [self._store.check([name]) for name in self._all("who")]
                missing = ", ".join(str(rank) for rank, came in enumerate(there) if not came)
                raise RankError(f"rank {missing} of {self.info.world} did not {what} within {seconds:g} s")
            time.sleep(_LOOK)
        self._heed()

    def _heed(self) -> None:
        """Raises what another rank ended all with."""
        if not self._store.check(["verdict"]):
            return
        verdict = json.loads(self._store.get("verdict"))
        if verdict["kind"] == "refused":
            error = OptionError(verdict["option"], verdict["value"], verdict["reason"])
            error.is_known = bool(verdict["known"])
            raise error
        raise RankError(verdict["text"])

    # -- before anything is written ----------------------------------------------------------------------

    def agree(self, run: dict[str, Any], resume: RunFolder | None) -> tuple[dict[str, Any], RunFolder | None]:
        """The first rank's folder on every rank, and whether an earlier attempt's run is gone on with.

        Args:
            run: ``config`` and ``ganvas``, as this rank composed them.
            resume: the run to continue, if any.

        Raises:
            OptionError: the ranks were given different commands.
        """
        if self.is_alone:
            return run, resume
        if not self.info.is_first:
            return self._follow(run)
        if resume is None and self.info.restart > 0 and self._base.check(["ganvas/run_dir"]):
            resume = RunFolder(Path(self._base.get("ganvas/run_dir").decode()))
            config = relocate_paths(run["config"], run["config"]["paths"]["run_dir"], str(resume.path))
            run = {"ganvas": resume.read_run()["ganvas"], "config": config}
        config = run["config"]
        path = str(Path(config["paths"]["run_dir"]).resolve())
        plan = {"run_dir": path, "resume": resume is not None, "config": redacted(config)}
        plan["written"] = config["paths"]["run_dir"]
        self._store.set("plan", json.dumps(plan, default=str))
        return run, resume

    def _follow(self, run: dict[str, Any]) -> tuple[dict[str, Any], RunFolder | None]:
        self._until(lambda: bool(self._store.check(["plan"])))
        plan = json.loads(self._store.get("plan"))
        own = run["config"]["paths"]["run_dir"]
        theirs = relocate_paths(plan["config"], plan["written"], plan["run_dir"])
        config = relocate_paths(run["config"], own, plan["run_dir"])
        config["paths"]["run_dir"] = plan["run_dir"]
        mine = json.loads(json.dumps(redacted(config), default=str))
        for key, there, here in differences(theirs, mine):
            if not _ALLOWED_TO_DIFFER.match(key):
                raise OptionError(
                    key, here, f"is {there} on the first rank; give the same command on every machine"
                )
        return run | {"config": config}, RunFolder(Path(plan["run_dir"])) if plan["resume"] else None

    def in_turn(self, make: Callable[[], Made]) -> Made:
        """What ``make`` returns: on the first rank first, then one of each other machine, then the rest.

        So what is wrong is found once, and data are fetched once on each machine. Returns when all have it.
        """
        if self.is_alone:
            return make()
        self._stages += 1
        names = [f"stage/{self._stages}/{order}" for order in range(3)]
        sizes = [1, self.info.nodes - 1, self.info.world - self.info.nodes]
        order = 0 if self.info.is_first else 1 if self.info.local_rank == 0 else 2
        for name, size in zip(names[:order], sizes[:order], strict=True):
            self._until(partial(self._has_counted, name, size))
        made = make()
        self._store.add(names[order], 1)
        for name, size in zip(names, sizes, strict=True):
            self._until(partial(self._has_counted, name, size))
        return made

    def _has_counted(self, name: str, size: int) -> bool:
        return int(self._store.add(name, 0)) >= size

    def of_first(self, value: str) -> str:
        """The first rank's ``value``, on every rank."""
        if self.is_alone:
            return value
        self._stages += 1
        name = f"stage/{self._stages}"
        if self.info.is_first:
            self._store.set(name, value)
            return value
        self._until(lambda: bool(self._store.check([name])))
        return str(self._store.get(name).decode())

    def owns(self, folder: RunFolder) -> None:
        """The run's folder is there: a restart goes on in it, and whoever ends the run says so in it."""
        self.folder = folder
        if self.watchdog is not None:
            self.watchdog.folder = folder
        if self.info.is_first and not self.is_alone:
            self._base.set("ganvas/run_dir", str(folder.path.resolve()))

    # -- training ----------------------------------------------------------------------------------------

    def open(self, backend: str, device: Any) -> None:
        """Makes torch's process group, where there is more than one rank and none yet."""
        if self.info.world == 1 or dist.is_initialized():
            return
        later = timedelta(seconds=self.timeout + _LATER)
        store = dist.PrefixStore("group", self._named(self._connect()))
        on_gpu = device is not None and device.type == "cuda"
        dist.init_process_group(
            backend,
            store=store,
            rank=self.info.rank,
            world_size=self.info.world,
            timeout=later,
            device_id=device if on_gpu else None,
        )

    def blame(self, error: BaseException) -> BaseException:
        """What ended the run, where ``error`` may only be what another rank's end did to this one.

        Where that is so, this rank is ended by its watchdog while it waits here.
        """
        if self.watchdog is None or isinstance(error, OptionError | NonFiniteError | RankError):
            return error
        try:
            return self._blame(error)
        except RuntimeError:  # the store went with the first rank: the watchdog says so and ends this one
            time.sleep(_LEAVE)
            return error

    def _blame(self, error: BaseException) -> BaseException:
        rank = self.info.rank
        self._store.add("alarms", 1)
        if isinstance(error, RuntimeError) and _OF_OTHERS.search(str(error)):
            self._wait_for_verdict(_BLAME)
        elif rank > 0:  # a fault of all is told by the first rank
            self._store.set(f"fault/{rank}", "")
            self._wait_for(lambda: bool(self._store.check(["fault/0"])), 1.0)
            if self._store.check(["fault/0"]):
                self._wait_for_verdict(_BLAME)
        else:
            self._store.set("fault/0", "")
        self._fail(error)
        verdict = json.loads(self._store.get("verdict"))
        if verdict["kind"] == "refused" or verdict["ranks"] == [rank]:
            return error
        time.sleep(_LEAVE)  # the watchdog ends this rank
        return RankError(verdict["text"])

    def _fail(self, error: BaseException) -> None:
        """Ends all with this rank's error, unless there is another reason already."""
        if self.watchdog is None:
            return
        rank = self.info.rank
        text = scrub(f"{self.watchdog.name(rank)}: {type(error).__name__}: {error}")
        self.watchdog.propose(self._store, kind="failed", ranks=[rank], text=text, silent=False)

    def _wait_for_verdict(self, seconds: float) -> None:
        self._wait_for(lambda: bool(self._store.check(["verdict"])), seconds)

    @staticmethod
    def _wait_for(ready: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not ready() and time.monotonic() < until:
            time.sleep(_LOOK)

    # -- the end -----------------------------------------------------------------------------------------

    def _refuse(self, error: OptionError) -> None:
        """Tells the others why none of them trains; torchrun's restarts say it once."""
        said = hashlib.sha256(str(error).encode()).hexdigest()[:16]
        known = self.info.restart > 0 and self._base.check([f"ganvas/said/{said}"])
        self._base.set(f"ganvas/said/{said}", "")
        error.is_known = getattr(error, "is_known", known)
        verdict: dict[str, Any] = {
            "kind": "refused",
            "option": error.option,
            "value": scrub(str(error.value)),
            "reason": error.reason,
            "known": error.is_known,
            "ranks": [],
            "text": "",
        }
        self._store.compare_set("verdict", "", json.dumps(verdict))

    def _leave(self, error: BaseException | None) -> None:
        """Together: an early end would take the store, the sockets or (torchrun) the process of another."""
        rank, clean = self.info.rank, error is None
        if error is not None and not isinstance(error, OptionError | NonFiniteError):  # the others are ended
            self._wait_for(lambda: bool(self._store.check(["written"])), _LEAVE)
            return
        if clean:
            self._store.set(f"done/{rank}", "")
            self._wait_for(lambda: bool(self._store.check(self._all("done"))), self.timeout)
        if clean and dist.is_initialized() and self.watchdog is not None:
            dist.destroy_process_group()
        if self.watchdog is not None:
            self.watchdog.stop()
        self._store.set(f"left/{rank}", "")
        self._wait_for(lambda: bool(self._store.check(self._all("left"))), _LEAVE)
        if rank == 0 and self.info.world > 1:
            time.sleep(4 * _LOOK)  # the others look once more before the store goes
