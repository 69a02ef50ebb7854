from __future__ import annotations

import hashlib

import pytest
import torch

from ganvas.functional.random import Draws, hash64, hash_index


def test_hash64_is_a_fixed_function_of_its_parts() -> None:
    digest = hashlib.blake2b(b"int:7\x1fstr:augment", digest_size=8).digest()
    assert hash64(7, "augment") == int.from_bytes(digest, "little") >> 1


def test_hash64_tells_types_order_and_boundaries_apart() -> None:
    values = [
        hash64(1, 2),
        hash64(2, 1),
        hash64("1", 2),
        hash64(12),
        hash64("1", "2"),
        hash64("12"),
        hash64(),
    ]
    assert len(set(values)) == len(values)
    assert all(0 <= value < 2**63 for value in values)


def _splitmix64(index: int, seed: int) -> int:
    """The reference (Steele 2014) in Python's integers."""
    mask = 2**64 - 1
    z = (index * 0x9E3779B97F4A7C15 + seed) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) & (2**63 - 1)


def test_hash_index_is_splitmix64() -> None:
    index = torch.tensor([[0, 1, -1], [2**40, 60_000, 2**62]])
    expected = [[_splitmix64(int(i), hash64("aug", 3)) for i in row] for row in index]
    assert hash_index(index, "aug", 3).tolist() == expected


def test_hash_index_is_uniform() -> None:
    share = hash_index(torch.arange(100_000), "uniform").double() / 2**63
    assert share.mean().item() == pytest.approx(0.5, abs=0.005)
    assert share.std().item() == pytest.approx(12**-0.5, abs=0.005)
    low_bit = (hash_index(torch.arange(100_000), "uniform") & 1).double().mean()
    assert low_bit.item() == pytest.approx(0.5, abs=0.01)


def test_draws_depend_on_seed_step_and_purpose_alone() -> None:
    torch.manual_seed(1)
    first = Draws(5, 8).normal("latent", 4, 3)
    torch.manual_seed(2)
    torch.rand(17)
    assert torch.equal(first, Draws(5, 8).normal("latent", 4, 3))
    others = [Draws(6, 8).normal("latent", 4, 3), Draws(5, 9).normal("latent", 4, 3)]
    others += [Draws(8, 5).normal("latent", 4, 3), Draws(5, 8).normal("noise", 4, 3)]
    assert all(not torch.equal(first, other) for other in others)


def test_draws_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    Draws(5, 8).normal("latent", 4, 3)
    Draws(5, 8).uniform("mix", 4)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_ranks_share_one_global_batch(kind: str) -> None:
    whole = getattr(Draws(5, 8), kind)("latent", 6, 2)
    parts = [getattr(Draws(5, 8, rank=rank, world_size=3), kind)("latent", 2, 2) for rank in range(3)]
    assert torch.equal(whole, torch.cat(parts))


def test_distributions() -> None:
    normal, uniform = Draws(1, 2).normal("a", 50_000), Draws(1, 2).uniform("b", 50_000)
    assert normal.mean().item() == pytest.approx(0, abs=0.02)
    assert normal.std().item() == pytest.approx(1, abs=0.02)
    assert uniform.mean().item() == pytest.approx(0.5, abs=0.01)
    assert uniform.min().item() >= 0
    assert uniform.max().item() < 1


@pytest.mark.slow
def test_a_compiled_program_draws_the_same_numbers() -> None:
    index = torch.arange(40)
    compiled = torch.compile(lambda numbers: hash_index(numbers, "purpose") & 0xFFFF)
    assert torch.equal(compiled(index), hash_index(index, "purpose") & 0xFFFF)
