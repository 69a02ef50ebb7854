"""Pictures and their tiles: what is cut is joined, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganvas.codec import tiles
from ganvas.codec.account import account
from ganvas.codec.codes import decode_codes, encode_codes
from ganvas.codec.container import parse
from ganvas.functional.code_layout import CodeLayout


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 6), (5, 6), (8, 12), (9, 25)])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_cut_is_joined(size: tuple[int, int], channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (channels, *size), dtype=np.uint8)
    parts, tile = tiles.cut(picture, (4, 6)), (4, 6)
    assert parts.shape == (tiles.count(size, tile), channels, 4, 6)
    assert np.array_equal(tiles.join(parts, size), picture)
    assert sum(height * width for height, width in tiles.sizes_of(size, tile)) == size[0] * size[1]


def test_tiles_go_row_by_row_and_their_edge_goes_on() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    first, second, third, fourth = tiles.cut(picture, (2, 3))[:, 0]
    assert first.tolist() == [[0, 1, 2], [4, 5, 6]]
    assert second.tolist() == [[3, 3, 3], [7, 7, 7]]
    assert third.tolist() == [[8, 9, 10], [8, 9, 10]]
    assert fourth.tolist() == [[11, 11, 11], [11, 11, 11]]
    assert tiles.sizes_of((3, 4), (2, 3)) == [(2, 3), (2, 1), (1, 3), (1, 1)]


@pytest.mark.parametrize("sizes", [[(5, 7), (2, 2), (9, 4)], [(5, 7)] * 3])
def test_pictures_of_any_size_come_back_to_the_bit(sizes: list[tuple[int, int]]) -> None:
    layout, tile, draws = CodeLayout(((4,),), ((2,),)), (4, 3), np.random.default_rng(1)
    pictures = [draws.integers(0, 256, (1, *size), dtype=np.uint8) for size in sizes]
    images = torch.from_numpy(np.concatenate([tiles.cut(picture, tile) for picture in pictures]))
    codes = torch.from_numpy(draws.integers(0, 4, (len(images), 2)))
    about = {"layout": layout, "model": bytes(16)}
    about["reconstruct"] = lambda part: part.double().sum(1)[:, None, None, None].expand(-1, 1, *tile) / 8
    file = encode_codes(codes, sizes=sizes, tile=tile, images=images, **about)
    assert account(file).images == 3
    assert account(file).dimensions == sum(height * width for height, width in sizes)
    found = decode_codes(parse(file.to_bytes()), **about)
    assert found.sizes == sizes
    start = 0
    for picture, size in zip(pictures, sizes, strict=True):
        end = start + tiles.count(size, tile)
        assert np.array_equal(tiles.join(found.images[start:end].numpy(), size), picture)
        start = end
