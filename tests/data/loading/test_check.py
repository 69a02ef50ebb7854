from __future__ import annotations

from typing import Any

import pytest
import torch

from ganvas.data.loading import check
from ganvas.data.loading.check import check_labels, check_memory, check_splits
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError

POINTS = torch.linspace(-1, 1, 12).reshape(6, 2)
LABELS = torch.arange(6) % 3
IMAGES = torch.zeros(6, 3, 8, 8, dtype=torch.uint8)


def splits(x: torch.Tensor = POINTS, label: torch.Tensor | None = LABELS, **others: Any) -> dict[str, Any]:
    return {name: Stored(x.clone(), label) for name in ("train", "val", "test")} | others


def refuses(given: Any, image_size: int | None = None) -> OptionError:
    with pytest.raises(OptionError) as caught:
        check_splits(given, kind="my.Data", image_size=image_size)
    return caught.value


def test_what_is_as_promised_is_taken() -> None:
    edge = torch.tensor([[-1.00005, 1.00005]])  # rounding of who normalized it
    for given in (
        splits(),
        splits(label=None),
        splits(val=Stored(POINTS[:0], LABELS[:0])),
        splits(edge, None),
    ):
        check_splits(given, kind="my.Data", image_size=None)
    other_size = Stored(torch.zeros(2, 3, 5, 9, dtype=torch.uint8), None)
    for given in (splits(IMAGES, None), splits(IMAGES, None, val=other_size)):
        check_splits(given, kind="my.Data", image_size=16)
    check_splits(splits(torch.zeros(6, 1, 16, 16)), kind="my.Data", image_size=16)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_a_value_that_is_not_finite_is_named(value: float, name: str) -> None:
    given = splits()
    given[name].x[4, 1] = given[name].x[5, 0] = value
    error = refuses(given)
    assert (error.option, error.value) == ("_target_", "my.Data")
    assert f"2 samples of the {name} split are not finite, the first is sample 4; mend" in error.reason


@pytest.mark.parametrize("value", [-1.001, 1.001, 255.0, 3e38])
def test_a_value_out_of_range_is_named(value: float) -> None:
    given = splits()
    given["val"].x[3, 0] = value
    assert f"{value:g}" in refuses(given).reason
    assert "the val split reaches from" in refuses(given).reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([1, 2], "must return a dict of train, val, test"),
        ({"train": Stored(POINTS, None)}, "must return a dict of train, val, test"),
        (splits(val=POINTS), "Stored for val"),
        (splits(POINTS.double()), "must be uint8 images"),
        (splits(POINTS[:, 0]), "must be uint8 images"),
        (splits(POINTS.byte()), "is uint8 [6, 2] and must be [N, C, H, W]"),
        (splits(test=Stored(POINTS[:, :1], None)), "different shapes"),
        (splits(IMAGES, test=Stored(IMAGES[:, :1], LABELS)), "different shapes"),
        (splits(train=Stored(POINTS[:0], LABELS[:0])), "the train split is empty"),
        (splits(val=Stored(POINTS, LABELS[:5])), "the labels of val must be int64 [6]"),
        (splits(val=Stored(POINTS, LABELS.int())), "the labels of val must be int64 [6]"),
        (splits(val=Stored(POINTS, LABELS[:, None])), "the labels of val must be int64 [6]"),
    ],
)
def test_what_is_not_as_promised(given: Any, reason: str) -> None:
    assert reason in refuses(given).reason


def test_images_in_floats_are_not_resized() -> None:
    error = refuses(splits(torch.zeros(6, 1, 8, 8)), image_size=16)
    assert (error.option, error.value) == ("image_size", 16)
    assert "image_size=8, or store uint8" in error.reason


@pytest.mark.parametrize(
    ("label", "declared", "classes", "want"),
    [
        (
            -1,
            None,
            3,
            "num_classes=null: sample 2 of the val split has the label -1, labels begin at 0; mend",
        ),
        (-1, 3, 3, "num_classes=3: sample 2 of the val split has the label -1, labels begin at 0; mend"),
        (3, 3, 4, "num_classes=3: .* the label 3, labels are 0 to 2; mend the labels, or num_classes=4$"),
        (9, None, 3, "num_classes=null: .* the label 9, labels are 0 to 2; mend the labels"),
        (2, 3, 3, None),
        (2, None, 3, None),
    ],
)
def test_labels(label: int, declared: int | None, classes: int, want: str | None) -> None:
    given = splits(val=Stored(POINTS, torch.tensor([0, 1, label, 2, 1, 0])))
    if want is None:
        check_labels(given, declared=declared, classes=classes)
        return
    with pytest.raises(OptionError, match=f"^{want}"):
        check_labels(given, declared=declared, classes=classes)


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    page = check.os.sysconf("SC_PAGE_SIZE")
    counts = {"SC_PHYS_PAGES": 100, "SC_PAGE_SIZE": page}
    monkeypatch.setattr(check.os, "sysconf", counts.__getitem__)
    side = int((100 * page / 6 / 3) ** 0.5)
    check_memory([IMAGES], side)
    with pytest.raises(OptionError, match=f"^image_size={side + 1}: .*choose a smaller size"):
        check_memory([IMAGES], side + 1)
    check_memory([IMAGES[:1].expand(10**9, 3, 8, 8)], 8)  # as they are: nothing is made
