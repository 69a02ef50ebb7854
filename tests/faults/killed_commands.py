"""SIGKILL of the other commands, in system calls and at any time: whole or absent, and the next one works."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import commands
import system_calls
from commands import COMMANDS, Command
from forge import Ended, Try
from recipes import Plan
from system_calls import CHANGES, KILL_AFTER, KILL_BEFORE, KILL_WITHIN

TITLE = "SIGKILL of other commands"
MINIMUM = 57
NEEDS: list[tuple[str, int]] = []

prepare = commands.warm


def tries(plan: Plan) -> Iterator[Try]:
    """A try is a command, killed some times; its older output lies there in every second one."""
    base = commands.made(plan.work)
    kills = 12 if plan.nightly else 3
    for name, command in COMMANDS.items():
        yield Try(
            name,
            lambda folder, n=name, c=command: _killed(plan, folder, base, n, c, kills),
            timeout=60.0 + 10 * kills,
        )


def _killed(
    plan: Plan, folder: Path, base: Path, name: str, command: Command, kills: int
) -> tuple[str | None, int]:
    """How it went wrong, and how many kills there were."""
    draw = plan.random("killed", name)
    olds = [None] if command.older is None else [None, command.older]
    references = [
        _Reference(folder / f"whole-{number}", base, command, old) for number, old in enumerate(olds)
    ]
    for number in range(kills):
        reference = references[number % len(references)]
        told = _kill_once(draw, folder / f"{number:02d}", base, command, reference, at_a_time=number % 3 == 2)
        if told is not None:
            return f"kill {number}: {told}", number + 1
    return None, kills


class _Reference:
    """The command as nobody disturbs it: what is there before and after, its system calls, its seconds."""

    def __init__(self, place: Path, base: Path, command: Command, older: bytes | None) -> None:
        self.older, self.command = older, command
        commands.lay_out(base, place, command.out, older)
        self.before = commands.contents(place)
        note = place.with_name(f"{place.name}.calls")
        began = time.monotonic()
        ended = commands.run(
            command.words,
            place,
            before=lambda: system_calls.watch(place) if system_calls.is_there() else None,
            after=lambda: note.write_text(
                json.dumps(list(system_calls.counted().items()) if system_calls.is_there() else [])
            ),
        )
        self.seconds = time.monotonic() - began
        if ended.code != 0:
            raise RuntimeError(f"not even undisturbed: {ended}")
        self.calls = {call: count for call, count in json.loads(note.read_text()) if count and call & CHANGES}
        self.after = commands.contents(place)
        if self.before == self.after:
            raise RuntimeError("it writes nothing, so that a kill can break nothing")


def _kill_once(
    draw: random.Random, place: Path, base: Path, command: Command, reference: _Reference, *, at_a_time: bool
) -> str | None:
    commands.lay_out(base, place, command.out, reference.older)
    if at_a_time or not reference.calls:
        pause = draw.uniform(0.0, reference.seconds)
        told = f"after {pause:.3f} of {reference.seconds:.3f} s"
        child = commands.start(command.words, place)
        time.sleep(pause)
        child.send(signal.SIGKILL)
        ended = child.wait()
    else:
        call = draw.choice(list(reference.calls))
        number = draw.randint(1, reference.calls[call])
        kinds = [KILL_BEFORE, KILL_AFTER] + [KILL_WITHIN] * (call == system_calls.WRITE)
        how = draw.choice(kinds)
        where = {KILL_BEFORE: "before", KILL_AFTER: "after", KILL_WITHIN: "within"}[how]
        told = f"{where} {system_calls.NAMES[call]} {number} of {reference.calls[call]}"
        ended = commands.run(
            command.words, place, before=lambda: system_calls.arm(call, place, how, first=number)
        )
        if ended.code != -signal.SIGKILL:
            return f"{told}: it was to be killed: {ended}"
    if wrong := _torn(place, reference) or _again(place, reference):
        return f"{told} ({'an older file there' if reference.older else 'nothing there'}): {wrong}"
    return None


def _torn(place: Path, reference: _Reference) -> str | None:
    """What is seen after the kill, under the names that it has before or after."""
    seen = commands.contents(place, hidden=False)
    for name, content in seen.items():
        known = (reference.before.get(name), reference.after.get(name))
        if content not in known and not _is_rows(place / name) and not _is_drawing(place / name):
            return f"{name} is neither the older nor the new one"
    if lost := [name for name in reference.before.keys() & reference.after.keys() if name not in seen]:
        return f"{lost} are gone"
    gone = [name for name in reference.before if name not in reference.after]
    if 0 < len(part := [name for name in gone if name in seen]) < len(gone):
        return f"it looks like a run, and {len(gone) - len(part)} of its files are gone"
    return None


def _again(place: Path, reference: _Reference) -> str | None:
    """The next same command works, and leaves nothing of the killed one."""
    was_done = commands.contents(place, hidden=False).keys() == reference.after.keys()
    done = reference.command.done
    ended: Ended = commands.run(reference.command.words, place)
    refused = was_done and done and ended.code == 2 and done in ended.err
    if ended.code != 0 and not refused:
        return f"the next one: {ended}"
    after = commands.contents(place)
    if more := sorted(after.keys() - reference.after.keys()):
        return f"{more} were left"
    if less := sorted(reference.after.keys() - after.keys()):
        return f"{less} are not there after the next one"
    for name, content in after.items():
        same = content == reference.after[name]
        if not same and not _is_rows(place / name) and not _is_drawing(place / name):
            return f"{name} is another one after the next one"
    return None


def _is_rows(path: Path) -> bool:
    """Rows that grow: each is whole but for the last one, which readers pass over and writers take away."""
    if path.suffix != ".jsonl":
        return False
    try:
        return all(isinstance(json.loads(line), dict) for line in path.read_bytes().split(b"\n")[:-1])
    except ValueError:
        return False


def _is_drawing(path: Path) -> bool:
    """A whole SVG: its names of glyphs differ each time."""
    return path.suffix == ".svg" and path.read_bytes().endswith(b"</svg>\n")
