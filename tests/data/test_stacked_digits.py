"""Each channel is an image of the same split, its class a digit of the label."""

from __future__ import annotations

import pytest
import torch

from ganvas.data.digits import Digits
from ganvas.data.stacked_digits import StackedDigits
from ganvas.errors import OptionError

SMALL = {"num_train": 3000, "num_val": 200, "num_test": 300, "batch_size": 50}


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("image_size", [8, 16])
def test_channels_are_digits_of_the_split_and_the_label_says_which(split: str, image_size: int) -> None:
    stored = StackedDigits(image_size=image_size, **SMALL).split(split)
    grey = Digits(image_size=image_size).split(split)
    assert stored.x.shape == (SMALL[f"num_{split}"], 3, image_size, image_size)
    assert stored.x.dtype == torch.uint8
    known: dict[bytes, set[int]] = {}
    for image, label in zip(grey.x, grey.label.tolist()):
        known.setdefault(image.numpy().tobytes(), set()).add(label)
    for image, label in zip(stored.x[:200], stored.label.tolist()):
        for channel, digit in enumerate((label // 100, label // 10 % 10, label % 10)):
            assert digit in known[image[channel].contiguous().numpy().tobytes()]


def test_every_mode_and_channel_is_drawn_alike() -> None:
    module = StackedDigits(num_train=30_000, num_val=1, num_test=1)
    label = module.split("train").label
    assert module.num_classes == 1000
    assert label.unique().numel() == 1000
    digits = torch.stack([label // 100, label // 10 % 10, label % 10])
    for channel in digits:  # 3,000 each within 6 standard deviations; the classes are not quite equal
        assert torch.bincount(channel).sub(3000).abs().max() < 400
    pairs = torch.bincount(digits[0] * 10 + digits[1], minlength=100)  # channels do not depend on each other
    assert pairs.sub(300).abs().max() < 120


def test_training_alone_depends_on_the_seed() -> None:
    one, again, other = (StackedDigits(seed=seed, **SMALL) for seed in (1, 1, 2))
    assert torch.equal(one.split("train").x, again.split("train").x)
    assert not torch.equal(one.split("train").x, other.split("train").x)
    for split in ("val", "test"):
        assert torch.equal(one.split(split).x, other.split(split).x)
    shorter = StackedDigits(seed=1, **(SMALL | {"num_train": 100})).split("train")
    assert torch.equal(shorter.x, one.split("train").x[:100])  # a sample is a function of its number


def test_facts_name_the_base() -> None:
    facts = StackedDigits(image_size=16, **SMALL).facts()
    assert facts.sample_shape == [3, 16, 16]
    assert facts.num_classes == 1000
    assert facts.parts == Digits(image_size=16).facts()
    assert facts.parts.overrides == "data=digits data.image_size=16"
    assert facts.overrides.startswith("data=stacked_digits ")


@pytest.mark.parametrize(
    ("option", "value"), [("num_train", 0), ("num_val", -1), ("num_test", -1), ("num_classes", 10)]
)
def test_arguments_out_of_range(option: str, value: int) -> None:
    with pytest.raises(OptionError) as caught:
        StackedDigits(**(SMALL | {option: value})).prepare()
    assert caught.value.option == option
