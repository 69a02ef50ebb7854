"""``ganvas evaluate RUN``: the metrics of a run, with the protocol that makes them comparable."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ganvas.cli.arguments import Failures, check_num, check_split, named_run, run_parser
from ganvas.cli.trained.options.drawing import add_drawing, drawing_of
from ganvas.cli.trained.options.evaluate_options import check_options
from ganvas.cli.trained.options.metric_choice import build_metrics, chosen_by, metric_node
from ganvas.compare.find import find_runs
from ganvas.errors import OptionError, require
from ganvas.files.text import one_line, say, say_json
from ganvas.run.folder.redact import scrub
from ganvas.run.folder.usable import NEEDS

_NUM = 10_000


def run(argv: Sequence[str]) -> int:
    """Evaluates, prints, and appends to <run>/evaluations.jsonl (not with ``--floor``).

    Of several runs one that cannot be evaluated is told in a line, and the others go on.
    """
    arguments = evaluate_parser().parse_args(list(argv))
    names = [arguments.run, *(word for word in arguments.overrides if "=" not in word)]
    arguments.overrides = [word for word in arguments.overrides if "=" in word]
    folders = find_runs(names, Path(arguments.output_dir), need=NEEDS["evaluate"])
    if len(folders) == 1:
        arguments.run = str(folders[0].path)
        return _evaluate_one(arguments)
    code = 0
    for folder in folders:
        arguments.run = str(folder.path)
        try:
            code = _evaluate_one(arguments) or code
        except OptionError as error:
            say(one_line(f"{folder.path}: {scrub(str(error))}", 4000), error=True)
            code = 2
    return code


def _evaluate_one(arguments: argparse.Namespace) -> int:
    found = evaluate(arguments)
    if arguments.json:
        say_json(found.result)
    else:
        _print(found.result)
    failures = Failures()
    remedy = "make room; the metrics are printed and in no file"
    with failures.told(found.rows, "RUN", remedy=remedy):
        found.record()
    return failures.code


class Evaluated(NamedTuple):
    """What an evaluation found.

    Attributes:
        result: ``run``, ``metrics`` and ``protocol``.
        row: of the run's evaluations.jsonl; None where it is no evaluation of the run (``--floor``).
        rows: that file.
    """

    result: dict[str, Any]
    row: dict[str, Any] | None
    rows: Path

    def record(self) -> None:
        """Appends the row; raises OSError where that cannot be written."""
        from ganvas.callback.writing.rows import Rows

        if self.row is not None:
            Rows(self.rows).append(json.loads(json.dumps(self.row)))


def evaluate(arguments: argparse.Namespace) -> Evaluated:
    """Computes, and records nothing; arguments as of :func:`evaluate_parser`."""
    num = _NUM if arguments.num is None else arguments.num
    check_num(num)
    check_num(arguments.batch_size, "--batch-size")
    require(
        arguments.num_real is None or arguments.num_real >= 2,
        "--num-real",
        arguments.num_real,
        "must be at least 2; leave it out for the whole split",
    )
    folder, allow = named_run(arguments)
    chosen = list(arguments.overrides)
    if arguments.features is not None:
        chosen.append(f"metric/features={arguments.features}")
    if arguments.metrics:
        chosen.append(f"metric/samples=[{','.join(arguments.metrics)}]")

    from ganvas.run.config.stored import read_stored
    from ganvas.run.load import load_run

    with _as_written(arguments):
        node = metric_node(read_stored(folder, allow)["config"], chosen, arguments.config_dir)
        metrics = build_metrics(node, allow)
    model, data, _ = load_run(folder, allow=allow)
    check_options(model, arguments)
    check_split(data, arguments.split, num, needed=2)
    with _as_written(arguments):
        evaluation_result = _evaluate(model, data, metrics, num, arguments, folder)
    protocol = evaluation_result.protocol | {"examples_seen": model.examples_seen}
    values = {
        name: value if math.isfinite(value) else None for name, value in evaluation_result.metrics.items()
    }
    result = {"run": folder.path.name, "metrics": values, "protocol": protocol}
    row = {
        "examples": model.examples_seen,
        "source": "evaluate",
        "metrics": values,
        "protocol": evaluation_result.protocol,
        "better": evaluation_result.better,
    }
    return Evaluated(result, None if arguments.floor else row, folder.path / "evaluations.jsonl")


def evaluate_parser() -> argparse.ArgumentParser:
    parser = run_parser("evaluate", __doc__)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="RUN | metric/...=...",
        help="further runs (each may be a glob, or a folder of runs); other metrics than the run's own, e.g. "
        "metric/features=classifier metric/samples=[fid,kid]",
    )
    parser.add_argument("--features", help="the same as metric/features=NAME: pixels, efficientnet_lite0 ...")
    parser.add_argument("--metrics", nargs="+", help="the same as metric/samples=[NAME,...]: fid kid ...")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument(
        "--num", type=int, help=f"generated samples ({_NUM}); of a VQ-VAE: samples of the split (all)"
    )
    parser.add_argument("--num-real", type=int, help="real samples at most (the whole split)")
    parser.add_argument("--seed", type=int, help="of the latents (0)")
    parser.add_either(
        ema="refuse a run without averaged weights (EMA)",
        raw="the trained weights instead of their average",
    )
    parser.add_argument(
        "--truncation", type=float, help="cut latents to [-T, T], or draw styles to their mean"
    )
    add_drawing(parser)
    parser.add_argument(
        "--floor", action="store_true", help="training samples for generated ones; nothing is recorded"
    )
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser


_OPTIONS = {"num_samples": "--num", "truncation": "--truncation", "split": "--split"}


@contextmanager
def _as_written(arguments: argparse.Namespace) -> Iterator[None]:
    """Errors name what the user wrote, or could write."""
    features, samples = arguments.features, arguments.metrics
    with chosen_by(features="--features" if features else None, samples="--metrics" if samples else None):
        try:
            yield
        except OptionError as error:
            option = error.option
            if option.replace("/", ".").startswith("metrics"):
                option = f"metric.samples{option[7:]}"
            raise OptionError(_OPTIONS.get(option, option), error.value, error.reason) from error


def _evaluate(
    model: Any, data: Any, metrics: dict[str, Any], num: int, arguments: argparse.Namespace, folder: Any
) -> Any:
    from ganvas.metric.evaluate import joined
    from ganvas.metric.floor import TrainingSamples
    from ganvas.metric.likelihood_evaluation import LikelihoodEvaluation
    from ganvas.metric.reconstruction_evaluation import ReconstructionEvaluation
    from ganvas.metric.sample_evaluation import SampleEvaluation
    from ganvas.model.interface import DrawsCodes, Reconstructs, Samples

    drawing = drawing_of(arguments, model)
    shared = {"split": arguments.split, "batch_size": arguments.batch_size}
    averaged = getattr(model, "ema", None) is not None
    require(
        averaged or not arguments.ema,
        "--ema",
        folder.path.name,
        "the run has no averaged weights (model/ema=none); leave the option out",
    )
    rule = f"is of features, and none are known of {data.modality.plural}; leave it out"
    require(not arguments.floor or not data.modality.is_discrete, "--floor", True, rule)
    if isinstance(model, DrawsCodes) and data.modality.is_discrete:  # of which no features are known
        likelihood = LikelihoodEvaluation(limit=arguments.num_real, ema=not arguments.raw, **shared)
        return likelihood(model, data)  # type: ignore[arg-type]  # a module too
    if isinstance(model, Samples) or (arguments.floor and isinstance(model, Reconstructs)):
        require(metrics["features"] is not None, "metric/features", "none", "samples are judged by features")
        evaluate = SampleEvaluation(
            features=metrics["features"],
            metrics=metrics["samples"],
            num_samples=num,
            seed=arguments.seed or 0,
            limit=arguments.num_real,
            ema=not arguments.raw,
            truncation=arguments.truncation,
            drawing=drawing,
            **shared,
        )
        module: Any = TrainingSamples(data, num) if arguments.floor else model
        evaluation_result = evaluate(module, data)
        if arguments.floor:
            evaluation_result.protocol["weights"] = "training samples"
        elif isinstance(model, DrawsCodes):
            likelihood = LikelihoodEvaluation(limit=arguments.num_real, ema=not arguments.raw, **shared)
            return joined(likelihood(module, data), evaluation_result)
        return evaluation_result
    if isinstance(model, Reconstructs):
        limit = arguments.num if arguments.num is not None else arguments.num_real
        return ReconstructionEvaluation(
            features=metrics["features"], perceptual=metrics["perceptual"], limit=limit, **shared
        )(model, data)  # type: ignore[arg-type]  # a module too
    raise OptionError("RUN", folder.path, NEEDS["evaluate"].reason)


def _print(result: dict[str, Any]) -> None:
    say(result["run"])
    for name, value in sorted(result["metrics"].items()):
        say(f"  {name:24} {'not finite' if value is None else format(value, '.6g')}")
    say("protocol")
    for name, value in _flat("", result["protocol"]):
        say(f"  {name:40} {value}")


def _flat(path: str, node: dict[str, Any]) -> list[tuple[str, Any]]:
    """Nested keys with dots between them."""
    flat: list[tuple[str, Any]] = []
    for name, value in node.items():
        inner = f"{path}.{name}".lstrip(".")
        flat += _flat(inner, value) if isinstance(value, dict) else [(inner, value)]
    return flat
