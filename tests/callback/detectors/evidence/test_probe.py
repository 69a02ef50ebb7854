"""What the detectors measure, against plain loops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganvas.callback.detectors.codebook_collapse import CodebookCollapse, reachable
from ganvas.callback.detectors.dead_encoder import DeadEncoder
from ganvas.callback.detectors.discriminator_collapse import DiscriminatorCollapse
from ganvas.callback.detectors.discriminator_overfitting import DiscriminatorOverfitting
from ganvas.callback.detectors.evidence.probe import Probe, Reference, distances, nearest_others
from ganvas.callback.detectors.lagging_average import LaggingAverage
from ganvas.callback.detectors.memorization import Memorization
from ganvas.callback.detectors.mode_collapse import ModeCollapse
from ganvas.callback.detectors.spectral_norm import SpectralNorm, spectral_norm
from ganvas.modality.image import Image
from ganvas.modality.sound import Sound
from ganvas.model.interface import Reconstruction


class Data:
    """40 training images, uint8; 12 held-out ones."""

    def __init__(self, shape: tuple[int, ...] = (1, 8, 8), held_out: int = 12) -> None:
        generator = torch.Generator().manual_seed(5)
        draw = lambda count: torch.randint(256, (count, *shape), dtype=torch.uint8, generator=generator)  # noqa: E731
        self.parts = {
            "train": SimpleNamespace(x=draw(40), label=torch.arange(40)),
            "val": SimpleNamespace(x=draw(held_out), label=None),
        }

    modality = Image()

    def split(self, name: str) -> Any:
        return self.parts[name]

    def num_samples(self, name: str) -> int:
        return len(self.parts[name].x)


class Maker:
    """Makes given samples; its discriminator's logit is the mean of a sample, its codes alternate."""

    codebook_sizes = (9,)

    def __init__(self, made: Tensor) -> None:
        self.made = made

    def discriminate(self, x: Tensor, label: Tensor | None) -> Tensor:
        return x.flatten(1).mean(1)

    def sample(self, num: int, seed: int, *, ema: bool = True, start: int = 0) -> Tensor:
        assert not ema
        return self.made[:num]


class Autoencoder:
    codebook_sizes = (9,)

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def reconstruct(self, x: Tensor) -> Reconstruction:
        return Reconstruction(x * self.scale, (torch.tensor([[0, 4]] * (len(x) - 1) + [[4, 4]]),))


def reference(**options: Any) -> Reference:
    settings = {"num": 16, "max_train": 30, "device": torch.device("cpu")}
    return Reference(options.pop("data", Data()), **settings | options)


def made(count: int = 16, spread: float = 0.5) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * spread


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).square().sum().sqrt())


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_real_samples_come_from_all_over_the_split() -> None:
    chosen = reference()
    assert chosen.train.label is not None
    assert chosen.held_out is not None
    assert chosen.train.label.tolist() == [number * 40 // 16 for number in range(16)]
    assert torch.equal(chosen.train.x, Data().parts["train"].x[chosen.train.label] / 127.5 - 1)
    assert len(chosen.held_out.x) == 12
    assert chosen.neighbours.shape == (30, 64)
    without = reference(data=Data(held_out=0))
    assert without.held_out is without.held_out_nearest is None


def test_large_images_are_averaged() -> None:
    x = torch.randn(2, 3, 32, 48)
    small = reference().small
    rows = small(x).view(2, 3, 16, 16)
    assert torch.allclose(rows[1, 2, 3, 5], x[1, 2, 6:8, 15:18].mean(), atol=1e-6)
    assert torch.equal(small(x[:, :, :16, :16]), x[:, :, :16, :16].flatten(1))


def test_other_samples_are_told_apart_by_their_modality() -> None:
    data = Data((1, 600))
    for part in data.parts.values():
        part.x = (part.x.int() * 200 - 25000).short()
    data.modality = Sound(8000, 1)
    chosen = reference(data=data, max_train=40)
    assert chosen.neighbours.shape == (40, 64)  # not 600
    want = Sound(8000, 1).summary(data.parts["train"].x / 32768, 16)
    torch.testing.assert_close(chosen.neighbours, want)
    found = Probe(Maker(data.parts["train"].x[:16] / 32768), chosen, num=16, seed=0)
    assert found.generated_distances is not None
    torch.testing.assert_close(found.generated_distances, distances(want[:16], want[:16]))


@pytest.mark.parametrize("count", [10, 40])
def test_distances(count: int) -> None:
    a, b = torch.randn(count, 7), torch.randn(count + 3, 7)
    loop = torch.tensor([[distance(one, other) for other in b] for one in a])
    assert torch.allclose(distances(a, b), loop, atol=1e-5)
    assert torch.equal(distances(a, a).diagonal(), torch.zeros(count))
    within = [min(distance(a[i], a[j]) for j in range(count) if j != i) for i in range(count)]
    assert torch.allclose(nearest_others(distances(a, a)), torch.tensor(within), atol=1e-5)


def test_metrics_of_a_generator() -> None:
    chosen, fake = reference(), made()
    probe = Probe(Maker(fake), chosen, num=16, seed=0)
    real = chosen.train.x
    within = lambda x: [distance(x[i], x[j]) for i in range(16) for j in range(16) if i != j]  # noqa: E731
    across = [distance(one, other) for one in fake for other in real]
    nearest = lambda x: [min(distance(x[i], x[j]) for j in range(16) if i != j) for i in range(16)]  # noqa: E731
    energy = probe.energy
    expected = (2 * mean(across) - mean(within(real)) - mean(within(fake))) / mean(within(real))
    assert energy == {"health/energy": pytest.approx(expected, rel=1e-4)}
    assert ModeCollapse(probes=1, diversity=0.5, distinct=0.5).measure(probe) == {
        "health/diversity": pytest.approx(mean(within(fake)) / mean(within(real)), rel=1e-4),
        "health/distinct": pytest.approx(mean(nearest(fake)) / mean(nearest(real)), rel=1e-4),
    }
    train = chosen.neighbours.view(-1, 1, 8, 8)
    assert chosen.held_out is not None
    to_train = lambda x: sorted(min(distance(one, other) for other in train) for one in x)  # noqa: E731
    novelty = Memorization(probes=1, novelty=0.5).measure(probe)["health/novelty"]
    middle = to_train(fake)[7] / to_train(chosen.held_out.x)[5]  # torch's median is the lower one
    assert novelty == pytest.approx(middle, rel=1e-4)


def test_an_average_is_measured_as_the_weights_that_train_are() -> None:
    class Averaging(Maker):
        ema = object()

        def sample(self, num: int, seed: int, *, ema: bool = True, start: int = 0) -> Tensor:
            return (-0.5 * self.made if ema else self.made)[:num]

    lags = LaggingAverage(ratio=1.25, excess=0.02)
    measured = lags.measure(Probe(Averaging(made()), reference(), num=16, seed=0))
    raw, averaged = (Probe(Maker(x), reference(), num=16, seed=0).energy for x in (made(), -0.5 * made()))
    assert measured == raw | {"health/energy_averaged": averaged["health/energy"]}
    assert measured["health/energy_averaged"] != pytest.approx(measured["health/energy"], rel=0.01)
    assert lags.measure(Probe(Maker(made()), reference(), num=16, seed=0)) == {}, "there is no average"


def test_copies_have_no_novelty_and_no_energy() -> None:
    chosen = reference(num=40, max_train=40)
    probe = Probe(Maker(chosen.train.x.flip(0)), chosen, num=40, seed=0)
    assert Memorization(probes=1, novelty=0.5).measure(probe)["health/novelty"] < 1e-3
    energy = DiscriminatorCollapse(window=8, probes=1, accuracy=0.5, energy=1.0).measure(probe)
    assert abs(energy["health/energy"]) < 0.06  # the diagonal is among the pairs across
    assert ModeCollapse(probes=1, diversity=0.5, distinct=0.5).measure(probe) == {
        "health/diversity": pytest.approx(1),
        "health/distinct": pytest.approx(1),
    }


def test_the_discriminator_on_training_and_held_out_samples() -> None:
    chosen = reference()
    probe = Probe(Maker(made()), chosen, num=16, seed=0)
    assert chosen.held_out is not None
    known, other = chosen.train.x.flatten(1).mean(1), chosen.held_out.x.flatten(1).mean(1)
    wins = [(float(a > b) + float(a >= b)) / 2 for a in known for b in other]
    assert DiscriminatorOverfitting(probes=1, pairs=0.9).measure(probe) == {
        "health/overfitting": pytest.approx(mean(wins)),
        "health/r_t": pytest.approx(mean([1.0 if a > 0 else -1.0 for a in known])),
    }


def test_metrics_of_an_autoencoder() -> None:
    chosen = reference()
    probe = Probe(Autoencoder(0.25), chosen, num=16, seed=0)
    real = chosen.train.x.double()
    share = (0.75 * real).square().mean() / (real - real.mean(0)).square().mean()
    unexplained = DeadEncoder(probes=1, unexplained=0.9).measure(probe)
    assert unexplained == {"health/unexplained": pytest.approx(float(share))}
    codes = torch.tensor([15 / 32, 17 / 32], dtype=torch.float64)
    perplexity = float((-(codes * codes.log()).sum()).exp())
    reach = reachable(9, 32)
    assert CodebookCollapse(probes=1, used=0.1, perplexity=0.1).measure(probe) == {
        "health/codes_used": pytest.approx(2 / reach),
        "health/perplexity": pytest.approx(perplexity / reach),
    }


def test_the_mean_sample_leaves_all_of_the_variance() -> None:
    chosen = reference()
    probe = Probe(Autoencoder(1.0), chosen, num=16, seed=0)
    probe.reconstruction = (
        chosen.train.x.mean(0).expand_as(chosen.train.x),
        torch.zeros(16, dtype=torch.int64),
    )
    measured = DeadEncoder(probes=1, unexplained=0.9).measure(probe)["health/unexplained"]
    assert measured == pytest.approx(1, rel=1e-5)


def test_each_detector_leaves_what_does_not_apply() -> None:
    gan, autoencoder = (
        Probe(Maker(made()), reference(), num=4, seed=0),
        Probe(Autoencoder(1.0), reference(), num=4, seed=0),
    )
    for of_samples in (
        DiscriminatorCollapse(window=8, probes=1, accuracy=0.5, energy=1.0),
        ModeCollapse(probes=1, diversity=0.5, distinct=0.5),
        SpectralNorm(growth=2.0, probes=1, iterations=1),
        DiscriminatorOverfitting(probes=1, pairs=0.9),
        Memorization(probes=1, novelty=0.5),
    ):
        assert of_samples.measure(autoencoder) == {}
    for of_codes in (
        CodebookCollapse(probes=1, used=0.1, perplexity=0.1),
        DeadEncoder(probes=1, unexplained=1.0),
    ):
        assert of_codes.measure(gan) == {}
    alone = Probe(Maker(made()), reference(data=Data(held_out=0)), num=4, seed=0)
    assert DiscriminatorOverfitting(probes=1, pairs=0.9).measure(alone) == {}
    assert Memorization(probes=1, novelty=0.5).measure(alone) == {}
    points = Probe(Maker(torch.randn(16, 2)), reference(data=Data(shape=(2,))), num=4, seed=0)
    assert Memorization(probes=1, novelty=0.5).measure(points) == {}


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (6, 3, 4, 4), (1, 7)])
def test_the_largest_singular_value(shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(2)) * 3
    exact = float(torch.linalg.svdvals(weight.flatten(1).double())[0])
    state = torch.get_rng_state()
    assert float(spectral_norm(weight, 100)) == pytest.approx(exact, rel=1e-3)
    assert 0.9 * exact < float(spectral_norm(weight, 10)) <= exact * (1 + 1e-5)
    assert torch.equal(torch.get_rng_state(), state)
    assert float(spectral_norm(torch.zeros(3, 4), 5)) == 0


def test_every_layer_of_a_discriminator_is_measured() -> None:
    network = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(1, 4, 3)),
        nn.BatchNorm2d(4),
        nn.Flatten(),
        nn.Linear(9, 2),
    ).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = SimpleNamespace(networks={"discriminator": network})
    with torch.no_grad():
        metrics = SpectralNorm(growth=2.0, probes=1, iterations=50).measure(
            Probe(recipe, reference(), num=4, seed=0)
        )
    assert set(metrics) == {"health/spectral_norm/0", "health/spectral_norm/3"}
    assert metrics["health/spectral_norm/0"] == pytest.approx(1, abs=0.2), "as it is applied"
    exact = float(torch.linalg.matrix_norm(network[3].weight.detach(), 2))
    assert metrics["health/spectral_norm/3"] == pytest.approx(exact, rel=1e-2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
