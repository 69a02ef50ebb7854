"""A classifier of the data's own labels as extractor: the usual choice for MNIST-like images.

It is trained by ``ganvas train model=classifier`` and read from the cache folder. Distances in its features
compare with others of the same weights alone, which the protocol names.
"""

from __future__ import annotations

import inspect
import logging
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import OptionError
from ganvas.files.folders import expanded
from ganvas.functional.batch import DataFacts
from ganvas.metric.classifiers import StoredClassifier, place_in_cache, read_classifier
from ganvas.metric.interface import Features

log = logging.getLogger("ganvas")

_CHUNK_ON_CPU = 64  # images at a time: their activations stay in the cache


class Classifier:
    """Images to the features before the logits, and to these.

    Args:
        network: makes the network from ``channels`` and ``num_classes``; of what it makes of samples,
            ``.features`` and ``.logits`` are read.
        weights: a safetensors file of the network's weights; None: the one that a run of
            ``model=classifier`` on the same data has kept.
    """

    def __init__(self, network: Callable[..., nn.Module], weights: str | None) -> None:
        self.make, self.weights = network, weights
        self.protocol: dict[str, object] = {"name": "classifier"}
        self._network: nn.Module | None = None

    def check(self, facts: DataFacts) -> None:
        """Loads the classifier of these data.

        Raises:
            OptionError: no images, no labels, or no such classifier: the command that trains it.
        """
        shape = facts.sample_shape
        if len(shape) != 3:
            reason = f"takes images, and {facts.name} has samples of {shape}"
            raise OptionError("features", "classifier", f"{reason}; metric/features=pixels takes anything")
        if facts.num_classes is None:
            reason = f"needs labels, and {facts.name} has none; metric/features=pixels needs none"
            raise OptionError("features", "classifier", reason)
        with torch.device("meta"):  # no random number is drawn
            network = self.make(channels=shape[0], num_classes=facts.num_classes)
        cached = place_in_cache(network, facts)
        kept = self._read(cached, facts)
        self._require_numbers(kept, network, cached, facts)
        try:
            network.load_state_dict(kept.tensors, assign=True)
        except RuntimeError as error:
            raise OptionError(
                "weights",
                self.weights,
                f"are of another network than {shape[0]} channels, {facts.num_classes} classes and "
                f"metric.features.network say ({str(error).splitlines()[-1].strip()}); name another file",
            ) from error
        self._warn_of_a_trial(kept.about, facts)
        self._network = network.eval().requires_grad_(False)
        self.protocol = {
            "name": "classifier",
            "layer": "last before the logits",
            "resizer": "none",
            "value_range": "[-1, 1], not clamped",
            "dtype": "float32",
            "weights_sha256": kept.sha256,
            "trained_on_sha256": kept.about.get("train_sha256"),
            "accuracy": kept.about.get("accuracy"),
            "accuracy_split": kept.about.get("split"),
        }

    def _read(self, cached: Path, facts: DataFacts) -> StoredClassifier:
        path = cached if self.weights is None else expanded(self.weights, "weights")
        try:
            return read_classifier(path)
        except FileNotFoundError as error:
            if self.weights is not None:
                reason = "there is no such file; null takes the one of these data"
                raise OptionError("weights", self.weights, reason) from error
            reason = f"no classifier of these data is trained yet; {self._command(facts)}"
            raise OptionError("features", "classifier", reason) from error
        except (OSError, ValueError) as error:
            how = self._command(facts) if self.weights is None else "name another file"
            raise OptionError("weights", str(path), f"cannot be read ({error}); {how}") from error

    def _require_numbers(
        self, kept: StoredClassifier, network: nn.Module, cached: Path, facts: DataFacts
    ) -> None:
        """Raises OptionError for tensors of other types than the network's, or that are not finite."""
        for name, wanted in network.state_dict().items():
            value = kept.tensors.get(name)
            if value is None or (value.dtype == wanted.dtype and bool(value.isfinite().all())):
                continue  # a name that is missing is told where they are loaded
            found = f"are {value.dtype}" if value.dtype != wanted.dtype else "are not all finite"
            how = self._command(facts) if self.weights is None else "name another file"
            raise OptionError("weights", self.weights or str(cached), f"its values of {name} {found}; {how}")

    def _warn_of_a_trial(self, about: Mapping[str, Any], facts: DataFacts) -> None:
        seen, whole, accuracy = (about.get(key) for key in ("examples_seen", "train_samples", "accuracy"))
        if isinstance(seen, int) and isinstance(whole, int) and seen < whole:
            right = f"{accuracy:.1%} of {about.get('split')}" if isinstance(accuracy, float) else "some"
            log.warning(
                "the classifier of %s saw %s examples of %s training samples, and tells %s rightly: figures "
                "by it say little; %s trains a better one, which takes its place",
                *(facts.name, f"{seen:,}", f"{whole:,}", right, self._command(facts)),
            )

    def _command(self, facts: DataFacts) -> str:
        """What trains the classifier that is asked for; the network's options where they are not its own."""
        command = ["ganvas train model=classifier", facts.overrides]
        keywords: dict[str, Any] = getattr(self.make, "keywords", {})
        signature = inspect.signature(getattr(self.make, "func", self.make)).parameters
        command += [
            shlex.quote(f"model.network.{name}={value}")
            for name, value in keywords.items()
            if name not in signature or signature[name].default != value
        ]
        return " ".join(command)

    def __call__(self, x: Tensor) -> Features:
        """Images [B, C, H, W] in [-1, 1] to features float32 [B, F] and logits [B, K]."""
        assert self._network is not None, "check comes first"
        network = self._network.to(x.device)
        chunk = _CHUNK_ON_CPU if x.device.type == "cpu" else max(len(x), 1)
        seen = [network(rows.float()) for rows in x.split(chunk)]
        return Features(torch.cat([one.features for one in seen]), torch.cat([one.logits for one in seen]))
