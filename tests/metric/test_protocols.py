"""Every metric's protocol names whatever changes its value: walked over all metrics that conf/ offers."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from ganvas.functional.batch import DataFacts
from ganvas.metric.classifiers import write_classifier
from ganvas.metric.codebook import CodeUsage
from ganvas.metric.features.classifier import Classifier
from ganvas.metric.features.stacked_classifier import StackedClassifier
from ganvas.metric.interface import SampleMetric
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.modality.guess import modality_of
from ganvas.model.network.cnn import CNN

CONF = Path(__file__).parents[2] / "conf" / "metric"
# Options that need no key of their own: a network is named by the hash of the weights that fit it alone, and
# where a file of a pinned hash is fetched from changes nothing.
NAMED_OTHERWISE = {"network": "weights_sha256", "mirrors": "weights_sha256"}


def parts(group: str) -> dict[str, Any]:
    """Name -> class of each part that a YAML of the group builds, with the YAML's options."""
    found = {}
    for file in sorted((CONF / group).glob("*.yaml")):
        loaded = yaml.safe_load(file.read_text())
        nodes = loaded.values() if group == "samples" else [loaded]
        for node in nodes:
            target = node.get("_target_") if isinstance(node, dict) else None
            if target:
                module, _, name = target.rpartition(".")
                found[file.stem] = getattr(import_module(module), name)
    return found


SAMPLES, FEATURES, PERCEPTUAL = parts("samples"), parts("features"), parts("perceptual")


def options(cls: Any) -> dict[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(cls).parameters.items() if name != "self"}


def begun(metric: SampleMetric) -> dict[str, object]:
    """The protocol as an evaluation of points reads it."""
    metric.begin(2, 3)
    return metric.protocol


def test_the_walk_finds_them_all() -> None:
    assert {"fid", "kid", "classifier_score", "mode_coverage", "memorization", "diversity"} <= set(SAMPLES)
    assert {"pixels", "classifier", "inception", "toy", "efficientnet_lite0"} <= set(FEATURES)
    assert set(PERCEPTUAL) == {"lpips", "stoi"}


@pytest.mark.parametrize("name", SAMPLES)
def test_options_of_sample_metrics_are_in_their_protocols(name: str) -> None:
    cls = SAMPLES[name]
    usual = begun(cls())
    for option, parameter in options(cls).items():
        assert usual[option] == parameter.default, f"{name} has no key for its option {option}"
        other = parameter.default / 2 if isinstance(parameter.default, float) else parameter.default + 1
        assert begun(cls(**{option: other})) == usual | {option: other}


# Beside options, what a value rests on by the choice of whoever wrote it.
CHOICES = {
    "fid": {"distance", "ddof", "dtype", "moments"},
    "intra_class_fid": {"distance", "ddof", "dtype", "moments", "classes", "mean"},
    "kid": {"kernel", "estimator", "subsets", "error", "dtype"},
    "precision_recall": {"distance", "balls", "subsets", "dtype"},
    "density_coverage": {"distance", "balls", "subsets", "dtype"},
    "diversity": {"distance", "ddof", "dtype"},
    "memorization": {"distance", "interpolation", "dtype"},
    "classifier_score": {"cut", "order", "ddof", "dtype"},
    "class_accuracy": {"seen", "mean"},
    "mode_coverage": {"logarithm", "smoothing"},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_choices_of_sample_metrics_are_in_their_protocols(name: str) -> None:
    protocol = begun(SAMPLES[name]())
    assert CHOICES[name] <= set(protocol)
    assert set(protocol) - CHOICES[name] - {"rank_deficient"} == set(options(SAMPLES[name]))


def test_two_metrics_that_differ_say_so() -> None:
    """Balls are closed in one and open in the other: at equal k both protocols must not look the same."""
    precise, dense = (SAMPLES[name](k=4).protocol for name in ("precision_recall", "density_coverage"))
    assert {key for key in precise if precise[key] != dense[key]} == {"balls"}


@pytest.fixture
def weights(tmp_path: Path) -> str:
    network = CNN(channels=1, num_classes=3, base_channels=4, blocks=1, feature_dim=5)
    write_classifier(tmp_path / "weights.safetensors", network, {"accuracy": 0.5})
    return str(tmp_path / "weights.safetensors")


@pytest.mark.parametrize("name", FEATURES)
def test_extractors_say_how_they_take_samples(name: str, weights: str) -> None:
    cls = FEATURES[name]
    if cls in (Classifier, StackedClassifier):
        grey = DataFacts(sample_shape=[1, 8, 8], num_classes=3, train_sha256="0", name="Grey")

        def network(channels: int, num_classes: int) -> CNN:
            return CNN(channels, num_classes, base_channels=4, blocks=1, feature_dim=5)

        extractor = cls(network=network, weights=weights)
        stacked = DataFacts(sample_shape=[3, 8, 8], num_classes=27, train_sha256="1", name="S", parts=grey)
        extractor.check(stacked if cls is StackedClassifier else grey)
    elif name == "inception":  # its protocol is the published file's
        extractor = cls(weights=None, mirrors=[])
    elif name == "toy":
        extractor = cls(shape="ring8", std=0.02)
    else:
        extractor = cls(**dict.fromkeys(options(cls), 64))
    protocol = extractor.protocol
    for option in options(cls):
        assert {option, f"{option}_sha256", NAMED_OTHERWISE.get(option)} & set(protocol), option
    assert {"name", "value_range", "dtype"} <= set(protocol)
    if name != "toy":
        assert "resizer" in protocol


def test_lpips_names_its_network_and_files() -> None:
    cls = PERCEPTUAL["lpips"]
    protocols = [cls(network=network).protocol for network in ("alex", "vgg")]
    assert {key for key in protocols[0] if protocols[0][key] != protocols[1][key]} == {"network"}
    assert {"value_range", "resizer", "grey", "dtype", "mean"} <= set(protocols[0])


@pytest.mark.parametrize("name", PERCEPTUAL)
def test_options_of_perceptual_distances_are_in_their_protocols(name: str) -> None:
    protocol = PERCEPTUAL[name]().protocol
    files = {"weights", "heads"}  # by their hashes, once they are read
    assert set(options(PERCEPTUAL[name])) - files <= set(protocol)
    assert {"value_range", "dtype", "mean"} <= set(protocol)


def test_reconstructions_say_for_each_metric_how_it_was_taken() -> None:
    protocol: Any = ReconstructionQuality(modality_of([3, 176, 180]), [3, 176, 180]).protocol
    assert [part["metrics"] for part in protocol.values()] == [["mse", "nmse", "psnr"], ["ssim"], ["ms_ssim"]]
    assert all({"value_range", "dtype", "mean"} <= set(part) for part in protocol.values())
    assert {"window", "sigma", "border", "constants", "variance", "channels"} <= set(protocol["ssim"])
    assert {"scales", "downsampling", "negative_scale"} <= set(protocol["ms_ssim"]) - set(protocol["ssim"])
    assert {"counts", "perplexity"} <= set(CodeUsage([4]).protocol)


def test_the_window_of_small_images_is_another_protocol() -> None:
    large, small = (
        ReconstructionQuality(modality_of([1, side, side]), [1, side, side]).protocol for side in (28, 8)
    )
    assert large["squared_error"] == small["squared_error"]
    assert {key for key in large["ssim"] if large["ssim"][key] != small["ssim"][key]} == {"window", "sigma"}


def test_values_are_float64_sums_whatever_comes_in() -> None:
    """A float16 original against its float32 copy: the difference is float16's rounding and no more."""
    x = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
    metric = ReconstructionQuality(modality_of([1, 8, 8]), [1, 8, 8])
    metric.update(original=x, reconstruction=x.half())
    expected = ((x.double() - x.half().double()) / 2).square().mean().item()
    assert metric.compute()["mse"].item() == pytest.approx(expected, rel=1e-9)
