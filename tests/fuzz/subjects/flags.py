"""Flags and words of every command, and half-written lines that a shell completes."""

from __future__ import annotations

import random
from pathlib import Path

from subject import Reader, Subject, command
from world import World

from subjects.overrides import word

_COMMANDS = [
    line.split()
    for line in """sample run; evaluate run; export run; interpolate run; neighbours run; walk run; plot
        run; compare run; runs ls; runs show run; runs diff run; options; sweep ls; sweep status s; sweep
        best s; completion; runs; sweep; ; nosuch; shards; check; reconstruct run; codes run; encode run;
        decode x; job s; resume; init; train; plot --rate-distortion run; pictures run""".split(";")
]
_FLAGS = """--num --seed --columns --scale --truncation --out --batch-size --num-real --split --metrics
        --features --tags --output-dir --config-dir --config-name --allow-imports --json --html --csv
        --save --steps --swap --level --lossless --labels --overwrite --sort --most --rows --frames
        --layout --images-per-shard --nosuch --kind --temperatures --given --beginning --completions --table
        --stoi -x""".split()
# Numbers that are absurd, or small: what lies between them is asked for and computed.
_FLAG_VALUES = [
    *"0 -1 1 2 1.5 1e400 nan inf x ١ 0x10 1_0 nosuch/x.png /proc/x.png x.exe * [ run train fid - --".split(),
    *("9" * 40, "9" * 5000, "", " ", "\udc80", "x" * 300, "\x1b[2J", "a\nb"),
]


def _lay_flags(world: World, folder: Path, draws: random.Random) -> Reader:
    words = list(draws.choice(_COMMANDS))
    if words[-1:] == ["run"]:
        world.copy("gan", folder / "run")
    if words[-1:] == ["s"]:
        world.copy("grid", folder / "s")
    for _ in range(draws.choice((1, 2, 3))):
        words.append(draws.choice(_FLAGS))
        if draws.random() < 0.9:
            words.append(draws.choice(_FLAG_VALUES))
    if words[0] in ("train", "resume", "init", "job"):
        words.append("--nosuch")  # otherwise it would be trained
    return command(
        *words, writes=("run/*", "*.png", "*.exe", "nosuch/*", "nosuch", "x*", "[012]", "[012]/*", ".[012].*")
    )


def _lay_completion(world: World, folder: Path, draws: random.Random) -> Reader:
    world.copy("gan", folder / "outputs" / "train" / "run")
    line = "ganvas " + " ".join([*draws.choice(_COMMANDS), *(word(draws) for _ in range(draws.randrange(3)))])
    line = line[: draws.randrange(7, len(line) + 2)]

    def complete() -> None:
        from ganvas.cli.shell.candidates import candidates

        for one in candidates(line):
            print(one)

    return Reader(call=complete)


SUBJECTS = [
    Subject("flags", "flags and words of every command", _lay_flags),
    Subject("completion", "half-written command lines: tab completion", _lay_completion),
]
