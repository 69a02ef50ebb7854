"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747; MIT, Zalando SE): 70,000 images."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ganvas.data.files.idx import IdxDataModule


class FashionMNIST(IdxDataModule):
    """55,000 training, 5,000 validation and 10,000 test images; 10 classes, 1 channel.

    Args: see :class:`ganvas.data.files.idx.IdxDataModule`.
    """

    title = "Fashion-MNIST"
    contents: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    }
    names_of_classes = (
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "boot"),
    )
    system_folder = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist
