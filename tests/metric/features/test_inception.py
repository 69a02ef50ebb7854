"""What goes into the network, and where its weights come from; the network itself: test_inception_network."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.functional.download import RemoteFile
from ganvas.metric.features import inception
from ganvas.metric.features.inception import Inception, resize_as_tensorflow_1, shown
from ganvas.metric.features.inception_network import Inception as Network

FACTS = DataFacts([1, 28, 28], 10, "", "FashionMNIST")
NOWHERE = "http://127.0.0.1:9/nowhere"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the published names and shapes, one number each, that passes for the published one."""
    with torch.device("meta"):
        held = Network().state_dict()
    weights = {
        name: torch.full((1,), 0.01 if name.endswith("conv.weight") else 0.5).expand(value.shape)
        for name, value in held.items()
        if not name.endswith("num_batches_tracked")
    }
    path = tmp_path / "there" / inception.FILE.name
    path.parent.mkdir()
    torch.save(weights, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "FILE", RemoteFile(inception.FILE.name, sha256, 5_000_000))
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    return path


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(published.parent)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_file_is_pinned() -> None:
    assert inception.FILE.sha256 == "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
    assert Inception(weights=None, mirrors=[]).protocol["weights_sha256"] == inception.FILE.sha256


@pytest.mark.parametrize("size", [(5, 7), (299, 299), (320, 401)])
def test_resizing_is_tensorflow_1s(size: tuple[int, int]) -> None:
    """src = dst * size / side, its two neighbours, the last one repeated; written out."""
    x = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(3)) * 255
    made = resize_as_tensorflow_1(x, 299)
    assert made.shape == (1, 2, 299, 299)
    for row, column in ((0, 0), (1, 2), (150, 77), (297, 11), (298, 298)):
        ys, xs = row * size[0] / 299, column * size[1] / 299
        top, left = int(ys), int(xs)
        below, right = min(top + 1, size[0] - 1), min(left + 1, size[1] - 1)
        upper = x[0, :, top, left] * (1 - (xs - left)) + x[0, :, top, right] * (xs - left)
        lower = x[0, :, below, left] * (1 - (xs - left)) + x[0, :, below, right] * (xs - left)
        expected = upper * (1 - (ys - top)) + lower * (ys - top)
        torch.testing.assert_close(made[0, :, row, column], expected, rtol=1e-4, atol=2e-2)


def test_levels_are_of_8_bits_and_grey_is_repeated() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0, 7.0]).view(4, 1, 1, 1).expand(4, 1, 9, 9)
    made = shown(x)
    assert made.shape == (4, 3, 299, 299)
    expected = torch.tensor([-1.0, 0.0, 127 / 128, 127 / 128])  # 0 is level 127.5, rounded to even
    torch.testing.assert_close(made, expected.view(4, 1, 1, 1).expand_as(made), rtol=0, atol=1e-5)


def test_weights_from_a_path(published: Path) -> None:
    extractor = Inception(weights=str(published), mirrors=[NOWHERE])
    state = torch.get_rng_state()
    extractor.check(FACTS)
    assert torch.equal(torch.get_rng_state(), state)
    seen = extractor(torch.zeros(1, 1, 8, 8))
    assert seen.features.shape == (1, 2048)
    assert seen.logits is not None
    assert seen.logits.shape == (1, 1008)


def test_weights_are_downloaded_once(published: Path, mirror: str, tmp_path: Path) -> None:
    Inception(weights=None, mirrors=[NOWHERE, mirror]).check(FACTS)
    kept = tmp_path / "cache" / "weights" / published.name
    assert kept.read_bytes() == published.read_bytes()
    published.unlink()
    Inception(weights=None, mirrors=[mirror]).check(FACTS)


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.write_bytes(b"other")])
def test_a_kept_file_that_is_another_is_downloaded_again(
    published: Path, mirror: str, tmp_path: Path, put: Callable[[Path], object], caplog: Any
) -> None:
    kept = tmp_path / "cache" / "weights" / published.name
    kept.parent.mkdir(parents=True)
    put(kept)
    with pytest.raises(OptionError, match=r"^weights=null: .*(no regular file|is damaged).*mirrors=\[\]"):
        Inception(weights=None, mirrors=[]).check(FACTS)
    Inception(weights=None, mirrors=[mirror]).check(FACTS)
    assert kept.read_bytes() == published.read_bytes()
    assert "it is downloaded again" in caplog.text


def test_weights_that_block_or_never_end_are_refused(published: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OptionError, match=rf"^weights={path}: cannot be read .*no regular file"):
            Inception(weights=str(path), mirrors=[]).check(FACTS)


@pytest.mark.parametrize("mirrors", [[], [NOWHERE]])
def test_without_a_file_and_offline_its_place_is_named(
    published: Path, tmp_path: Path, mirrors: list[str]
) -> None:
    with pytest.raises(OptionError) as caught:
        Inception(weights=None, mirrors=mirrors).check(FACTS)
    line, folder = str(caught.value), tmp_path / "cache" / "weights"
    assert line.startswith("weights=null: ")
    assert line.endswith(f"put the files {published.name} by hand into {folder}")
    assert "\n" not in line
    assert not folder.exists()


def test_another_file_is_refused(published: Path, mirror: str, tmp_path: Path) -> None:
    published.write_bytes(published.read_bytes() + b"x")
    with pytest.raises(OptionError, match=rf"^weights={published}: is not {published.name}, or is damaged"):
        Inception(weights=str(published), mirrors=[]).check(FACTS)
    with pytest.raises(OptionError, match=r"^weights=null: .*wrong content"):
        Inception(weights=None, mirrors=[mirror]).check(FACTS)
    with pytest.raises(OptionError, match=rf"^weights={tmp_path}/no: cannot be read"):
        Inception(weights=f"{tmp_path}/no", mirrors=[]).check(FACTS)
    with pytest.raises(OptionError, match="mirrors=ftp"):
        Inception(weights=None, mirrors=["ftp://x"])


@pytest.mark.parametrize("shape", [[2], [2, 32, 32]])
def test_what_is_no_image_is_refused_before_any_download(shape: list[int]) -> None:
    with pytest.raises(OptionError, match=r"^features=inception: takes images of 1 or 3 channels, and Toy"):
        Inception(weights=None, mirrors=[NOWHERE]).check(DataFacts(shape, None, "", "Toy"))
