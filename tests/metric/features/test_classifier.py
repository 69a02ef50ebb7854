"""Found by the data's and the network's facts, or refused with the command that trains it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.classifiers import place_in_cache, write_classifier
from ganvas.metric.features.classifier import Classifier
from ganvas.model.network.cnn import CNN

FACTS = DataFacts([1, 9, 9], 3, "abc", "Digits", overrides="data=digits data.image_size=9")
SMALL: dict[str, Any] = {"base_channels": 4, "feature_dim": 5}
ABOUT = {"accuracy": 0.75, "split": "val", "train_sha256": "abc"}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def trained() -> CNN:
    torch.manual_seed(1)
    network = CNN(channels=1, num_classes=3, **SMALL)
    network(torch.rand(9, 1, 9, 9))  # the statistics of BatchNorm are not those of a new one
    write_classifier(place_in_cache(network, FACTS), network, ABOUT)
    return network.eval()


def make(weights: str | None = None, **options: int) -> Classifier:
    return Classifier(network=partial(CNN, **(SMALL | options)), weights=weights)


def test_features_and_logits_are_the_networks(trained: CNN) -> None:
    extractor = make()
    state = torch.get_rng_state()
    extractor.check(FACTS)
    assert torch.equal(torch.get_rng_state(), state)
    x = torch.rand(130, 1, 9, 9) * 2 - 1  # three chunks
    seen, expected = extractor(x), trained(x)
    torch.testing.assert_close(seen.features, expected.features, rtol=1e-4, atol=1e-5)
    assert seen.logits is not None
    torch.testing.assert_close(seen.logits, expected.logits, rtol=1e-4, atol=1e-5)
    assert not seen.logits.requires_grad
    assert extractor.protocol["accuracy"] == 0.75
    assert extractor.protocol["trained_on_sha256"] == "abc"


@pytest.mark.parametrize(("seen", "warned"), [(29, True), (30, False)])
def test_one_that_has_not_seen_all_training_samples_is_told(
    seen: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    network = CNN(channels=1, num_classes=3, **SMALL)
    about = ABOUT | {"examples_seen": seen, "train_samples": 30}
    write_classifier(place_in_cache(network, FACTS), network, about)
    make().check(FACTS)
    said = "saw 29 examples of 30 training samples, and tells 75.0% of val rightly"
    assert (said in caplog.text) is warned
    assert ("ganvas train model=classifier data=digits data.image_size=9" in caplog.text) is warned


def test_the_protocol_tells_weights_apart(trained: CNN, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    write_classifier(other, CNN(channels=1, num_classes=3, **SMALL), ABOUT)
    protocols = []
    for extractor in (make(), make(weights=str(other))):
        extractor.check(FACTS)
        protocols.append(extractor.protocol)
    differing = {key for key in protocols[0] if protocols[0][key] != protocols[1][key]}
    assert differing == {"weights_sha256"}


@pytest.mark.parametrize(
    ("facts", "options", "words"),
    [
        (FACTS._replace(train_sha256="x", overrides="data=mnist"), {}, "data=mnist"),
        (FACTS, {"feature_dim": 6}, "data=digits data.image_size=9"),
    ],
)
def test_without_one_the_command_is_named(
    trained: CNN, facts: DataFacts, options: dict[str, int], words: str
) -> None:
    with pytest.raises(OptionError) as caught:
        make(**options).check(facts)
    network = " ".join(f"model.network.{key}={value}" for key, value in (SMALL | options).items())
    assert str(caught.value) == (
        "features=classifier: no classifier of these data is trained yet; "
        f"ganvas train model=classifier {words} {network}"
    )


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            DataFacts([2], 25, "", "Toy"),
            r"takes images, and Toy has samples of \[2\]; metric/features=pixels",
        ),
        (FACTS._replace(num_classes=None), "needs labels, and Digits has none; metric/features=pixels"),
    ],
)
def test_data_of_another_kind_are_refused(facts: DataFacts, reason: str) -> None:
    with pytest.raises(OptionError, match=f"^features=classifier: {reason}"):
        make().check(facts)


def test_weights_that_cannot_be_taken(trained: CNN, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    write_classifier(other, CNN(channels=3, num_classes=3, **SMALL), {})
    for weights, reason in ((str(other), "of another network"), (str(tmp_path / "no"), "no such file")):
        with pytest.raises(OptionError, match=f"^weights={weights}: .*{reason}"):
            make(weights=weights).check(FACTS)
    place_in_cache(trained, FACTS).write_bytes(b"damaged")
    with pytest.raises(OptionError, match=r"cannot be read .*; ganvas train model=classifier data=digits"):
        make().check(FACTS)


@pytest.mark.parametrize(("change", "reason"), [("half", "are torch.float16"), ("nan", "are not all finite")])
def test_values_that_are_none_are_refused_by_name(trained: CNN, change: str, reason: str) -> None:
    state = trained.state_dict()
    name = next(iter(state))
    if change == "half":
        trained.half()
    else:
        state[name].view(-1)[3] = float("nan")
    write_classifier(place_in_cache(trained, FACTS), trained, ABOUT)
    with pytest.raises(OptionError, match=rf"its values of {name} {reason}.*; ganvas train model=classifier"):
        make().check(FACTS)
