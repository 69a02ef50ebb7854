from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ganvas.run.distributed.peers import Peer, main_thread_place


def test_a_process_is_there_until_it_ends() -> None:
    this = Peer.this()
    assert this.is_running()
    assert Peer(**this.values()) == this
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    from ganvas.run.distributed.peers import _born

    other = Peer(this.host, this.machine, child.pid, _born(child.pid) or 0)
    assert other.is_running()
    assert not Peer(this.host, this.machine, child.pid, 1).is_running()  # an older one of the same number
    Peer(this.host, this.machine, child.pid, 1).kill()
    assert child.poll() is None
    other.kill()
    child.wait()
    assert not other.is_running()


def test_where_the_main_thread_is() -> None:
    """Asked by another thread, as the watchdog does; Python's own waiting is left out."""
    with ThreadPoolExecutor(1) as pool:
        place = pool.submit(main_thread_place).result()
    assert place.startswith("test_peers.py:")
    assert place.endswith("in test_where_the_main_thread_is")
