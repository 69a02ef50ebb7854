"""The logits against a sum over all combinations, one by one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.classifiers import write_classifier
from ganvas.metric.features.stacked_classifier import StackedClassifier
from ganvas.model.network.cnn import CNN

GREY = DataFacts([1, 8, 8], 4, "abc", "Digits", overrides="data=digits")
STACKED = DataFacts([3, 8, 8], 64, "def", "StackedDigits", overrides="data=stacked_digits", parts=GREY)


def test_logits_are_sums_over_channels(tmp_path: Path) -> None:
    torch.manual_seed(2)
    grey = CNN(channels=1, num_classes=4, base_channels=4, feature_dim=5).eval()
    path = tmp_path / "weights.safetensors"
    write_classifier(path, grey, {"accuracy": 0.5})
    extractor = StackedClassifier(network=partial(CNN, base_channels=4, feature_dim=5), weights=str(path))
    extractor.check(STACKED)
    assert extractor.protocol["name"] == "stacked_classifier"
    assert extractor.protocol["accuracy"] == 0.5
    x = torch.rand(6, 3, 8, 8) * 2 - 1
    seen = extractor(x)
    each = [grey(x[:, channel : channel + 1]) for channel in range(3)]
    torch.testing.assert_close(seen.features, torch.cat([one.features for one in each], 1))
    assert seen.logits is not None
    assert seen.logits.shape == (6, 64)
    log_probability = [one.logits.log_softmax(1) for one in each]
    for a, b, c in ((0, 0, 0), (3, 0, 1), (1, 2, 3), (2, 3, 0)):
        expected = log_probability[0][:, a] + log_probability[1][:, b] + log_probability[2][:, c]
        torch.testing.assert_close(seen.logits[:, 16 * a + 4 * b + c], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen.logits.exp().sum(1), torch.ones(6), rtol=1e-4, atol=1e-4)


def test_data_that_are_not_stacked_are_refused() -> None:
    extractor = StackedClassifier(network=partial(CNN), weights=None)
    for facts in (GREY, DataFacts([2], 25, "", "Toy"), DataFacts([3, 32, 32], 10, "", "CIFAR10")):
        line = f"^features=stacked_classifier: takes data that are stacked .*, and {facts.name} are not; "
        with pytest.raises(OptionError, match=line):
            extractor.check(facts)


def test_the_grey_classifiers_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    line = r"^features=stacked_classifier: no .* model=classifier data=digits$"
    with pytest.raises(OptionError, match=line):
        StackedClassifier(network=partial(CNN), weights=None).check(STACKED)
