"""What may come next on a command line: commands, flags and their values, RUN and SWEEP names, overrides."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser, parser_of
from ganvas.cli.commands import COMMANDS, module_of
from ganvas.cli.compose.describe import PIPELINES, file_of, groups, pipelines
from ganvas.pipeline.definition import read_definition
from ganvas.pipeline.find import all_pipelines
from ganvas.run.folder.run_folder import all_runs
from ganvas.run.folder.usable import ANY, NEEDS, find_usable, kinds
from ganvas.sweep.find import all_sweeps

_OVERRIDES = (["train"], ["sweep", "run"], ["sweep", "plan"], ["shards"], ["check"])
_HYDRAS_FLAGS = ("--cfg", "--resolve", "--info")  # of ganvas train
_WITH_VERBS = ("sweep", "runs")
_METRICS = ("metric/features", "metric/samples", "metric/perceptual")
_MOST_RUNS = 300  # runs that are looked at, the newest


def candidates(line: str) -> list[str]:
    """What the word at the line's end may become, whole words; empty where files may follow, or nothing.

    Args:
        line: the command line up to the cursor, the program's name first.
    """
    words = line.split()[1:]
    last = "" if not words or line[-1:].isspace() else words.pop()
    try:
        return sorted(dict.fromkeys(one for one in _next(words, last) if one.startswith(last)))
    except Exception:  # a half-written line may be anything; a shell shows no error there
        return []


def _next(words: list[str], last: str) -> list[str]:
    if not words:
        return [*(name for name in COMMANDS if name != "job"), "--help", "--version"]
    command, rest = words[0], words[1:]
    if command in _WITH_VERBS and not rest and not last.startswith("-"):
        return _verbs(command)
    if command == "options" and not last.startswith("-"):
        return list(groups(_value_of(rest, "--config-dir", "-cd")))
    for head in _OVERRIDES:
        if words[: len(head)] == head:
            return _override(command, words[len(head) :], last, head)
    return _argument(command, rest, last)


def _override(command: str, words: list[str], last: str, head: list[str]) -> list[str]:
    """A word of ``ganvas train`` and what composes as it does."""
    parser = _parser(command, head[1:])
    if last.startswith("-"):
        more = ("-m", *_HYDRAS_FLAGS, "--debug") if command == "train" else ()
        return [*_flags(parser), *more, "--help"]
    if words[-1:] == ["--cfg"]:
        return ["job", "hydra", "all"]
    action, _ = _open_flag(parser, words) if parser is not None else (None, False)
    if action is not None and action.nargs is None:
        return list(_values(action))
    if last.startswith("resume="):
        return [f"resume={name}" for name in _runs("resume", words)]
    from ganvas.cli.compose.hydra_internals import complete_override
    from ganvas.cli.compose.session import hydra_session

    config_dir = _value_of(words, "--config-dir", "-cd")
    name = _value_of(words, "--config-name", "-cn") or "train"
    key, sign, _ = last.partition("=")
    if "@" in key and sign:  # model/optimizer@model.generator_optimizer=
        return [f"{key}={one}" for one in groups(config_dir).get(key.partition("@")[0].lstrip("+"), ())]
    chosen = [word for word in words if "=" in word or word.startswith("~")]
    with hydra_session(config_dir, importable=False) as hydra:
        return _in_list(last, lambda word: complete_override(hydra, name, chosen, word))


def _in_list(last: str, complete: Callable[[str], list[str]]) -> list[str]:
    """``model=mlp_gan,mlp_v`` and ``metric/samples=[fid,k``: the last of several values."""
    key, sign, value = last.partition("=")
    start = max(value.rfind(","), value.rfind("[")) + 1
    found = complete(f"{key}{sign}{value[start:]}")
    return [f"{key}={value[:start]}{one.partition('=')[2]}" for one in found] if start else found


def _argument(command: str, rest: list[str], last: str) -> list[str]:
    """A flag, its value, or what stands at a place: RUN, SWEEP, an override of a run."""
    parser = _parser(command, rest)
    if parser is None:
        return []
    if command in _WITH_VERBS:
        rest = rest[1:]
    if last.startswith("-"):
        return [*_flags(parser), "--help"]
    action, taken = _open_flag(parser, rest)
    if action is not None:
        values = list(_values(action))
        if command == "pipeline" and action.dest == "resume":
            folder = Path(_value_of(rest, "--output-dir") or "outputs")
            return ["latest", *(path.name for path in all_pipelines(folder))]
        return values if values or not taken else []
    at_places = [place for place in parser.arguments if not place.option_strings]
    places = [place.dest for place in at_places]
    named = [word for word in _positionals(parser, rest) if "=" not in word]
    if command == "pipeline":
        return _of_pipeline(named, rest, last)
    if command == "sweep":
        folder = Path(_value_of(rest, "--output-dir") or "outputs")
        return ["latest", *(path.name for path in all_sweeps(folder))] if "sweep" in places else []
    found = [str(one) for place in at_places if not named for one in place.choices or ()]
    place = next((number for number, name in enumerate(places) if name in ("run", "first")), None)
    takes_more = command in ("evaluate", "compare", "plot", "runs") or len(named) == place
    if takes_more and place is not None:
        found += _runs(command, rest)
    if command == "evaluate":
        found += _metric_words(_value_of(rest, "--config-dir", "-cd"))
    if command == "resume" and named:
        found += _keys_of(named[0], rest)
    return found


def _of_pipeline(named: list[str], rest: list[str], last: str) -> list[str]:
    """A pipeline's name, or behind it a stage's and an override of that stage."""
    config_dir = _value_of(rest, "--config-dir", "-cd")
    if not named:
        return pipelines(config_dir)
    path = file_of(PIPELINES, named[0], config_dir)
    stages = [] if path is None else [stage for stage in read_definition(path) if stage.trains]
    for stage in stages:
        if last.startswith(f"{stage.name}."):
            words = [*stage.words, last.removeprefix(f"{stage.name}.")]
            *head, word = [*(word for word in words if "{" not in word)]
            return [f"{stage.name}.{one}" for one in _override("train", head, word, ["train"])]
    return [f"{stage.name}." for stage in stages]


def _parser(command: str, rest: Sequence[str]) -> Parser | None:
    """The parser of a command, or of its verb."""
    if command not in COMMANDS:
        return None
    head: list[str] = []
    if command in _WITH_VERBS:
        head = [word for word in rest[:1] if word in _verbs(command)]
        if not head:
            return None
    return parser_of(module_of(command), head)


def _verbs(command: str) -> list[str]:
    return list(importlib.import_module(module_of(command)).VERBS)


def _flags(parser: Parser | None) -> list[str]:
    actions = parser.arguments if parser is not None else []
    return [flag for action in actions for flag in action.option_strings if flag.startswith("--")]


def _open_flag(parser: Parser, words: Sequence[str]) -> tuple[argparse.Action | None, bool]:
    """The flag that the next word is a value of, and whether it has one already."""
    flags = {flag: action for action in parser.arguments for flag in action.option_strings}
    for number, word in enumerate(reversed(words)):
        action = flags.get(word)
        if action is not None:
            several = action.nargs in ("+", "*")
            takes = action.nargs != 0 and (several or number == 0)
            return (action, number > 0) if takes else (None, False)
        if word.startswith("-"):
            break
    return None, False


def _values(action: argparse.Action) -> Iterator[str]:
    flag = action.option_strings[-1]
    if action.choices is not None:
        yield from map(str, action.choices)
    elif flag in ("--metrics", "--features"):
        yield from groups()[f"metric/{'samples' if flag == '--metrics' else 'features'}"]
    elif flag == "--by":
        from ganvas.compare.directions import BETTER

        yield from BETTER


def _positionals(parser: Parser, words: Sequence[str]) -> list[str]:
    """The words that are neither flags nor values of flags."""
    return [
        word
        for number, word in enumerate(words)
        if not word.startswith("-") and _open_flag(parser, words[:number])[0] is None
    ]


def _runs(command: str, words: Sequence[str]) -> list[str]:
    """Names of runs that the command can use, and ``latest`` with the kinds there are."""
    word = _value_of(words, "--output-dir") or _value_of(words, "paths.output_dir") or "outputs"
    runs = [run for run in all_runs(Path(word))[-_MOST_RUNS:] if NEEDS.get(command, ANY).is_able(run)]
    latest = ["latest", *(f"latest:{kind}" for run in runs for kind in kinds(run))] if runs else []
    return [*latest, *(run.path.name for run in runs)]


def _keys_of(name: str, words: Sequence[str]) -> list[str]:
    """Keys of a run's config, as overrides of its resumption."""
    from ganvas.cli.compose.unread import leaf_keys

    folder = find_usable(name, Path(_value_of(words, "--output-dir") or "outputs"), ANY)
    keys = leaf_keys(folder.read_run()["config"])
    return [f"{key}=" for key in keys if not key.rpartition(".")[2].startswith("_")]


def _metric_words(config_dir: str | None) -> list[str]:
    there = groups(config_dir)
    return [f"{group}={option}" for group in _METRICS for option in there[group]]


def _value_of(words: Sequence[str], *names: str) -> str | None:
    """What a flag or a key is given on the line."""
    for number, word in enumerate(words):
        if word in names and number + 1 < len(words):
            return words[number + 1]
        for name in names:
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
    return None
