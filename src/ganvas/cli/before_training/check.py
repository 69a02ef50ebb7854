"""``ganvas check OVERRIDES``: builds an experiment, trains a few batches on the CPU, says what it costs.

A model's quantizer is asked whether it keeps what its interface promises: one line a fault, and exit code 2.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import Parser, add_own_code, modules_and_overrides
from ganvas.cli.terminal import format_duration
from ganvas.errors import OptionError, require
from ganvas.files.text import say, say_json

if TYPE_CHECKING:
    from ganvas.model.quantizer.conformance.suite import Report
    from ganvas.run.parts import Parts
    from ganvas.run.trial import Trial


def run(argv: Sequence[str]) -> int:
    """Takes what ``ganvas train`` takes; nothing is written but decoded images (data.cache_dir)."""
    parser = Parser(prog="ganvas check", description=__doc__, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="as in ganvas train")
    parser.add_argument("--config-name", "-cn", default="train", help="of the primary config")
    parser.add_argument("--json", action="store_true", help="one object, sizes in bytes")
    thorough = "ask a quantizer also what takes long: torch.compile, torch.export, ONNX, two processes"
    parser.add_argument("--thorough", action="store_true", help=thorough)
    add_own_code(parser)
    arguments = parser.parse_args(list(argv))
    allow, more = modules_and_overrides(arguments.allow_imports)
    words = [*arguments.overrides, *more]
    code = {"config_dir": arguments.config_dir, "config_name": arguments.config_name}
    from ganvas.cli.compose.experiment import compose
    from ganvas.cli.compose.refuse_unread import check_experiment

    composed = compose(words, **code)
    resumed = composed.config.get("resume")
    require(resumed is None, "resume", resumed, "is no experiment of its own; ganvas runs show tells a run")
    reports: dict[str, Report] = {}
    errors: list[OptionError] = []

    def look(parts: Parts) -> None:
        from ganvas.run.conformance import ask_quantizers, faults_error

        reports.update(ask_quantizers(parts, thorough=arguments.thorough))
        errors.extend(faults_error(parts, *item) for item in reports.items() if item[1].faults)
        for line in () if arguments.json else _fault_lines(reports):
            say(line)

    try:
        check_experiment(composed, **code, allow=allow)
        from ganvas.run.folder.train_log import data_notes
        from ganvas.run.trial import try_out

        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning_fabric|pytorch_lightning")
            with nullcontext() if arguments.json else data_notes():
                trial = try_out(composed.config, look)
    except OptionError as error:
        raise composed.named_as_written(error) from error
    if arguments.json:
        quantizers = {place: asdict(report) for place, report in reports.items()}
        say_json(asdict(trial) | {"quantizers": quantizers}, indent=2)
    else:
        lines = [*_lines(composed.choices, trial), *_of_quantizers(reports)]
        width = max(len(title) for title, _ in lines)
        for title, text in lines:
            say(f"{title:{width}} {text}")
    if errors:
        raise composed.named_as_written(errors[0]) from errors[0]
    return 0


def _fault_lines(reports: dict[str, Report]) -> list[str]:
    return [
        f"fault: {place}, {fault.check}: asked: {fault.asked}; found: {fault.found}"
        for place, report in reports.items()
        for fault in report.faults
    ]


def _of_quantizers(reports: dict[str, Report]) -> list[tuple[str, str]]:
    lines = []
    for place, report in reports.items():
        kept = len(report.asked) - len(report.faults)
        text = f"{place} keeps {kept} of {len(report.asked)} promises of its interface"
        lines.append(("quantizer", text))
        if report.not_asked:
            lines.append(("  not asked", ", ".join(report.not_asked)))
    return lines


def _lines(choices: dict[str, Any], trial: Trial) -> list[tuple[str, str]]:
    import torch

    held = ", ".join(f"{count:,} {name}" for name, count in trial.samples.items())
    shape = "x".join(map(str, trial.sample_shape))
    losses = {tag: value for tag, value in trial.report.items() if tag.startswith("loss/")}
    memory = trial.weights + trial.gradients + trial.optimizer_state + trial.activations
    parts = {
        "weights": trial.weights,
        "gradients": trial.gradients,
        "optimizers": trial.optimizer_state,
        f"activations of {trial.batch_size} samples": trial.activations,
    }
    pace = f"{trial.seconds_per_batch * 1000:.3g} ms a batch with {_threads(torch.get_num_threads())}"
    if trial.batches is None:
        whole = "trainer.max_time ends it"
    else:
        whole = f"{trial.batches:,} batches in {format_duration(trial.batches * trial.seconds_per_batch)}"
        whole += ", without what happens beside training"
    steps = ", ".join(f"{name} {count:,}" for name, count in trial.steps.items())
    return [
        ("model", str(choices.get("model"))),
        ("data", f"{choices.get('data')}: {held}; {shape}"),
        *((f"  {name}", f"{count:,} parameters") for name, count in trial.parameters.items()),
        ("losses", ", ".join(f"{tag.removeprefix('loss/')} {value:.4g}" for tag, value in losses.items())),
        ("memory", f"{_size(memory)}: " + ", ".join(f"{name} {_size(n)}" for name, n in parts.items())),
        ("time", f"{pace} on this CPU: {whole}"),
        # Batches hide how seldom a generator steps: five steps of D to one of its own leave it a fifth.
        *([("steps", steps)] if len(set(trial.steps.values())) > 1 else []),
        *(("remark", line) for line in trial.remarks),
        *(("too short", line) for line in trial.too_short_for),
    ]


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
