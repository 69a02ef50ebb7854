"""Handlers come and go; what is ignored stays so."""

from __future__ import annotations

import os
import signal
import threading

from ganvas.run.process.signals import STOPS, handle


def test_a_handler_is_put_in_and_taken_out() -> None:
    before = {number: signal.getsignal(number) for number in STOPS}
    caught: list[int] = []
    restore = handle(lambda number, frame: caught.append(number), (signal.SIGTERM, signal.SIGUSR2))
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        restore()
    assert caught == [signal.SIGUSR2, signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in STOPS} == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        restore = handle(lambda number, frame: None)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
        restore()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_install_nothing() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: handle(lambda number, frame: None)())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
