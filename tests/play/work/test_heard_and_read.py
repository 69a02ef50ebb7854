"""Codes and priors of sounds and texts in the hands of a user."""

from __future__ import annotations

import math

import pytest
import torch
from heard_and_read import LETTERS, codec, phrases, prior_over, text_data

from ganvas.errors import OptionError
from ganvas.functional.code_places import share_known
from ganvas.functional.colours import code_colours
from ganvas.functional.spectra import log_mel_distance, si_sdr
from ganvas.modality.partial import HIDDEN
from ganvas.model.symbols import Symbols
from ganvas.model.tokenizer import Tokenizer
from ganvas.play.work.asked import Asked
from ganvas.play.work.autoencoder import Autoencoder
from ganvas.play.work.codes import Region, cells_of, paint, swap
from ganvas.play.work.prior import PriorDesk


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return codec(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return phrases(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def bytes_alone(tmp_path_factory: pytest.TempPathFactory) -> Symbols:
    return Symbols(text_data(tmp_path_factory.mktemp("texts")))


def test_a_sound_goes_through_its_codes_as_through_the_model(sounds: Tokenizer) -> None:
    bench = Autoencoder(sounds.recipe, sounds.data, "RUN")
    x = bench.source.take("test", 1).x
    maps = bench.encode(x)
    made = sounds.recipe.reconstruct(x[None])
    assert torch.allclose(bench.decode(maps), made.x[0], atol=1e-6)
    assert [(one.rows, one.columns, one.size) for one in bench.levels] == [(1, 16, 8)] * 2
    both = bench.all_colours(maps)
    assert both.shape == (3, 2, 16)
    for row, level in enumerate(bench.levels):
        assert torch.equal(both[:, row], code_colours(cells_of(maps, level), 8)[0].T)
    assert bench.bits(maps) == (2 * 16 * 3, None, False, None)
    assert bench.bits(maps, of=x, cut=1) == (16 * 3, None, False, None)
    found = bench.quality(x, bench.decode(maps))
    assert list(found) == ["si_sdr_db", "log_mel_distance_db", "multi_resolution_stft_distance"]
    y = bench.decode(maps)[None].double()
    assert found["si_sdr_db"] == pytest.approx(float(si_sdr(y, x[None].double())), rel=1e-6)
    distance = float(log_mel_distance(y, x[None].double(), 8000))
    assert found["log_mel_distance_db"] == pytest.approx(distance, rel=1e-6)


def test_regions_of_rows_are_swapped_by_their_time(sounds: Tokenizer) -> None:
    bench = Autoencoder(sounds.recipe, sounds.data, "RUN")
    a, b = (torch.full((2, 16), value) for value in (1, 5))
    (one,), (other,) = swap((a,), (b,), Region.between(bench.levels[0], (0, 4), (0, 7)))
    assert one[:, 4:8].eq(5).all()
    assert one.sum() == 2 * (4 * 5 + 12 * 1)
    assert other[:, 4:8].eq(1).all()
    painted = paint((a,), bench.levels[1], [(0, 15)], 3)
    assert not torch.equal(bench.decode(painted), bench.decode((a,)))
    assert torch.equal(bench.decode(painted, 1), bench.decode((a,), 1))  # its level is left out


def test_a_text_counts_what_the_decoder_leaves(texts: Tokenizer) -> None:
    bench = Autoencoder(texts.recipe, texts.data, "RUN")
    x = bench.source.take("test", 0).x
    maps = bench.encode(x)
    y = bench.decode(maps)
    assert y.dtype == torch.int64
    assert bench.quality(x, y) == {"accuracy": (x == y).double().mean().item()}
    bits = bench.bits(maps, of=x)
    nats = texts.recipe.rest_nats(x[None], maps[0][None])
    assert (bits.fixed, bits.prior) == (32 * 4, None)
    assert bits.rest == pytest.approx(float(nats) / math.log(2))
    assert bits.whole == bits.fixed + bits.rest
    painted = paint(maps, bench.levels[0], [(0, 3)], (int(maps[0][0, 3]) + 1) % 16)
    assert bench.bits(painted, of=x).rest != bits.rest
    prior = prior_over(texts)
    of_prior = Autoencoder(prior, texts.data, "RUN").bits(maps, of=x)
    assert of_prior.prior == pytest.approx(float(prior.bits(maps[0].flatten()[None], None)))
    assert of_prior.whole == of_prior.prior + of_prior.rest


def test_bytes_are_drawn_after_what_was_typed_and_fill_up(bytes_alone: Symbols) -> None:
    desk = PriorDesk(prior_over(bytes_alone), bytes_alone.data, "RUN")
    assert (desk.runs_on, desk.halves(), desk.cells, desk.most) == (True, ["first"], (1, LETTERS), 64)
    typed = desk.source.typed("<b>a")
    given = desk.known_of(typed)
    assert given.tolist() == [[True] * 4 + [False] * 60]
    known = desk.known(given)
    steps = list(desk.complete(desk.encode(typed.x), known, Asked(num=2, seed=3), every=0))
    assert [step.hidden for step in steps][-1] == 0
    assert len(steps) == LETTERS
    assert all(one.text.startswith("<b>a") for step in steps for one in step.seen)
    assert [one.text[4:].count(HIDDEN) for one in steps[9].seen] == [54, 54]  # ten of 64 are there
    assert steps[-1].seen[0].text != steps[-1].seen[1].text
    assert desk.known(desk.half_of_cells("first"), "first").tolist() == [True] * 32 + [False] * 32
    with pytest.raises(OptionError, match="must be from 1 to 64 texts"):
        desk.drawing(Asked(num=65))
    with pytest.raises(OptionError, match="is of symbols, which are codes themselves"):
        Autoencoder(desk.model, bytes_alone.data, "RUN")


def test_sounds_of_a_prior_are_silent_where_codes_are_hidden_and_heard_at_last(sounds: Tokenizer) -> None:
    desk = PriorDesk(prior_over(sounds), sounds.data, "RUN")
    codes = desk.encode(desk.source.take("test", 0).x)
    assert torch.equal(codes, sounds.encode(desk.source.take("test", 0).x[None])[0])
    known = desk.known(desk.half_of_cells("first"), "first")
    assert known.tolist() == [True] * 16 + [False] * 16  # of two levels at 16 places
    (masked,) = desk.picture(codes.masked_fill(~known, desk.layout.vocabulary)[None])
    whole = desk.picture(codes[None])[0]
    assert not masked[:, 800:].any()
    assert torch.equal(share_known(desk.layout, known[None], 1600)[0, 0], (torch.arange(1600) < 800).float())
    assert masked[:, :600].any()
    assert whole[:, 800:].any()
    first = next(desk.complete(codes, known, Asked(num=2), every=0))
    assert [one.sound is None for one in first.seen] == [True, True]
    (last,) = desk.complete(codes, known, Asked(num=2), every=99)
    assert all(one.sound.startswith("data:audio/wav") and one.picture for one in last.seen)
    assert desk.command(Asked(num=2, seed=4)) == "ganvas sample RUN --num 2 --seed 4 --out samples.wav"


def test_a_beginning_that_is_typed_gives_the_codes_that_it_fills(texts: Tokenizer) -> None:
    desk = PriorDesk(prior_over(texts), texts.data, "RUN")
    assert desk.known_of(desk.source.typed("abcdefghijk")).sum() == 5  # a code is two symbols
    assert desk.known_of(desk.source.typed("a")).sum() == 0
    assert desk.command(Asked(num=2)).endswith("--out samples.txt")
