"""A small convolutional classifier, whose features make distances of MNIST-like images."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.errors import OptionError, require
from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.network.interface import Classified

_GRID = 3  # positions a side that the last layers see, whatever the image's size
SMALLEST = 8  # pixels a side


class CNN(nn.Module):
    """Blocks of 3x3 convolution, BatchNorm, ReLU and halving, a mean over a 3x3 grid, two linear layers.

    Args:
        channels: of an image; None where the data are no images.
        num_classes: K; None where the data have no labels, or where it is not said how many.
        base_channels: of the first block; each further block has twice as many.
        blocks: how many; each halves the sides, rounded up.
        feature_dim: F, the length of the feature vector.

    Raises:
        OptionError: no images, no classes, or a size below 1.
    """

    def __init__(
        self,
        channels: int | None,
        num_classes: int | None,
        base_channels: int = 16,
        blocks: int = 3,
        feature_dim: int = 128,
    ) -> None:
        super().__init__()
        if channels is None:
            raise OptionError("channels", "null", "a classifier takes images; choose data=digits")
        if num_classes is None:
            reason = "a classifier needs labels; data.num_classes=10 says how many classes they have"
            raise OptionError("num_classes", "null", reason)
        require_positive("channels", channels)
        self.channels = channels
        require(num_classes >= 2, "num_classes", num_classes, "must be at least 2 to tell one from another")
        for option, value in (("base_channels", base_channels), ("feature_dim", feature_dim)):
            require_positive(option, value)
        require(1 <= blocks <= 8, "blocks", blocks, "must be from 1 to 8; 3 suit 28 pixels")
        layers: list[nn.Module] = []
        width = channels
        for wider in (base_channels * 2**number for number in range(blocks)):
            layers += [
                nn.Conv2d(width, wider, 3, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            width = wider
        self.trunk = nn.Sequential(
            *layers,
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
            nn.Linear(width * _GRID**2, feature_dim),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(feature_dim, num_classes)

    def forward(self, x: Tensor) -> Classified:
        """Images [B, C, H, W] in [-1, 1], H and W at least 8, to logits [B, K] and features [B, F]."""
        require_input(x, self.channels, None, None)
        smallest = min(x.shape[2:])
        reason = f"is too small for the classifier; data.image_size={SMALLEST} at least"
        require(smallest >= SMALLEST, "image_size", smallest, reason)
        features = self.trunk(x)
        return Classified(logits=self.head(features), features=features)
