"""The features of FID as published (Heusel 2017, arXiv:1706.08500): Inception-v3's 2048 pooled features.

What goes in is what the authors' TensorFlow graph takes: levels 0 .. 255, resized to 299 pixels as TensorFlow
1 does it (no half-pixel centres, no antialiasing), then (v - 128) / 128. torch-fidelity and torchmetrics do
the same; pytorch-fid resizes with half-pixel centres and scales by v / 127.5 - 1: its metrics are others.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from pathlib import Path

import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.files.folders import expanded
from ganvas.files.read import read_bytes
from ganvas.functional.batch import DataFacts
from ganvas.functional.cache import cache_dir
from ganvas.functional.download import RemoteFile, download, require_mirrors
from ganvas.metric.features.inception_network import Inception as Network
from ganvas.metric.interface import Features, refuse_unless_images

log = logging.getLogger("ganvas")

FILE = RemoteFile(
    name="pt_inception-2015-12-05-6726825d.pth",
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    max_bytes=100_000_000,
)
_SIDE = 299  # pixels
_CHUNK_ON_CPU = 8  # images at a time: their activations stay in the cache


class Inception:
    """Images to 2048 features and 1008 logits.

    Args:
        weights: the published file; None takes it from ``weights`` in the cache folder, to which it is
            downloaded once where it is not there.
        mirrors: addresses of folders that hold the file, tried in turn; empty downloads nothing.
    """

    def __init__(self, weights: str | None, mirrors: list[str]) -> None:
        require_mirrors(mirrors)
        self.weights, self.mirrors = weights, mirrors
        self._network: Network | None = None
        self.protocol: dict[str, object] = {
            "name": "inception",
            "layer": "pooled, 2048",
            "resizer": "bilinear, TensorFlow 1, from 8 bits",
            "size": _SIDE,
            "value_range": "0 .. 255, rounded and clamped",
            "grey": "repeated",
            "dtype": "float32",
            "logits": "without bias",
            "weights_sha256": FILE.sha256,
        }

    def check(self, facts: DataFacts) -> None:
        """Loads the network.

        Raises:
            OptionError: no images of 1 or 3 channels; the file cannot be had, or is another one.
        """
        refuse_unless_images(facts, "inception", (1, 3))
        if self._network is not None:
            return
        content = self._content()
        with torch.device("meta"):  # no random number is drawn
            network = Network()
        network.load(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        self._network = network

    def _content(self) -> bytes:
        """The file's; what is kept in the cache folder and is another file is downloaded again."""
        if self.weights is not None:
            return _read(expanded(self.weights, "weights"))
        folder, wrong = cache_dir() / "weights", ""
        if os.path.lexists(folder / FILE.name):
            try:
                return _read(folder / FILE.name)
            except OptionError as error:
                wrong = f"{error.reason}; "
                if self.mirrors:
                    log.warning("%s is another file, or damaged; it is downloaded again", folder / FILE.name)
        try:
            (path,) = download([FILE], folder=folder, mirrors=self.mirrors)
        except OptionError as error:
            raise OptionError("weights", "null", f"{folder / FILE.name}: {wrong}{error.reason}") from error
        return _read(path)

    def __call__(self, x: Tensor) -> Features:
        """Images [B, 1 or 3, H, W] in [-1, 1] to features float32 [B, 2048] and logits [B, 1008]."""
        assert self._network is not None, "check comes first"
        network = self._network.to(x.device)
        chunk = _CHUNK_ON_CPU if x.device.type == "cpu" else max(len(x), 1)
        seen = [network(shown(rows)) for rows in x.split(chunk)]
        return Features(torch.cat([one.features for one in seen]), torch.cat([one.logits for one in seen]))


def _read(path: Path) -> bytes:
    """Raises OptionError unless this is the published file."""
    try:
        content = read_bytes(path, FILE.max_bytes)
    except OSError as error:
        raise OptionError("weights", str(path), f"cannot be read ({error}); put {FILE.name} there") from error
    if hashlib.sha256(content).hexdigest() != FILE.sha256:
        reason = f"is not {FILE.name}, or is damaged (sha256); delete it, or name the published file"
        raise OptionError("weights", str(path), reason)
    return content


def shown(x: Tensor) -> Tensor:
    """Images [B, 1 or 3, H, W] in [-1, 1] as the network takes them, float32 [B, 3, 299, 299].

    They are rounded to 8 bits, which a gradient passes as it is.
    """
    exact = ((x.float() + 1) * 127.5).clamp(0, 255)
    levels = exact + (exact.round() - exact).detach() if exact.requires_grad else exact.round()
    resized = resize_as_tensorflow_1(levels, _SIDE)
    return ((resized - 128) / 128).expand(-1, 3, -1, -1)  # grey is repeated


def resize_as_tensorflow_1(x: Tensor, side: int) -> Tensor:
    """[B, C, H, W] to [B, C, side, side], bilinear between the corners at (0, 0) in steps of size / side.

    What ``tf.image.resize_bilinear`` does without ``align_corners``: the last row and column are repeated.
    """
    height, width = (_weights_of_rows(size, side, x.device) for size in x.shape[2:])
    return height @ x @ width.T


def _weights_of_rows(size: int, side: int, device: torch.device) -> Tensor:
    """Row i holds the weights of the two source rows that row i of the result lies between, [side, size]."""
    position = torch.arange(side, device=device) * (size / side)
    below = position.long().clamp(max=size - 1)
    above = (below + 1).clamp(max=size - 1)
    share = (position - below).unsqueeze(1)
    weights = torch.zeros(side, size, device=device)
    weights.scatter_add_(1, below.unsqueeze(1), 1 - share)
    return weights.scatter_add_(1, above.unsqueeze(1), share)
