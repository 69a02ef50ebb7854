"""Counter-based randomness: a draw is a function of (seed, purpose, step), never of what else ran.

A batch's draws are made for the whole global batch, from a CPU generator, and each rank takes its rows, so
that one process and many, a CPU and a GPU, see the same numbers, and a resumed run needs no generator state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64: splitmix64's increment
_MIX1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX2 = -7723592293110705685  # 0x94D049BB133111EB


def hash64(*parts: int | str) -> int:
    """A 63-bit number from any integers and strings; the same on every machine and Python version."""
    text = ""
    for part in parts:
        text += f"\x1f{type(part).__name__}:{part}"
    return int.from_bytes(hashlib.blake2b(text[1:].encode(), digest_size=8).digest(), "little") >> 1


def hash_index(index: Tensor, *parts: int | str) -> Tensor:
    """Hashes each element of ``index`` with ``parts`` (splitmix64, Steele 2014).

    Args:
        index: int64, any shape and device.

    Returns:
        int64 of the same shape, uniform over [0, 2^63).
    """
    hashed: Tensor = _eagerly(index, hash64(*parts))
    return hashed


def _mixed(index: Tensor, number: int) -> Tensor:
    # in place: three times as fast where there are many
    z = (index * _GOLDEN).add_(number)
    z.bitwise_xor_(_shift(z, 30)).mul_(_MIX1)
    z.bitwise_xor_(_shift(z, 27)).mul_(_MIX2)
    return z.bitwise_xor_(_shift(z, 31)).bitwise_and_(0x7FFFFFFFFFFFFFFF)


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's int64 shift is arithmetic, so the sign's copies are masked away."""
    return (z >> bits).bitwise_and_((1 << (64 - bits)) - 1)


# A program that torch.compile makes gave other numbers: on the CPU it is C++, where a product that overflows
# is undefined.
_eagerly = torch.compiler.disable(_mixed)


def seed_torch(number: int, device: torch.device | str) -> None:
    """Sets torch's global stream on the CPU and on ``device``.

    As torch.manual_seed, which also queues a call, with its stack trace, for every kind of device that is not
    in use; a training step cannot afford that.
    """
    torch.default_generator.manual_seed(number)
    if (kind := torch.device(device).type) != "cpu":
        torch.get_device_module(kind).manual_seed(number)


class Draws:
    """One training step's randomness, sliced for one rank.

    Args:
        seed: the run's seed.
        step: batches seen so far; each step has its own numbers.
        rank: this process's number among ``world_size``.
        world_size: number of processes that share the global batch.
        device: where the draws are wanted.
    """

    def __init__(
        self,
        seed: int,
        step: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.seed, self.step, self.rank, self.world_size, self.device = seed, step, rank, world_size, device

    def part(self, number: int, count: int) -> Draws:
        """Those of one of ``count`` equal parts of this rank's rows."""
        rank, world_size = self.rank * count + number, self.world_size * count
        return Draws(self.seed, self.step, rank, world_size, self.device)

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """Standard normal float32 ``[shape]``; ``shape[0]`` is this rank's number of rows."""
        return self._rows(torch.randn, purpose, shape)

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Uniform float32 on [0, 1) ``[shape]``; ``shape[0]`` is this rank's number of rows."""
        return self._rows(torch.rand, purpose, shape)

    def _rows(self, draw: Callable[..., Tensor], purpose: str, shape: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed(hash64(self.seed, self.step, purpose))
        count = shape[0]
        drawn = draw((count * self.world_size, *shape[1:]), generator=generator)
        own = drawn[self.rank * count : (self.rank + 1) * count]
        if torch.device(self.device).type != "cuda":
            return own.to(self.device)
        return own.pin_memory().to(self.device, non_blocking=True)  # else the host waits for the device
