from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest
import torch

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading.augment import flip, shift
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError
from ganvas.functional.batch import Batch, StoredBatch
from ganvas.functional.random import hash64

IMAGES = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
DEFAULTS = {"batch_size": 4, "channels": 3, "image_size": 8, "num_classes": 5, "seed": 9}


class Images(TensorDataModule):
    loads = 0

    def load(self) -> dict[str, Stored]:
        self.loads += 1
        label = torch.arange(20) % 5
        return {
            "train": Stored(IMAGES[:13], label[:13]),
            "val": Stored(IMAGES[13:13], label[13:13]),
            "test": Stored(IMAGES[13:], label[13:]),
        }


class Points(TensorDataModule):
    def load(self) -> dict[str, Stored]:
        points = torch.linspace(-1, 1, 12).reshape(6, 2)
        return {name: Stored(points, None) for name in ("train", "val", "test")}


def make(**options) -> Images:
    return Images(**(DEFAULTS | options))


def stored_batch(rows: list[int]) -> StoredBatch:
    return StoredBatch(x=IMAGES[rows], label=torch.tensor(rows) % 5, row=torch.tensor(rows))


def with_trainer(module: TensorDataModule, *, training: bool, epoch: int = 0) -> TensorDataModule:
    recipe = SimpleNamespace(batches_seen=5 * epoch + 2)  # the clock that epochs are counted by
    module.trainer = SimpleNamespace(training=training, lightning_module=recipe, num_training_batches=5)
    return module


def test_prepare_reads_once_and_setup_uses_it():
    module = make()
    module.prepare()
    module.prepare()
    module.setup("fit")
    assert module.loads == 1
    assert module.sample_shape == (3, 8, 8)
    assert [module.num_samples(name) for name in ("train", "val", "test")] == [13, 0, 7]


@pytest.mark.parametrize(
    ("option", "value", "mend"),
    [
        ("channels", 1, "channels=3"),
        ("channels", None, "channels=3"),
        ("num_classes", 4, "num_classes=5"),
        ("num_classes", 6, "num_classes=5"),
        ("batch_size", 14, "batch_size=13 at most"),
    ],
)
def test_prepare_checks_what_is_declared(option, value, mend):
    with pytest.raises(OptionError, match=mend) as caught:
        make(**{option: value}).prepare()
    assert (caught.value.option, caught.value.value) == (option, value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch_size", 0),
        ("num_workers", -1),
        ("channels", 0),
        ("image_size", -8),
        ("num_classes", 0),
        ("resize_mode", "crop"),
        ("random_shift", 8),
        ("random_shift", -1),
    ],
)
def test_arguments_out_of_range(option, value):
    with pytest.raises(OptionError) as caught:
        make(**{option: value})
    assert caught.value.option == option


def test_batch_size_may_be_the_whole_training_set_and_null_classes_are_counted():
    module = make(batch_size=13, num_classes=None)
    module.prepare()
    assert module.num_classes == 5
    assert len(module.train_dataloader()) == 1


def test_points():
    module = Points(batch_size=2)
    module.prepare()
    assert module.sample_shape == (2,)
    assert module.num_classes is None
    batch = next(iter(module.val_dataloader()))
    given = module.on_after_batch_transfer(batch, 0)
    assert torch.equal(given.x, torch.linspace(-1, 1, 12).reshape(6, 2)[:2])
    assert given.label is None
    for options in ({"channels": 1}, {"num_classes": 2}):
        with pytest.raises(OptionError, match="null"):
            Points(batch_size=2, **options).prepare()
    for options in ({"horizontal_flip": True}, {"random_shift": 1}):
        with pytest.raises(OptionError, match="points"):
            Points(batch_size=2, **options)


def test_images_are_fitted_to_image_size():
    module = make(image_size=10)
    assert module.sample_shape == (3, 10, 10)
    assert torch.equal(module.split("test").x[:, :, 1:9, 1:9], IMAGES[13:])


def test_batches_are_normalized_in_order_and_the_last_may_be_short():
    batches = list(make(horizontal_flip=True).batches("test", 3))
    assert [len(batch.x) for batch in batches] == [3, 3, 1]
    x = torch.cat([batch.x for batch in batches])
    torch.testing.assert_close(x, IMAGES[13:].double().div(255).mul(2).sub(1).float())
    assert torch.cat([batch.label for batch in batches]).tolist() == [3, 4, 0, 1, 2, 3, 4]
    assert [len(batch.x) for batch in make().batches("train", 4, limit=6)] == [4, 2]
    assert [len(batch.x) for batch in make().batches("train", 4, limit=60)] == [4, 4, 4, 1]
    assert list(make().batches("val", 4)) == []


def test_batches_of_points_do_not_hand_out_the_stored_tensor():
    module = Points(batch_size=2)
    next(module.batches("train", 2)).x.zero_()
    assert module.split("train").x[0, 0] == -1


def test_fingerprint():
    fingerprint = make().fingerprint()
    assert fingerprint == {
        "splits": {
            "train": {"count": 13, "shape": [3, 8, 8]},
            "val": {"count": 0, "shape": [3, 8, 8]},
            "test": {"count": 7, "shape": [3, 8, 8]},
        },
        "train_sha256": hashlib.sha256(bytes(IMAGES[:13].flatten().tolist())).hexdigest(),
    }


def test_loaders():
    module = make()
    assert sum(len(batch.x) for batch in module.train_dataloader()) == 12
    assert sum(len(batch.x) for batch in module.test_dataloader()) == 7
    assert module.val_dataloader() == []  # Lightning skips validation


def test_transfer_normalizes_and_leaves_a_batch_alone():
    module = with_trainer(make(), training=False)
    given = module.on_after_batch_transfer(stored_batch([2, 0]), 0)
    assert given.x.dtype == torch.float32
    torch.testing.assert_close(given.x, IMAGES[[2, 0]] / 127.5 - 1)
    assert given.label.tolist() == [2, 0]
    again = module.on_after_batch_transfer(given, 0)
    assert isinstance(again, Batch)
    assert again is given


def test_augmentation_only_in_training_and_by_index_not_by_place():
    rows = [4, 1, 7, 12, 0, 3]
    options = {"horizontal_flip": True, "random_shift": 2}
    still = with_trainer(make(**options), training=False).on_after_batch_transfer(stored_batch(rows), 0)
    torch.testing.assert_close(still.x, IMAGES[rows] / 127.5 - 1)
    moved = with_trainer(make(**options), training=True, epoch=3)
    x = moved.on_after_batch_transfer(stored_batch(rows), 0).x
    assert not torch.equal(x, still.x)
    back = moved.on_after_batch_transfer(stored_batch(rows[::-1]), 0).x
    assert torch.equal(back.flip(0), x)
    other_epoch = with_trainer(make(**options), training=True, epoch=4)
    assert not torch.equal(other_epoch.on_after_batch_transfer(stored_batch(rows), 0).x, x)
    other_seed = with_trainer(make(**options, **{"seed": 10}), training=True, epoch=3)
    assert not torch.equal(other_seed.on_after_batch_transfer(stored_batch(rows), 0).x, x)


def test_after_a_rollback_the_same_epoch_comes_in_another_order_and_augmented_otherwise():
    rows = [4, 1, 7, 12, 0, 3]
    seen = {}
    for rollbacks in (None, 0, 1, 2):
        module = with_trainer(make(horizontal_flip=True, random_shift=2), training=True, epoch=3)
        if rollbacks is not None:  # None: a recipe that has no such count
            module.trainer.lightning_module.rollbacks = rollbacks
        order = [row for batch in module.train_dataloader() for row in batch.row.tolist()]
        assert len(order) == 4, "it goes on after the two of three batches that it has seen"
        seen[rollbacks] = order, module.on_after_batch_transfer(stored_batch(rows), 0).x
    whole = torch.randperm(13, generator=torch.Generator().manual_seed(hash64("perm", 9, 3))).tolist()
    assert seen[None][0] == seen[0][0] == whole[8:12]
    assert torch.equal(seen[None][1], seen[0][1])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert seen[one][0] != seen[other][0]
        assert not torch.equal(seen[one][1], seen[other][1])


def test_flip_mirrors_half():
    x = torch.arange(6, dtype=torch.uint8).reshape(1, 1, 2, 3).expand(4000, 1, 2, 3)
    flipped = flip(x, index=torch.arange(4000), seed=1, epoch=2)
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    same = (flipped == x).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 0.46 < mirrored.float().mean() < 0.54  # 5 standard deviations


def test_shift_takes_each_offset_equally_often_and_repeats_the_edge():
    height, width, pixels = 5, 7, 2
    image = torch.arange(2 * height * width, dtype=torch.uint8).reshape(2, height, width)
    count = 10_000
    moved = shift(image.expand(count, -1, -1, -1), index=torch.arange(count), seed=1, epoch=2, pixels=pixels)
    assert moved.is_contiguous()
    tally = {}
    for down in range(-pixels, pixels + 1):
        for right in range(-pixels, pixels + 1):
            want = torch.empty_like(image)  # the reference: one pixel at a time
            for row in range(height):
                for column in range(width):
                    r, c = min(max(row - down, 0), height - 1), min(max(column - right, 0), width - 1)
                    want[:, row, column] = image[:, r, c]
            tally[down, right] = int((moved == want).flatten(1).all(1).sum())
    assert sum(tally.values()) == count
    assert all(300 < times < 500 for times in tally.values())  # 400 each, 5 standard deviations
