from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch, DataFacts
from ganvas.functional.frechet import frechet_distance
from ganvas.metric.features.pixels import Pixels
from ganvas.metric.reconstruction_evaluation import ReconstructionEvaluation
from ganvas.modality.guess import modality_of
from ganvas.modality.interface import Modality
from ganvas.model.interface import Reconstruction


class Halver(nn.Module):
    """Four codes, of which 0 and 2 are used; a reconstruction is half of the original."""

    codebook_sizes = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def reconstruct(self, x: Tensor) -> Reconstruction:
        codes = (x.flatten(1)[:, :3] > 0).long() * 2  # [B, 3]
        return Reconstruction(x * self.weight, (codes,))


class Data:
    is_cut_up = False

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def facts(self) -> DataFacts:
        return DataFacts(list(self.x.shape[1:]), None, "0" * 64, "Data")

    def num_samples(self, name: str) -> int:
        return len(self.x)

    def batches(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
        for part in self.x[:limit].split(batch_size):
            yield Batch(part, None)

    @property
    def modality(self) -> Modality:
        return modality_of(self.x.shape[1:])

    wholes = batches

    def describe_split(self, name: str, limit: int | None = None) -> dict[str, object]:
        return {"split": name, "samples": len(self.x[:limit])}


def evaluate(x: Tensor, features: Any = None, limit: int | None = None) -> Any:
    evaluation = ReconstructionEvaluation(features=features, split="val", batch_size=4, limit=limit)
    return evaluation(Halver(), Data(x))


def test_features_of_what_is_cut_up_are_of_its_parts() -> None:
    """Wholes of other lengths are measured as wholes, and the parts have features of one size."""

    class Cut(Data):
        is_cut_up = True

        def wholes(self, name: str, batch_size: int, limit: int | None = None) -> Iterator[Batch]:
            for size in (4, 16):
                yield Batch(torch.linspace(-1, 1, size * 8).view(1, 1, size, 8), None)

    parts = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    evaluation = ReconstructionEvaluation(features=Pixels(8), split="val", batch_size=4)
    found = evaluation(Halver(), Cut(parts)).metrics
    assert found["rfid"] == pytest.approx(evaluate(parts, Pixels(8)).metrics["rfid"])
    wholes = torch.cat([torch.linspace(-1, 1, size * 8) for size in (4, 16)]).double()
    assert found["mse"] == pytest.approx((wholes / 4).square().mean().item())


@pytest.mark.parametrize("limit", [None, 7])
def test_images(limit: int | None) -> None:
    whole = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    metrics, protocol, better = evaluate(whole, Pixels(8), limit)
    x = whole[:limit]
    mse = (x / 4).double().square().mean().item()  # half of half: values in [0, 1]
    share = (x.flatten(1)[:, :3] > 0).double().mean().item()
    entropy = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert metrics["mse"] == pytest.approx(mse, rel=1e-6)
    assert metrics["psnr"] == pytest.approx(-10 * math.log10(mse), rel=1e-6)
    assert 0 < metrics["ssim"] < 1
    assert metrics["perplexity"] == pytest.approx(math.exp(entropy), rel=1e-9)
    assert (metrics["codes_used"], metrics["code_usage"]) == (2, 0.5)
    assert (metrics["bits_per_image"], metrics["bits_per_pixel"]) == (6, 6 / 64)
    flat = x.flatten(1).double()
    reference = frechet_distance(
        mean_1=flat.mean(0),
        covariance_1=torch.cov(flat.T),
        mean_2=flat.mean(0) / 2,
        covariance_2=torch.cov(flat.T) / 4,
    )
    assert metrics["rfid"] == pytest.approx(reference.item(), rel=1e-5)
    assert protocol["data"] == {"split": "val", "samples": limit or 10}
    assert protocol["metrics"]["ssim"]["window"] == "Gaussian, 7 x 7"
    assert protocol["metrics"]["ssim"]["border"].startswith("none")
    listed = [name for part in protocol["metrics"].values() for name in part["metrics"]]
    assert sorted(listed) == sorted(metrics)  # every metric belongs to one part of the protocol
    assert protocol["metrics"]["rfid"]["features"]["name"] == "pixels"
    assert protocol["metrics"]["rfid"]["rank_deficient"] is True
    assert (better["psnr"], better["mse"], better["rfid"]) == ("max", "min", "min")
    assert "bits_per_image" not in better


def test_points() -> None:
    metrics, protocol, _ = evaluate(torch.tensor([[0.4, 0.8, 0.0]]))
    assert metrics["mse"] == pytest.approx((0.04 + 0.16) / 3, rel=1e-6)
    assert not {"psnr", "ssim", "rfid", "bits_per_pixel"} & set(metrics)
    assert set(protocol["metrics"]) == {"squared_error", "codes", "bits"}
    assert protocol["metrics"]["squared_error"]["metrics"] == ["mse", "nmse"]


def test_reconstructions_that_are_not_finite_have_no_distance() -> None:
    class Broken(Halver):
        def reconstruct(self, x: Tensor) -> Reconstruction:
            return Reconstruction(x * torch.nan, (torch.zeros(len(x), 3, dtype=torch.int64),))

    x = torch.rand(10, 1, 8, 8)
    evaluation = ReconstructionEvaluation(features=Pixels(2), split="val", batch_size=4)
    metrics = evaluation(Broken(), Data(x)).metrics
    assert math.isnan(metrics["rfid"])
    assert math.isnan(metrics["mse"])


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(OptionError, match="split=val: holds 0 samples"):
        evaluate(torch.zeros(0, 1, 8, 8))
    with pytest.raises(OptionError, match="holds 1 sample, and metrics need 2"):
        evaluate(torch.zeros(1, 1, 8, 8), Pixels(2))
