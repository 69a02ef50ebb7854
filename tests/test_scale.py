"""docs/scale.md's model: the bytes that it counts from networks are those that two real ranks reduce."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CASES = ["mlp_gan", "dcgan", "vqvae", "classifier"]


@pytest.fixture
def scale_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import scale_model

    return scale_model


def test_bytes_of_a_step_are_those_that_two_ranks_reduce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every all-reduce of a step; in the first a codebook is made, in the last nobody asks for the time."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import scale_check

    job = {"cases": CASES, "rounds": 1, "steps": 2, "alone": False, "reduces": False, "count": True}
    for rank in scale_check.start(job, 2):
        for case in CASES:
            found = rank[0]["cases"][case]
            want = sum(map(sum, found["model"].values()))
            counted = Counter(size for sizes in found["model"].values() for size in sizes)
            assert len(found["reduces"]) >= 5, "three steps that are not timed, and two"
            for step in found["reduces"][1:-1]:
                assert sum(step) in (want, found["with_restarts"]), (case, step, found["model"])
                assert not counted - Counter(step), "each of them is one all-reduce"
            assert want in [sum(step) for step in found["reduces"][1:-1]]


def test_a_ring_and_two_levels_by_hand(scale_model) -> None:
    assert scale_model.ring(1e9, 4, 2e9, 0.001) == pytest.approx(1.5 * 0.5 + 6 * 0.001)
    assert scale_model.ring(1e9, 1, 2e9, 0.001) == 0
    given = scale_model.Interconnect(inside=100e9, outside=10e9, inside_latency=1e-6, outside_latency=1e-5)
    inside = 2 * 7 / 8 * 1e9 / 100e9 + 14e-6
    assert scale_model.two_levels(1e9, 1, given) == pytest.approx(inside)
    assert scale_model.two_levels(1e9, 64, given) == pytest.approx(inside + 2 * 63 / 64 / 10 + 12e-5)
    assert scale_model.efficiency(0.09, 0.01) == pytest.approx(0.9)


def test_bytes_by_hand(scale_model) -> None:
    """A perceptron GAN on 8x8 digits: 4 bytes a parameter, 4 of the loss, 8 of the stop and of the clock."""
    model = scale_model.model_of(["model=mlp_gan", "data=digits"])
    weights = {name: sum(p.numel() for p in net.parameters()) for name, net in model.networks.items()}
    sizes = scale_model.all_reduces(model, ranks=16)
    assert sizes == {
        "discriminator": [4 * weights["discriminator"] + 4],
        "generator": [4 * weights["generator"] + 4],
        "batch norms": [],
        "stop": [8],
        "clock": [8],
    }
    given = scale_model.Interconnect(inside=100e9, outside=10e9, inside_latency=1e-6, outside_latency=1e-5)
    each = [scale_model.two_levels(size, 2, given) for (size,) in (one for one in sizes.values() if one)]
    assert scale_model.seconds_of(model, 2, given) == pytest.approx(sum(each))


def test_statistics_of_batch_norms_by_hand(scale_model) -> None:
    """Mean and variance of every rank: three layers of G, forward and back; two of D, three times each."""
    model = scale_model.model_of(scale_model.RECIPES["dcgan, 3 x 32 x 32"])
    normed = scale_model.all_reduces(model, ranks=16)["batch norms"]
    assert sum(normed) == 16 * 2 * 4 * (2 * (256 + 128 + 64) + 6 * (128 + 256))
    assert len(normed) == 2 * 3 + 6 * 2


def test_the_page_shows_what_the_script_prints(scale_model) -> None:
    """The table of bytes in docs/scale.md, from the networks as they are now."""
    page = (BENCHMARKS.parent / "docs" / "scale.md").read_text()
    names = [name for name in scale_model.RECIPES if "mlp" in name or "classifier, 1" in name]
    found = {name: scale_model.model_of(scale_model.RECIPES[name]) for name in names}
    for line in scale_model.traffic_table(found).splitlines()[2:]:
        assert line in page
    for line in scale_model.limit_table(found).splitlines():
        assert line in page
