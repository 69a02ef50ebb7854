"""LPIPS with random backbones: a naive computation of its formula, and torchmetrics' own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torchmetrics.functional.image.lpips as reference
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.perceptual.lpips import LPIPS

HEADS = Path(reference.__file__).parent / "lpips_models"


def facts(*shape: int) -> DataFacts:
    return DataFacts(sample_shape=list(shape), num_classes=None, train_sha256="", name="Data")


def backbone(name: str) -> nn.Sequential:
    """The layers of torchvision's ``features`` that are looked at."""
    if name == "alex":
        layers: list[Any] = [
            nn.Conv2d(3, 64, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        ]
        return nn.Sequential(*layers)
    layers, channels = [], 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[nn.Sequential, str]]:
    made = {}
    with torch.random.fork_rng():
        for name in ("alex", "vgg"):
            torch.manual_seed(5)
            network = backbone(name).requires_grad_(False)
            for value in network.parameters():
                value.mul_(3)  # features far from 0
            path = tmp_path_factory.mktemp("weights") / f"{name}.pth"
            torch.save({f"features.{key}": value for key, value in network.state_dict().items()}, path)
            made[name] = network, str(path)
    return made


def pair(count: int, *shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    original = torch.rand(count, *shape, generator=generator) * 2 - 1
    return original, (original + 0.4 * torch.randn(count, *shape, generator=generator)).clamp(-1, 1)


def lpips(original: Tensor, reconstruction: Tensor, **options: str) -> float:
    metric = LPIPS(**options)
    metric.check(facts(*original.shape[1:]))
    for rows in (slice(0, 2), slice(2, None)):
        metric.update(original=original[rows], reconstruction=reconstruction[rows])
    made = metric.compute()["lpips"]
    assert made.dtype == torch.float64
    return made.item()


def naive(
    x: Tensor, y: Tensor, network: nn.Sequential, heads: dict[str, Tensor], after: tuple[int, ...]
) -> float:
    """Zhang 2018, eq. 1, for one pair of images [3, H, W], place by place."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, y = (((value - shift[:, None, None]) / scale[:, None, None])[None] for value in (x, y))
    total, stage = 0.0, 0
    for number, layer in enumerate(network):
        x, y = layer(x), layer(y)
        if number in after:
            weight = heads[f"lin{stage}.model.1.weight"].flatten()
            places = []
            for row in range(x.shape[2]):
                for column in range(x.shape[3]):
                    f, g = x[0, :, row, column], y[0, :, row, column]
                    places.append((weight * (f / f.norm() - g / g.norm()) ** 2).sum().item())
            total += sum(places) / len(places)
            stage += 1
    return total


def test_the_formula_place_by_place(networks: dict[str, tuple[nn.Sequential, str]]) -> None:
    network, path = networks["alex"]
    original, reconstruction = pair(3, 3, 35, 31)
    heads = torch.load(HEADS / "alex.pth", map_location="cpu", weights_only=True)
    parts = [
        naive(x, y, network, heads, (1, 4, 7, 9, 11)) for x, y in zip(original, reconstruction, strict=True)
    ]
    assert lpips(original, reconstruction, weights=path) == pytest.approx(sum(parts) / 3, rel=1e-4)
    assert sum(parts) > 0.01


@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_agrees_with_torchmetrics(
    name: str, networks: dict[str, tuple[nn.Sequential, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, path = networks[name]
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda *_: network)
    peer = reference._LPIPS(net=name)  # type: ignore[arg-type]
    original, reconstruction = pair(4, 3, 40, 33)
    expected = peer(original, reconstruction).mean().item()
    assert lpips(original, reconstruction, network=name, weights=path) == pytest.approx(expected, rel=1e-4)
    assert expected > 0.01


def test_equal_images_and_grey_ones_and_what_cannot_be_shown(
    networks: dict[str, tuple[nn.Sequential, str]],
) -> None:
    path = networks["alex"][1]
    original, reconstruction = pair(3, 1, 32, 32)
    assert lpips(original, original, weights=path) == 0.0
    grey = lpips(original, reconstruction, weights=path)
    colour = lpips(original.repeat(1, 3, 1, 1), reconstruction.repeat(1, 3, 1, 1), weights=path)
    assert grey == pytest.approx(colour, rel=1e-6)
    ones = torch.ones(3, 1, 32, 32)
    assert lpips(ones, ones * 3, weights=path) == 0.0


def test_the_protocol_names_the_weights(networks: dict[str, tuple[nn.Sequential, str]]) -> None:
    path = networks["alex"][1]
    metric = LPIPS(weights=path)
    metric.check(facts(3, 32, 32))
    assert metric.protocol["weights_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert metric.protocol["heads_sha256"] == hashlib.sha256((HEADS / "alex.pth").read_bytes()).hexdigest()
    assert metric.protocol["network"] == "alex"


@pytest.mark.parametrize("shape", [(2,), (3, 30, 40), (2, 64, 64)])
def test_data_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"perceptual=lpips: takes images of 1 or 3 channels.*31 pixels"):
        LPIPS().check(facts(*shape))


def test_weights_are_named_and_never_downloaded(
    networks: dict[str, tuple[nn.Sequential, str]], tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=r"weights=null: names no file.*alexnet-owt-7be5be79\.pth"):
        LPIPS().check(facts(3, 32, 32))
    with pytest.raises(OptionError, match="network=resnet: must be alex or vgg"):
        LPIPS(network="resnet")
    missing, broken = tmp_path / "missing.pth", tmp_path / "broken.pth"
    broken.write_bytes(b"PK not weights")
    good = networks["alex"][1]
    os.mkfifo(tmp_path / "pipe.pth")
    held = torch.load(good, weights_only=True)
    held["features.0.bias"][1] = float("nan")
    torch.save(held, tmp_path / "nan.pth")
    sparse = held | {"features.0.bias": torch.zeros(64).to_sparse()}
    torch.save(sparse, tmp_path / "sparse.pth")
    for options, match in (
        ({"weights": str(missing)}, "weights=.*missing.pth: cannot be read"),
        ({"weights": str(broken)}, "weights=.*broken.pth: is no file of tensors"),
        ({"weights": str(tmp_path / "pipe.pth")}, "cannot be read .is no regular file"),
        ({"weights": "/dev/zero"}, "cannot be read .is no regular file"),
        ({"weights": str(tmp_path / "nan.pth")}, r"of features\.0\.bias are no dense finite numbers"),
        ({"weights": str(tmp_path / "sparse.pth")}, r"of features\.0\.bias are no dense finite numbers"),
        ({"weights": networks["vgg"][1]}, r"must hold features.0.weight of \[64, 3, 11, 11\], got \[64"),
        ({"weights": good, "heads": good}, "heads=.*must hold lin0.model.1.weight .* got None"),
    ):
        with pytest.raises(OptionError, match=match):
            LPIPS(**options).check(facts(3, 32, 32))
