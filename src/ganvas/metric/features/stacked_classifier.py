"""The classifier of grey images, applied to each channel of images that are stacked from such ones."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.functional.batch import DataFacts
from ganvas.metric.features.classifier import Classifier
from ganvas.metric.interface import Features


class StackedClassifier:
    """Images to the features of their channels, and to logits of the combinations of classes.

    Args:
        network: makes the grey classifier's network (see :class:`Classifier`).
        weights: a safetensors file; None: the one that a run of ``model=classifier`` on the data that these
            are stacked from has kept.
    """

    def __init__(self, network: Callable[..., nn.Module], weights: str | None) -> None:
        self.grey = Classifier(network=network, weights=weights)

    @property
    def protocol(self) -> dict[str, object]:
        """That of the grey classifier, under another name."""
        return {**self.grey.protocol, "name": "stacked_classifier"}

    def check(self, facts: DataFacts) -> None:
        """Loads the grey classifier.

        Raises:
            OptionError: data that are not stacked, or no such classifier: the command that trains it.
        """
        if facts.parts is None:
            raise OptionError(
                "features",
                "stacked_classifier",
                f"takes data that are stacked from grey images, and {facts.name} are not; choose "
                "data=stacked_digits, or metric/features=classifier",
            )
        try:
            self.grey.check(facts.parts)
        except OptionError as error:
            value = "stacked_classifier" if error.option == "features" else error.value
            raise OptionError(error.option, value, error.reason) from error

    def __call__(self, x: Tensor) -> Features:
        """Images [B, C, H, W] in [-1, 1] to features [B, C * F] and logits [B, K^C].

        Logit 100a + 10b + c of three channels of ten classes is the log probability that the first is an a,
        the second a b and the third a c.
        """
        size, channels = x.shape[:2]
        seen = self.grey(x.reshape(size * channels, 1, *x.shape[2:]))
        assert seen.logits is not None
        each = seen.logits.log_softmax(1).view(size, channels, -1)  # [B, C, K]
        logits = each[:, 0]
        for channel in range(1, channels):
            logits = (logits[:, :, None] + each[:, channel, None]).flatten(1)
        return Features(seen.features.reshape(size, -1), logits)
