"""Frechet distance of sample files to Fashion-MNIST's test split, one protocol for all.

    ganvas sample RUN --num 10000 --seed 1 --out ours.npz
    python benchmarks/fid_of_samples.py ours.npz reference.npz --features efficientnet_lite0

Each file holds ``images``, uint8 [N, 32, 32, 1]. The real side is the 10,000 test images, padded to 32
pixels as the data module does; the first row is the floor, 10,000 training images against them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import yaml

from ganvas.data.fashion_mnist import FashionMNIST
from ganvas.functional.frechet import frechet_distance_of_samples
from ganvas.functional.images import to_float
from ganvas.metric.interface import FeatureExtractor
from ganvas.run.config.build import build

CONF = Path(__file__).parents[1] / "conf" / "metric" / "features"


def features_of(images: torch.Tensor, extractor: FeatureExtractor, batch: int = 256) -> torch.Tensor:
    """uint8 [N, C, H, W] to features [N, F]."""
    return torch.cat([extractor(to_float(rows)).features for rows in images.split(batch)])


def distance(real: torch.Tensor, other: torch.Tensor) -> float:
    """Frechet distance of two sets of features [N, F]."""
    return float(frechet_distance_of_samples(features_1=real, features_2=other))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--features", default="efficientnet_lite0")
    parser.add_argument("--root", default="./data/fashion_mnist")
    arguments = parser.parse_args()
    extractor = build(yaml.safe_load((CONF / f"{arguments.features}.yaml").read_text()), "features")
    data = FashionMNIST(root=arguments.root, channels=1, image_size=32, num_classes=10, resize_mode="pad")
    real = features_of(data.split("test").x, extractor)
    print(f"features {extractor.protocol}")
    floor = features_of(data.split("train").x[: len(real)], extractor)
    print(f"{'10,000 training images':40} {distance(real, floor):8.3f}")
    for path in arguments.files:
        images = torch.from_numpy(np.load(path)["images"]).permute(0, 3, 1, 2)
        print(
            f"{path.stem:40} {distance(real, features_of(images, extractor)):8.3f}  ({len(images)} samples)"
        )


if __name__ == "__main__":
    main()
