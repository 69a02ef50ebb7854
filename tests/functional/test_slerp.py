"""Spherical interpolation against rotations and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.linalg import expm
from torch import Tensor

from ganvas.functional.slerp import closed_walk, slerp


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_on_the_unit_circle() -> None:
    right, up = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    for degrees in (0, 30, 45, 81, 90):
        expected = torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
        torch.testing.assert_close(slerp(right, up, torch.tensor(degrees / 90)), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_a_rotation_in_the_plane_of_both(seed: int) -> None:
    """exp(t w (v u' - u v')) turns the unit vector u towards v, where u and v are orthonormal."""
    a, b = normal(2, 7, seed=seed) * torch.tensor([[1.0], [2.5]])
    u = a / a.norm()
    v = b - (b @ u) * u
    v /= v.norm()
    angle = math.acos(float(a @ b / a.norm() / b.norm()))
    for t in (0.0, 0.2, 0.5, 0.9, 1.0):
        turn = torch.from_numpy(expm(t * angle * (torch.outer(v, u) - torch.outer(u, v)).numpy()))
        expected = turn @ u * ((1 - t) * a.norm() + t * b.norm())
        made = slerp(a, b, torch.tensor(t, dtype=torch.float64))
        torch.testing.assert_close(made, expected, rtol=1e-12, atol=1e-12)


def test_angle_and_length_grow_evenly() -> None:
    a, b = normal(100, seed=1), 3 * normal(100, seed=2)
    t = torch.arange(11, dtype=torch.float64) / 10
    way = slerp(a, b, t)
    lengths = way.norm(dim=1)
    torch.testing.assert_close(lengths.diff(), ((b.norm() - a.norm()) / 10).expand(10), rtol=1e-9, atol=0)
    cosines = (way[1:] * way[:-1]).sum(1) / lengths[1:] / lengths[:-1]
    whole = torch.acos(a @ b / a.norm() / b.norm())
    torch.testing.assert_close(torch.acos(cosines), (whole / 10).expand(10), rtol=1e-9, atol=0)


def test_ends_are_exact_and_both_directions_alike() -> None:
    a, b = normal(5, 64, seed=3).float(), normal(5, 64, seed=4).float()
    assert torch.equal(slerp(a, b, torch.zeros(5)), a)
    assert torch.equal(slerp(a, b, torch.ones(5)), b)
    t = torch.tensor([0.1, 0.3, 0.5, 0.75, 0.9])
    torch.testing.assert_close(slerp(a, b, t), slerp(b, a, 1 - t))
    assert slerp(a, b, t).dtype == torch.float32


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ([1.0, 2.0], [2.0, 4.0]),
        ([1.0, 2.0], [-1.0, -2.0]),
        ([0.0, 0.0], [3.0, 1.0]),
        ([3.0, 1.0], [0.0, 0.0]),
    ],
    ids=["parallel", "opposite", "from null", "to null"],
)
def test_without_an_arc_it_is_the_line(start: list[float], end: list[float]) -> None:
    a, b = torch.tensor(start), torch.tensor(end)
    torch.testing.assert_close(slerp(a, b, torch.tensor(0.25)), 0.75 * a + 0.25 * b)


def test_almost_parallel_vectors_stay_between() -> None:
    a = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for tilt in (1e-3, 1e-5, 1e-7, 1e-9):
        b = torch.tensor([1.0, tilt], dtype=torch.float64)
        made = slerp(a, b, torch.tensor(0.5))
        assert float(made[1]) == pytest.approx(tilt / 2, rel=1e-6)
        assert float(made[0]) == pytest.approx(1, abs=1e-6)


def test_shapes_broadcast() -> None:
    a, b, t = normal(3, 1, 8, seed=5), normal(3, 1, 8, seed=6), torch.linspace(0, 1, 4)
    made = slerp(a, b, t)
    assert made.shape == (3, 4, 8)
    torch.testing.assert_close(made[2, 1], slerp(a[2, 0], b[2, 0], t[1]))


def test_a_walk_passes_every_stop_and_closes() -> None:
    stops = normal(3, 2, 16, seed=7).float()
    walk = closed_walk(stops, 12)
    assert walk.shape == (12, 2, 16)
    for stop in range(3):
        assert torch.equal(walk[4 * stop], stops[stop])
    torch.testing.assert_close(walk[6], slerp(stops[1], stops[2], torch.tensor(0.5)))
    torch.testing.assert_close(walk[11], slerp(stops[2], stops[0], torch.tensor(0.75)))  # and the next is 0


def test_frames_need_not_be_a_multiple_of_the_stops() -> None:
    stops = normal(2, 1, 4, seed=8)
    walk = closed_walk(stops, 3)  # at 0, 2/3 and 4/3 of the two legs
    torch.testing.assert_close(walk[1], slerp(stops[0], stops[1], torch.tensor(2 / 3, dtype=torch.float64)))
    torch.testing.assert_close(walk[2], slerp(stops[1], stops[0], torch.tensor(1 / 3, dtype=torch.float64)))
