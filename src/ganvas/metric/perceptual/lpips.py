"""LPIPS, the learned distance of two images (Zhang 2018, arXiv:1801.03924, eq. 1, "lin" of version 0.1)."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, relu

from ganvas.errors import OptionError, require
from ganvas.files.folders import expanded
from ganvas.files.read import read_bytes
from ganvas.functional.batch import DataFacts
from ganvas.functional.contracts import unlike
from ganvas.functional.precision import widened

_CHUNK_ON_CPU = 16  # images at a time
_MAX_BYTES = 1 << 30  # of a file of weights; the largest, vgg16, has 553,000,000
_SHIFT = (-0.030, -0.088, -0.188)  # of values in [-1, 1]; ImageNet's mean and deviation
_SCALE = (0.458, 0.448, 0.450)


class _Convolution(NamedTuple):
    number: int  # in torchvision's ``features``
    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1


class _Network(NamedTuple):
    stages: tuple[tuple[_Convolution, ...], ...]  # a feature map is taken after each
    pool: int  # side of a pool's window; the stride is 2
    pooled: tuple[int, ...]  # numbers of the stages with a pool in front
    smallest: int  # side of an image, pixels
    file: str  # torchvision's


_C = _Convolution
NETWORKS = {
    "alex": _Network(
        ((_C(0, 64, 11, 4, 2),), (_C(3, 192, 5, 1, 2),), (_C(6, 384),), (_C(8, 256),), (_C(10, 256),)),
        pool=3,
        pooled=(1, 2),
        smallest=31,
        file="alexnet-owt-7be5be79.pth",
    ),
    "vgg": _Network(
        (
            (_C(0, 64), _C(2, 64)),
            (_C(5, 128), _C(7, 128)),
            (_C(10, 256), _C(12, 256), _C(14, 256)),
            (_C(17, 512), _C(19, 512), _C(21, 512)),
            (_C(24, 512), _C(26, 512), _C(28, 512)),
        ),
        pool=2,
        pooled=(1, 2, 3, 4),
        smallest=16,
        file="vgg16-397923af.pth",
    ),
}


class LPIPS(torchmetrics.Metric):
    """The mean distance of originals and reconstructions; nothing is downloaded.

    Images are compared as they are shown, clamped to [-1, 1]; grey ones are repeated to three channels.

    Args:
        network: whose features: ``alex`` (the authors' choice for judging) or ``vgg``.
        weights: a file of torchvision's AlexNet or VGG16, entries ``features.<number>.weight`` and ``.bias``.
        heads: a file of the learned weights of the channels; None takes the one in the package torchmetrics.

    Raises:
        OptionError: an unknown network; the rest is looked at in :meth:`check`.
    """

    is_differentiable = False
    full_state_update = False
    higher_is_better = False
    better: ClassVar[dict[str, str]] = {"lpips": "min"}

    total: Tensor
    count: Tensor

    def __init__(self, network: str = "alex", weights: str | None = None, heads: str | None = None) -> None:
        super().__init__()
        require(network in NETWORKS, "network", network, f"must be {' or '.join(NETWORKS)}")
        self.network, self.weights, self.heads = network, weights, heads
        self._sha256: dict[str, object] = {}
        self._parts = nn.ParameterDict()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def protocol(self) -> dict[str, object]:
        """What names the distance; the hashes are known after :meth:`check`."""
        facts: dict[str, object] = {
            "distance": "lpips 0.1",
            "network": self.network,
            "value_range": "[-1, 1], clamped",
            "resizer": "none",
            "grey": "repeated",
            "dtype": "float32",
            "mean": "over images",
        }
        return facts | self._sha256

    def check(self, facts: DataFacts) -> None:
        """Reads the weights, the first time.

        Raises:
            OptionError: the data are no images of 1 or 3 channels, or too small; no file of weights, or
                one of another network.
        """
        shape, plan = facts.sample_shape, NETWORKS[self.network]
        fits = len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= plan.smallest
        reason = (
            f"takes images of 1 or 3 channels with sides of at least {plan.smallest} pixels, and "
            f"{facts.name} has samples of {shape}; metric/perceptual=none leaves it out"
        )
        require(fits, "perceptual", "lpips", reason)
        if self._sha256:
            return
        if self.weights is None:
            reason = (
                f"names no file, and nothing is downloaded; give torchvision's {plan.file}, or "
                "metric/perceptual=none"
            )
            raise OptionError("weights", "null", reason)
        own = Path(torchmetrics.__file__).parent / "functional" / "image" / "lpips_models"
        heads = expanded(self.heads, "heads") if self.heads else own / f"{self.network}.pth"
        device = self.device
        for option, path, shapes in (
            ("weights", expanded(self.weights, "weights"), _shapes_of_weights(plan)),
            ("heads", heads, _shapes_of_heads(plan)),
        ):
            held, self._sha256[f"{option}_sha256"] = _read(option, path)
            for name, wanted in shapes.items():
                value = held.get(name)
                found = list(value.shape) if isinstance(value, Tensor) else None
                if isinstance(value, Tensor) and found == wanted and not _is_finite(value):
                    self._sha256.clear()
                    reason = f"its values of {name} are no dense finite numbers; name another file"
                    raise OptionError(option, str(path), reason)
                if not isinstance(value, Tensor) or found != wanted:
                    self._sha256.clear()
                    reason = f"must hold {name} of {wanted}, got {found}; give {self.network}'s own file"
                    raise OptionError(option, str(path), reason)
                key = name.replace(".", "_")  # ParameterDict takes no dots
                self._parts[key] = nn.Parameter(value.float().to(device), requires_grad=False)

    @torch.no_grad()
    def update(self, *, original: Tensor, reconstruction: Tensor) -> None:
        """Adds images [B, 1 or 3, H, W] in [-1, 1] and their reconstructions."""
        if original.shape != reconstruction.shape:
            raise unlike(original=original, reconstruction=reconstruction)
        self._parts.to(original.device)  # the sums may lie elsewhere, where there is float64
        chunk = _CHUNK_ON_CPU if original.device.type == "cpu" else max(len(original), 1)
        with torch.autocast(original.device.type, enabled=False):
            for x, y in zip(original.split(chunk), reconstruction.split(chunk), strict=True):
                self.total = self.total + widened(self._distances(x, y)).sum().to(self.total)
        self.count = self.count + len(original)

    def compute(self) -> dict[str, Tensor]:
        """``lpips``, at least 0; 0 for equal images."""
        return {"lpips": self.total / self.count}

    def _distances(self, x: Tensor, y: Tensor) -> Tensor:
        """Of each pair, [B]."""
        distances = torch.zeros(len(x), device=x.device)
        for number, (f, g) in enumerate(zip(self._features(x), self._features(y), strict=True)):
            head = self._parts[f"lin{number}_model_1_weight"]  # [1, C, 1, 1]
            distances += conv2d((_unit(f) - _unit(g)).square(), head).mean((1, 2, 3))
        return distances

    def _features(self, x: Tensor) -> list[Tensor]:
        """One map [B, C, h, w] of each stage."""
        plan = NETWORKS[self.network]
        shift, scale = (torch.tensor(values, device=x.device).view(3, 1, 1) for values in (_SHIFT, _SCALE))
        x = (x.float().clamp(-1, 1).expand(-1, 3, -1, -1) - shift) / scale
        maps = []
        for number, stage in enumerate(plan.stages):
            if number in plan.pooled:
                x = max_pool2d(x, plan.pool, stride=2)
            for layer in stage:
                weight, bias = (self._parts[f"features_{layer.number}_{name}"] for name in ("weight", "bias"))
                x = relu(conv2d(x, weight, bias, stride=layer.stride, padding=layer.padding))
            maps.append(x)
        return maps


def _is_finite(value: Tensor) -> bool:
    plain = value.layout == torch.strided and value.is_floating_point() and not value.is_meta
    return plain and bool(value.isfinite().all())


def _unit(features: Tensor) -> Tensor:
    """[B, C, h, w] scaled to length 1 along C; zeros stay zeros."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _shapes_of_weights(plan: _Network) -> dict[str, list[int]]:
    shapes, channels = {}, 3
    for layer in (layer for stage in plan.stages for layer in stage):
        shapes[f"features.{layer.number}.weight"] = [layer.channels, channels, layer.kernel, layer.kernel]
        shapes[f"features.{layer.number}.bias"] = [layer.channels]
        channels = layer.channels
    return shapes


def _shapes_of_heads(plan: _Network) -> dict[str, list[int]]:
    return {f"lin{n}.model.1.weight": [1, stage[-1].channels, 1, 1] for n, stage in enumerate(plan.stages)}


def _read(option: str, path: Path) -> tuple[dict[str, Any], str]:
    """The entries of a file of weights, and its sha256."""
    try:
        content = read_bytes(path, _MAX_BYTES)
    except OSError as error:
        raise OptionError(
            option, str(path), f"cannot be read ({error.strerror}); name another file"
        ) from error
    try:
        held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader raises almost anything on a damaged file
        reason = "is no file of tensors that torch can load; name another file"
        raise OptionError(option, str(path), reason) from error
    require(isinstance(held, dict), option, str(path), "must hold a state_dict; name another file")
    return held, hashlib.sha256(content).hexdigest()
