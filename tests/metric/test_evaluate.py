"""Figures of tiny recipes whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import Batch
from ganvas.functional.frechet import frechet_distance
from ganvas.functional.random import hash64
from ganvas.metric import evaluate
from ganvas.metric.evaluate import evaluate_reconstruction, evaluate_samples, evaluating, real_statistics
from ganvas.metric.features.pixels import Pixels
from ganvas.model.interface import Reconstruction


class Points(nn.Module):
    """Sample i is a normal draw of (seed, i), scaled; the averaged weights scale more."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.ema: nn.Module | None = nn.Identity()
        self.frozen = nn.Dropout().eval()
        self.calls: list[tuple[int, int]] = []

    def sample(self, num: int, seed: int, *, ema: bool = True, start: int = 0) -> Tensor:
        assert not self.training
        torch.rand(1)  # a part that draws from the global state
        self.calls.append((start, num))
        rows = [
            torch.randn(2, generator=torch.Generator().manual_seed(hash64(seed, i)))
            for i in range(start, start + num)
        ]
        return torch.stack(rows) * self.scale * (2.0 if ema else 1.0)


class Halver(nn.Module):
    """Four codes, one for each quarter of the picture's mean; a reconstruction is half of the original."""

    num_codes = 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def reconstruct(self, x: Tensor) -> Reconstruction:
        codes = (x.flatten(1)[:, :3] > 0).long() * 2  # [B, 3], codes 0 and 2
        return Reconstruction(x * self.weight, codes)


def batches(x: Tensor, size: int) -> Iterator[Batch]:
    for part in x.split(size):
        yield Batch(part, None)


REAL = torch.randn(60, 2, generator=torch.Generator().manual_seed(9)) + torch.tensor([1.0, -1.0])


def fid(
    module: Points, *, seed: int = 3, ema: bool = True, size: int = 16
) -> tuple[float, dict[str, object]]:
    figures, protocol = evaluate_samples(
        module, batches(REAL, size), Pixels(8), num_samples=50, seed=seed, batch_size=size, ema=ema
    )
    assert set(figures) == {"fid"}
    return figures["fid"], protocol


def expected(samples: Tensor) -> float:
    return frechet_distance(
        mean_1=REAL.double().mean(0),
        covariance_1=torch.cov(REAL.double().T),
        mean_2=samples.double().mean(0),
        covariance_2=torch.cov(samples.double().T),
    ).item()


@pytest.mark.parametrize("ema", [True, False])
def test_the_distance_of_points(ema: bool) -> None:
    module = Points()
    made, protocol = fid(module, ema=ema)
    samples = module.eval().sample(50, 3, ema=ema).detach()
    assert made == pytest.approx(expected(samples), rel=1e-6)
    assert protocol["weights"] == ("ema" if ema else "raw")
    assert (protocol["real_samples"], protocol["generated_samples"]) == (60, 50)
    assert (protocol["seed"], protocol["split"], protocol["rank_deficient"]) == (3, "test", False)
    assert protocol["features"] == {"name": "pixels", "resizer": "area average", "size": 8}


def test_the_seed_counts_and_the_batch_size_does_not() -> None:
    assert fid(Points(), size=16)[0] == pytest.approx(fid(Points(), size=7)[0], rel=1e-9)
    assert fid(Points(), seed=3)[0] != pytest.approx(fid(Points(), seed=4)[0], rel=1e-3)


def test_without_an_average_the_weights_are_raw() -> None:
    module = Points()
    module.ema = None
    assert fid(module)[1]["weights"] == "raw"


def test_training_is_left_as_it_was() -> None:
    module = Points().train()
    module.frozen.eval()
    before = torch.get_rng_state()
    fid(module)
    assert torch.equal(torch.get_rng_state(), before)
    assert module.training
    assert not module.frozen.training
    with pytest.raises(RuntimeError, match="stop"), evaluating(module):
        raise RuntimeError("stop")
    assert module.training


def test_real_statistics_are_used_again() -> None:
    module, features = Points(), Pixels(8)
    distance = real_statistics(batches(REAL, 11), features, device="cpu")
    values = [
        evaluate_samples(module, (), features, num_samples=50, seed=seed, batch_size=16, distance=distance)[
            0
        ]["fid"]
        for seed in (3, 4, 3)
    ]
    assert values[0] == pytest.approx(fid(module)[0], rel=1e-9)
    assert values[0] == values[2] != values[1]


def test_ranks_share_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sample is made by exactly one of three ranks."""
    starts = []
    for rank in range(3):
        module = Points()
        monkeypatch.setattr(evaluate, "world_size", lambda: 3)
        monkeypatch.setattr(evaluate, "rank", lambda rank=rank: rank)
        fid(module, size=10)
        starts += module.calls
    assert sorted(starts) == [(0, 10), (10, 10), (20, 10), (30, 10), (40, 10)]


def test_reconstruction_of_pictures() -> None:
    x = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    figures, protocol = evaluate_reconstruction(Halver(), batches(x, 4), split="val", features=Pixels(8))
    mse = (x / 4).double().square().mean().item()  # half of half: values in [0, 1]
    share = (x.flatten(1)[:, :3] > 0).double().mean().item()
    entropy = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert figures["mse"] == pytest.approx(mse, rel=1e-6)
    assert figures["psnr"] == pytest.approx(-10 * math.log10(mse), rel=1e-6)
    assert 0 < figures["ssim"] < 1
    assert figures["perplexity"] == pytest.approx(math.exp(entropy), rel=1e-9)
    assert (figures["codes_used"], figures["code_usage"], figures["bits_per_image"]) == (2, 0.5, 6)
    flat = x.flatten(1).double()
    reference = frechet_distance(
        mean_1=flat.mean(0),
        covariance_1=torch.cov(flat.T),
        mean_2=flat.mean(0) / 2,
        covariance_2=torch.cov(flat.T) / 4,
    )
    assert figures["rfid"] == pytest.approx(reference.item(), rel=1e-5)
    assert (protocol["samples"], protocol["split"], protocol["ssim_window"]) == (10, "val", 7)
    assert protocol["rank_deficient"] is True


def test_reconstruction_of_points() -> None:
    figures, _ = evaluate_reconstruction(Halver(), batches(torch.tensor([[0.4, 0.8, 0.0]]), 4))
    assert figures["mse"] == pytest.approx((0.04 + 0.16) / 3, rel=1e-6)
    assert not {"psnr", "ssim", "rfid"} & set(figures)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(OptionError, match="holds no samples"):
        evaluate_samples(Points(), (), Pixels(8), num_samples=4, seed=0, batch_size=4)
    with pytest.raises(OptionError, match="split=val: holds no samples"):
        evaluate_reconstruction(Halver(), (), split="val")


@pytest.mark.parametrize("option", ["num_samples", "batch_size"])
def test_sizes_are_checked(option: str) -> None:
    sizes = {"num_samples": 4, "batch_size": 4} | {option: 0}
    with pytest.raises(OptionError, match=f"{option}=0"):
        evaluate_samples(Points(), batches(REAL, 8), Pixels(8), seed=0, **sizes)
