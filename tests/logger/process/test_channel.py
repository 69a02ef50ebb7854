"""The line to another process: it never waits, and tells what went wrong."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganvas.logger.process.channel import Channel

# Writes down what it gets, and fails where it is told to.
_PEER = """
import json, sys, time

with open(sys.argv[1], "w") as file:
    for line in sys.stdin:
        message = json.loads(line)
        print(line, end="", file=file, flush=True)
        if message.get("die"):
            raise SystemExit(3)
        time.sleep(message.get("sleep", 0))
        print(json.dumps({"error": "too bad"} if message.get("fail") else {}), flush=True)
"""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Channel]]:
    channels = []

    def open_one() -> Channel:
        channels.append(Channel([sys.executable, "-c", _PEER, str(tmp_path / "got")], {"hello": 1}))
        return channels[-1]

    yield open_one
    for one in channels:
        with contextlib.suppress(OSError):
            one.close({}, 0.1)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def fails(channel: Channel) -> bool:
    try:
        channel.check()
    except OSError:
        return True
    return False


def test_messages_arrive_whole_and_in_their_order(opened: Callable[..., Channel], tmp_path: Path) -> None:
    channel = opened()
    for number in range(200):
        channel.send({"number": number, "text": "x" * number * 40})
    channel.close({"last": True}, 20)
    got = [json.loads(line) for line in (tmp_path / "got").read_text().splitlines()]
    assert got[0] == {"hello": 1}
    assert [one["number"] for one in got[1:-1]] == list(range(200))
    assert [len(one["text"]) for one in got[1:-1]] == [40 * number for number in range(200)]
    assert got[-1] == {"last": True}


def test_a_failure_lasts_until_something_is_taken(opened: Callable[..., Channel]) -> None:
    channel = opened()
    channel.send({"fail": True})
    until(lambda: fails(channel))
    for _ in range(3):
        with pytest.raises(OSError, match="too bad"):
            channel.check()
    with pytest.raises(OSError, match="too bad"):
        channel.send({})
    until(lambda: not fails(channel))
    channel.close({}, 20)


def test_a_failure_among_successes_is_told_once(opened: Callable[..., Channel]) -> None:
    channel = opened()
    for message in ({}, {"fail": True}, {}, {}):
        channel.send(message)  # all of them before the first answer: the other process has yet to start
    time.sleep(0.5)
    with pytest.raises(OSError, match="too bad"):
        channel.check()
    channel.check()
    channel.close({}, 20)


def test_who_does_not_read_costs_no_time(opened: Callable[..., Channel]) -> None:
    channel = opened()
    channel.send({"sleep": 60})
    began = time.monotonic()
    for _ in range(100):
        channel.send({"text": "x" * 100_000})  # a pipe holds 65,536 bytes
    assert time.monotonic() - began < 5
    with pytest.raises(OSError, match=r"did not finish within 0\.5 seconds"):
        channel.close({}, 0.5)
    assert time.monotonic() - began < 10


def test_what_waits_is_bounded(opened: Callable[..., Channel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.logger.process.channel._MOST", 2**20)
    channel = opened()
    channel.send({"sleep": 60})
    for _ in range(11):  # one of them is in the pipe
        channel.send({"text": "x" * 100_000})
    with pytest.raises(OSError, match="1 MiB behind"):
        channel.send({"text": "x" * 100_000})


def test_no_answer_for_long_is_told(opened: Callable[..., Channel], monkeypatch: pytest.MonkeyPatch) -> None:
    channel = opened()
    monkeypatch.setattr("ganvas.logger.process.channel._PATIENCE", 0.2)
    channel.send({"sleep": 60})
    time.sleep(0.5)
    with pytest.raises(OSError, match="no answer"):
        channel.send({})


def test_the_end_of_the_process_is_told(opened: Callable[..., Channel]) -> None:
    channel = opened()
    channel.send({"die": True})
    until(lambda: fails(channel))
    with pytest.raises(OSError, match=r"its process ended \(3\)"):
        channel.send({})
    with pytest.raises(OSError, match=r"its process ended \(3\)"):
        channel.close({}, 20)


def test_a_forked_process_does_not_keep_the_line_open(opened: Callable[..., Channel], tmp_path: Path) -> None:
    channel = opened()
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        channel.close({"last": True}, 10)  # the peer ends where its input does
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert (tmp_path / "got").read_text().splitlines()[-1] == '{"last": true}'
