"""MNIST (LeCun, Cortes & Burges 1998; CC BY-SA 3.0): 70,000 handwritten digits of 28x28."""

from __future__ import annotations

from typing import ClassVar

from ganvas.data.files.idx import IdxDataModule


class MNIST(IdxDataModule):
    """55,000 training, 5,000 validation and 10,000 test images; 10 classes, 1 channel.

    Args: see :class:`ganvas.data.files.idx.IdxDataModule`.
    """

    title = "MNIST"
    contents: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }
