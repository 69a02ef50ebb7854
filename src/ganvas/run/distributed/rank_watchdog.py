"""Watches over the ranks of a run from a thread of each: one that dies or hangs ends all, by its name.

Each rank shows a sign of life every second: how many collective operations it has begun, for how long it has
begun none, and where its main thread is. A rank whose process is gone, or that shows no sign for the run's
timeout, is lost. Where a rank has waited for so long inside a collective, whoever has begun fewer of them is
what it waits for. The threads work while the main one hangs in a collective, where no handler runs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import distributed as dist

from ganvas.files.text import say
from ganvas.run.distributed.peers import Peer, main_thread_place
from ganvas.run.distributed.rank_info import RankInfo
from ganvas.run.folder.failure import write_failure
from ganvas.run.folder.run_folder import RunFolder

log = logging.getLogger("ganvas")

EVERY = 1.0  # seconds between two signs of life
_QUICK = 6.0  # seconds without one that are enough once a rank has found that something is wrong
_FINISH = 10.0  # seconds in which a rank that failed by itself may print why, and the last words be written

report: Callable[[str], None] = lambda text: say(text, error=True, flush=True)  # noqa: E731
"""How the line that ends a run reaches the user; a rank of our own launcher hands it to that."""


class RankWatchdog:
    """One rank's watch over the others.

    Args:
        info: this rank's.
        peers: the processes of all ranks, in their order.
        connect: a new connection to the store of the ranks.
        timeout: seconds.

    Attributes:
        folder: the run's, once there is one.
    """

    def __init__(
        self, info: RankInfo, peers: Sequence[Peer], connect: Callable[[], Any], *, timeout: float
    ) -> None:
        self.info, self.peers, self.connect, self.timeout = info, peers, connect, timeout
        self.folder: RunFolder | None = None
        self._stopped = threading.Event()
        self._heard = self._changed = time.monotonic()
        self._begun, self._heartbeats = 0, 0
        self._seen: dict[int, tuple[int, float]] = {}
        self._ending = threading.Lock()

    def start(self) -> None:
        for work in (self._talk, self._watch):
            threading.Thread(target=work, name="ganvas-watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def name(self, rank: int) -> str:
        """``rank 1 of 4 (process 123 on host)``."""
        return f"rank {rank} of {self.info.world} ({self.peers[rank]})"

    def propose(self, store: Any, **verdict: Any) -> None:
        """Ends the run for a reason, unless it has one already."""
        store.compare_set("verdict", "", json.dumps(verdict))

    # -- two threads: one that may be blocked by a store that does not answer, one that sees that it is -----

    def _talk(self) -> None:
        try:
            store = self.connect()
            while not self._stopped.wait(EVERY):
                self._exchange(store)
                self._heard = time.monotonic()
        except Exception as error:
            if not self._stopped.is_set():
                self._end_alone(f"the store of the ranks is gone ({str(error).splitlines()[0]})")

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY):
            if time.monotonic() - self._heard > self.timeout + 3 * EVERY:
                self._end_alone(f"the store of the ranks has not answered for {self.timeout:g} s")

    def _exchange(self, store: Any) -> None:
        rank = self.info.rank
        self._heartbeats += 1
        begun = collectives_begun()
        if begun != self._begun:
            self._begun, self._changed = begun, time.monotonic()
        heartbeat = {
            "count": self._heartbeats,
            "begun": begun,
            "still": time.monotonic() - self._changed,
            "where": main_thread_place(),
        }
        store.set(f"heartbeat/{rank}", json.dumps(heartbeat))
        for other in self._gone(store):
            text = f"{self.name(other)} died (killed, out of memory, or a crash of its process)"
            self.propose(store, kind="lost", ranks=[other], text=text, silent=True)
        heartbeats = self._read(store, range(self.info.world) if rank == 0 else [0])
        alarm = store.add("alarms", 0) > 0
        self._check_silence(store, heartbeats, _QUICK if alarm else self.timeout)
        if rank == 0:
            self._check_waiting(store, heartbeats)
        if store.check(["verdict"]):
            self._act(store, json.loads(store.get("verdict")))

    def _gone(self, store: Any) -> list[int]:
        """Ranks of this machine whose processes are not there, and which did not leave."""
        own = self.peers[self.info.rank].machine
        gone = [rank for rank, peer in enumerate(self.peers) if peer.machine == own and not peer.is_running()]
        return [rank for rank in gone if not store.check([f"left/{rank}"])]

    def _read(self, store: Any, ranks: Sequence[int]) -> dict[int, dict[str, Any]]:
        there = [rank for rank in ranks if store.check([f"heartbeat/{rank}"])]
        texts = store.multi_get([f"heartbeat/{rank}" for rank in there]) if there else []
        return {rank: json.loads(text) for rank, text in zip(there, texts, strict=True)}

    def _check_silence(self, store: Any, heartbeats: dict[int, dict[str, Any]], limit: float) -> None:
        now = time.monotonic()
        for rank, heartbeat in heartbeats.items():
            count, since = self._seen.get(rank, (-1, now))
            self._seen[rank] = (count, since) if count == heartbeat["count"] else (heartbeat["count"], now)
        silent = [rank for rank, (_, since) in self._seen.items() if now - since > limit]
        silent = [rank for rank in silent if not store.check([f"left/{rank}"])]
        if silent:
            many = ", ".join(self.name(rank) for rank in silent)
            text = f"{many} shows no sign of life for {limit:g} s (stopped, or its machine is gone)"
            self.propose(store, kind="lost", ranks=silent, text=text, silent=True)

    def _check_waiting(self, store: Any, heartbeats: dict[int, dict[str, Any]]) -> None:
        if len(heartbeats) < self.info.world:
            return
        most, fewest = (pick(heartbeat["begun"] for heartbeat in heartbeats.values()) for pick in (max, min))
        waiting = [heartbeat for heartbeat in heartbeats.values() if heartbeat["begun"] == most]
        if fewest in (most, 0) or min(heartbeat["still"] for heartbeat in waiting) <= self.timeout:
            return
        late = [rank for rank, heartbeat in heartbeats.items() if heartbeat["begun"] == fewest]
        many = ", ".join(f"{self.name(rank)} in {heartbeats[rank]['where']}" for rank in late)
        text = f"{many} hangs: the others have waited for {self.timeout:g} s (accelerator.timeout)"
        self.propose(store, kind="lost", ranks=late, text=text, silent=False)

    # -- the end --------------------------------------------------------------------------------------------

    def _act(self, store: Any, verdict: dict[str, Any]) -> None:
        """Ends this process, and its peers on this machine that cannot do so themselves."""
        if verdict["kind"] == "refused":
            return  # the main thread sees it, and ends in its own time
        lost, rank = verdict["ranks"], self.info.rank
        if verdict["silent"] and 0 in lost:
            self._kill([0])  # it holds the run's lock
        able = [one for one in range(self.info.world) if not (verdict["silent"] and one in lost)]
        if rank == min(able):
            self._last_words(verdict["text"])
            store.set("written", "")
        else:
            until = time.monotonic() + _FINISH
            while not store.check(["written"]) and time.monotonic() < until:
                time.sleep(0.05)
        if verdict["silent"]:
            self._kill(lost)
        if verdict["kind"] == "failed" and rank in lost and self._stopped.wait(_FINISH):
            return  # it ends by itself, with its traceback
        end_process()

    def _kill(self, ranks: Sequence[int]) -> None:
        """Ends those of this machine that can no longer do so themselves."""
        own = self.peers[self.info.rank]
        for peer in (self.peers[rank] for rank in ranks):
            if peer.machine == own.machine and peer != own:
                peer.kill()

    def _end_alone(self, reason: str) -> None:
        """Without a store: what can be seen from here."""
        own = self.peers[self.info.rank].machine
        first = self.peers[0]
        here = first.machine == own and self.info.rank != 0
        if here and not first.is_running():
            reason = f"{self.name(0)} died (killed, out of memory, or a crash of its process)"
        elif self.info.launcher != "torchrun":
            reason = f"{self.name(0)} shows no sign of life: {reason}"
            self._kill([0])
        self._last_words(reason)
        end_process()

    def _last_words(self, text: str) -> None:
        with self._ending:
            log.error("%s", text)
            if self.folder is not None:
                write_failure(self.folder, text)
            report(text)


def collectives_begun() -> int:
    """How many collective operations this process has begun, over all of torch's groups."""
    if not dist.is_initialized():
        return 0
    total = 0
    for group in list(dist.distributed_c10d._world.pg_map):
        with contextlib.suppress(RuntimeError):
            total += group._get_sequence_number_for_group()  # type: ignore[attr-defined]  # not in the stub
    return total


def end_process(code: int = 1) -> None:
    """Ends this process and those that load its data, whatever its main thread waits for."""
    for child in multiprocessing.active_children():
        with contextlib.suppress(OSError, AttributeError):
            os.kill(child.pid or 0, signal.SIGKILL) if child.pid else None
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
