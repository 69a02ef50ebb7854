"""Detectors are asked at the right moments, and what they find is said once."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
import yaml
from torch import Tensor

from ganvas.callback.detectors.evidence.history import History
from ganvas.callback.detectors.evidence.probe import Probe
from ganvas.callback.detectors.interface import Detector, Symptom
from ganvas.callback.detectors.lagging_average import LaggingAverage
from ganvas.callback.health import Health, in_words
from ganvas.callback.record import Record
from ganvas.errors import OptionError


class Light(Detector):
    """Finds that the weight is below a limit; draws from torch's global stream as it measures."""

    advice = "model.optimizer.lr (higher)"

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.measured: list[float] = []
        self.looks: list[int] = []

    def measure(self, probe: Probe) -> dict[str, float]:
        assert not torch.is_grad_enabled()
        assert not probe.recipe.training
        torch.rand(3)
        self.measured.append(float(probe.recipe.weight))
        return {"health/weight": float(probe.recipe.weight)}

    def look(self, history: History) -> Symptom | None:
        weights = history.last("loss/total", 1)
        self.looks.append(len(history.last("health/weight", 1)))
        if weights and weights[0] < self.limit:
            return Symptom(weights[0], self.limit, f"the weight is {weights[0]}")
        return None


def health(folder: Path, **options: Any) -> Health:
    settings = {
        "every_examples": 8,
        "warmup_examples": 0,
        "num": 4,
        "max_train": 10,
        "seed": 0,
        "detectors": {},
    }
    return Health(run_dir=str(folder), **settings | options)


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_finding_is_said_once_everywhere(
    tmp_path: Path,
    fit: Callable[..., Any],
    sampler: Callable[..., Any],
    events: Callable[[], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    light = Light(0.6)  # the weight is 1, 0.75 and 0.5 at the reports after 4, 12 and 20 examples
    with caplog.at_level(logging.WARNING, "ganvas"):
        state = fit(
            sampler((1, 8, 8)), [health(tmp_path, detectors={"light": light, "out": None})], batches=9
        )
    (finding,) = state.findings
    assert finding == {
        "name": "light",
        "examples": 20,
        "value": 0.5,
        "threshold": 0.6,
        "says": "the weight is 0.5",
        "try": "model.optimizer.lr (higher)",
    }
    words = "the weight is 0.5 (limit 0.6, seen 0.5); try model.optimizer.lr (higher)"
    assert in_words(finding) == words
    assert caplog.text.count(words) == 1
    assert "after 20 examples" in caplog.text
    (event,) = events().Tensors("health/text_summary")
    assert (event.step, event.tensor_proto.string_val) == (20, [words.encode()])


def test_it_measures_at_its_cadence_and_records(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    light = Light(-9.0)
    fit(sampler((1, 8, 8)), [health(tmp_path, detectors={"light": light})], batches=5)
    assert light.measured == [1.0, 0.75, 0.5, 0.375]  # at 0, 8 and 16 of 20 examples, and at the end
    assert [(row["examples"], row["health/weight"]) for row in rows(tmp_path)] == [
        (0, 1.0),
        (8, 0.75),
        (16, 0.5),
        (20, 0.375),
    ]


def test_nothing_is_ill_before_the_warm_up(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    light = Light(9.0)
    state = fit(
        sampler((1, 8, 8)), [health(tmp_path, warmup_examples=10, detectors={"light": light})], batches=5
    )
    (finding,) = state.findings
    assert finding["examples"] == 12
    assert light.looks == [0], "the measurement at 8 examples came before the warm-up"


def test_an_average_that_lags_is_told_at_the_end_of_a_run_shorter_than_the_warm_up(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    """Trained weights make the training samples themselves, their average what it made at the start."""
    findings = {}
    for lags in (True, False):

        class Averaged(type(sampler((1, 8, 8)))):  # type: ignore[misc]
            ema = object()
            started_badly = lags

            def sample(self, num: int, seed: int, *, ema: bool = True, start: int = 0) -> Tensor:
                x = self.trainer.datamodule.parts["train"][:num]
                return x + 3 * (ema and self.started_badly and self.examples_seen > 0)

        (tmp_path / str(lags)).mkdir()
        detectors = {"lagging_average": LaggingAverage(ratio=1.25, excess=0.02), "light": Light(9.0)}
        settings = {"every_examples": 1000, "warmup_examples": 1000, "detectors": detectors}
        state = fit(Averaged((1, 8, 8)), [health(tmp_path / str(lags), **settings)], batches=5)
        findings[lags] = [(one["name"], one["examples"]) for one in state.findings]
    assert findings == {True: [("lagging_average", 20)], False: []}
    assert [row["examples"] for row in rows(tmp_path / "True")] == [0, 20]


def test_what_is_measured_at_the_end_is_no_history_of_a_run_that_goes_on(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    whole, parts = (health(tmp_path, detectors={"light": Light(-9.0)}) for _ in range(2))
    fit(sampler((1, 8, 8)), [whole], batches=4)  # measures at 0, 8 and 16
    fit(sampler((1, 8, 8)), [parts], batches=3)  # and at 12
    recent = [one.state_dict()["history"]["recent"]["health/weight"] for one in (whole, parts)]
    assert recent == [[1.0, 0.75, 0.5], [1.0, 0.75]]
    assert (parts.state_dict()["measured_at"], parts.next_due().examples) == (8, 16)


def test_training_does_not_notice(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    class Drawing(type(sampler((1, 8, 8)))):  # type: ignore[misc]
        drawn: ClassVar[list[Tensor]] = []

        def training_step(self, x: Tensor, batch_idx: int) -> Tensor:
            assert self.training
            self.drawn.append(torch.rand(2))
            return super().training_step(x, batch_idx)

    draws = []
    for callbacks in ([], [health(tmp_path, every_examples=4, detectors={"light": Light(0.8)})]):
        torch.manual_seed(3)
        Drawing.drawn = []
        fit(Drawing((1, 8, 8)), callbacks, batches=5)
        draws.append(torch.stack(Drawing.drawn))
    assert torch.equal(*draws)


def test_a_continuation_says_nothing_twice(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    first = health(tmp_path, detectors={"light": Light(0.8)})
    fit(sampler((1, 8, 8)), [first], batches=4)  # found at 12 of 16 examples
    state = json.loads(json.dumps(first.state_dict()))
    again, light = health(tmp_path, detectors={"light": Light(0.8), "other": Light(0.3)}), Light(0.3)
    again.detectors["other"] = light
    again.load_state_dict(state)
    recipe = sampler((1, 8, 8))
    recipe.examples_seen, recipe.batches_seen, recipe.weight.data = 16, 4, torch.tensor(0.5)
    caplog.clear()
    state = fit(recipe, [again], batches=4)
    assert [finding["name"] for finding in state.findings] == ["light", "other"]
    assert [finding["examples"] for finding in state.findings] == [12, 28]
    assert caplog.text.count("the weight is") == 1
    assert light.measured == [0.25, 0.0], "at 24 and 32 examples, not at the continuation's start"


def test_other_ranks_do_nothing(tmp_path: Path) -> None:
    light = Light(9.0)
    one = health(tmp_path, detectors={"light": light})
    trainer = SimpleNamespace(is_global_zero=False, fast_dev_run=False)
    recipe = torch.nn.Module()
    recipe.examples_seen, recipe.report = 0, {"loss/total": 0.0}  # type: ignore[assignment]
    one.on_train_start(trainer, recipe)  # type: ignore[arg-type]
    recipe.examples_seen = 8  # type: ignore[assignment]
    one.on_train_batch_end(trainer, recipe, None, None, 0)  # type: ignore[arg-type]
    assert one.state.findings == light.measured == light.looks == []


def test_it_needs_no_record_and_works_beside_it(
    tmp_path: Path, fit: Callable[..., Any], sampler: Callable[..., Any]
) -> None:
    both = [Record(run_dir=str(tmp_path)), health(tmp_path, detectors={"light": Light(0.6)})]
    state = fit(sampler((1, 8, 8)), both, batches=5)
    assert len(state.findings) == 1
    kinds = [
        (row["examples"], "health/weight" in row) for row in rows(tmp_path) if "validation/psnr" not in row
    ]
    assert kinds == [(0, True), (4, False), (8, True), (12, False), (16, True), (20, False), (20, True)]


@pytest.mark.parametrize(
    ("option", "value"),
    [("every_examples", 0), ("warmup_examples", -1), ("num", 1), ("max_train", 0)],
)
def test_sizes_are_checked(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(OptionError, match=f"{option}={value}"):
        health(tmp_path, **{option: value})


def test_what_is_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=re.escape("detectors.light=3: is no detector")):
        health(tmp_path, detectors={"light": 3})


CONF = Path(__file__).parents[2] / "conf"


def _detectors() -> dict[str, Any]:
    from ganvas.run.config.build import build

    node = yaml.safe_load((CONF / "callback" / "health.yaml").read_text())["health"]
    return {name: build(one, name) for name, one in node["detectors"].items()}


def test_every_detector_has_its_own_file_and_option() -> None:
    source = CONF.parent / "src" / "ganvas" / "callback" / "detectors"
    files = {path.stem for path in source.glob("*.py")} - {"__init__", "history", "interface", "probe"}
    assert set(_detectors()) == files


def test_what_is_advised_are_options_of_ours() -> None:
    """Each word with a dot or a slash composes, with a model or a quantizer that has it."""
    from ganvas.cli.compose.experiment import compose

    trees = [
        compose(["data.native_size=16", *words]).config
        for words in (["model=dcgan"], ["model=mlp_vqvae", "model/quantizer=vq"], ["model=mlp_vqvae"])
    ]
    found = 0
    for detector in _detectors().values():
        for word in re.findall(r"[a-z_]+(?:[./][a-z_0-9]+)+(?:=\S*[^\s,)])?", detector.advice):
            option, _, value = word.partition("=")
            found += 1
            if "/" in option:
                assert (CONF / f"{option}" / f"{value}.yaml").exists(), word
            else:
                assert any(_has(tree, option.split(".")) for tree in trees), word
    assert found > 15


def test_the_page_gives_the_advice_as_it_is_said() -> None:
    page = (CONF.parent / "docs" / "health.md").read_text()
    for name, detector in _detectors().items():
        assert f"| `{name}` |" in page
        assert f" | {detector.advice} |\n" in page, name


def _has(tree: Any, path: list[str]) -> bool:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True
