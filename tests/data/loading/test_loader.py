from __future__ import annotations

import multiprocessing
import os
import socket

import pytest
import pytorch_lightning as pl
import torch

from ganvas.data.datamodule import TensorDataModule
from ganvas.data.loading import loader as loader_module
from ganvas.data.loading.loader import TensorLoader, permutation
from ganvas.data.loading.stored import Stored
from ganvas.errors import OptionError


def stored(count: int) -> Stored:
    """Images [N, 1, 2, 2] whose every pixel is the row's number; label 2 * number."""
    x = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
    return Stored(x=x, label=2 * torch.arange(count))


def make(count: int = 11, training: bool = True, **options) -> TensorLoader:
    return TensorLoader(stored(count), batch_size=4, seed=5, training=training, **options)


def test_training_order_is_the_permutation_of_seed_and_epoch():
    order = permutation(11, seed=5, epoch=3)
    batches = list(make(position=lambda: (3, 0)))
    assert len(make()) == len(batches) == 2
    assert sorted(order.tolist()) == list(range(11))
    for number, batch in enumerate(batches):
        rows = order[4 * number : 4 * number + 4]
        assert torch.equal(batch.row, rows)
        assert torch.equal(batch.x[:, 0, 1, 1], rows.to(torch.uint8))
        assert torch.equal(batch.label, 2 * rows)


def test_order_differs_between_epochs_and_between_seeds():
    orders = [tuple(permutation(50, seed=s, epoch=e).tolist()) for s in (0, 1) for e in (0, 1)]
    assert len(set(orders)) == 4


def test_evaluation_keeps_order_and_the_last_batch():
    batches = list(make(training=False))
    assert [len(batch.x) for batch in batches] == [4, 4, 3]
    assert torch.cat([batch.row for batch in batches]).tolist() == list(range(11))
    assert len(make(training=False)) == 3


def test_position_gives_the_remaining_batches():
    whole = list(make(count=20, position=lambda: (1, 0)))
    rest = list(make(count=20, position=lambda: (1, 3)))
    assert [b.row.tolist() for b in rest] == [b.row.tolist() for b in whole[3:]]
    assert len(make(count=20, position=lambda: (1, 3))) == 5  # Lightning reads the epoch's length


def test_position_is_asked_at_the_first_batch():
    where = [0, 0]
    batches = iter(make(count=20, position=lambda: tuple(where)))
    where[:] = [2, 1]
    assert next(batches).row.tolist() == permutation(20, seed=5, epoch=2)[4:8].tolist()


@pytest.mark.parametrize("training", [True, False])
def test_ranks_together_see_what_one_process_sees(monkeypatch, training):
    alone = [batch.row for batch in make(training=training)]
    shares = []
    for rank in range(2):
        monkeypatch.setattr(loader_module, "world_size", lambda: 2)
        monkeypatch.setattr(loader_module, "rank", lambda rank=rank: rank)
        shares.append([batch.row for batch in make(training=training)])
    joint = [torch.cat(parts) for parts in zip(*shares, strict=True)]
    assert [j.tolist() for j in joint] == [a.tolist() for a in alone]


def test_a_rank_may_get_none_of_the_last_evaluation_batch(monkeypatch):
    monkeypatch.setattr(loader_module, "world_size", lambda: 4)
    monkeypatch.setattr(loader_module, "rank", lambda: 3)
    assert [len(batch.x) for batch in make(training=False)] == [1, 1, 0]


def test_batch_size_must_be_shared_evenly(monkeypatch):
    monkeypatch.setattr(loader_module, "world_size", lambda: 3)
    with pytest.raises(OptionError, match=r"batch_size=4.*multiple of 3"):
        next(iter(make()))
    assert len(list(make(training=False))) == 3  # evaluation splits unevenly


@pytest.mark.parametrize("training", [True, False])
def test_workers_give_the_same_batches(training):
    where = [0, 0]
    alone, helped = (
        make(training=training, num_workers=workers, position=lambda: tuple(where)) for workers in (0, 2)
    )
    for where[:] in ([0, 0], [1, 1]):  # the second time workers persist
        first, second = list(alone), list(helped)
        assert len(first) == len(second) > 0
        for a, b in zip(first, second):
            assert torch.equal(a.x, b.x)
            assert torch.equal(a.label, b.label)
            assert torch.equal(a.row, b.row)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_left_early_does_not_leak_into_the_next(workers):
    helped = make(count=40, num_workers=workers)
    next(iter(helped))
    assert [b.row.tolist() for b in helped] == [b.row.tolist() for b in make(count=40)]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_global_generator_is_left_alone(workers):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    list(make(num_workers=workers))
    assert torch.equal(torch.get_rng_state(), before)


def test_no_labels():
    batches = list(TensorLoader(Stored(torch.rand(6, 2), None), batch_size=3, seed=0, training=True))
    assert [batch.label for batch in batches] == [None, None]


# ---- under Lightning ----


class Numbers(TensorDataModule):
    """22 images: 5 batches of 4 an epoch."""

    def __init__(self, num_workers: int = 0) -> None:
        super().__init__(
            batch_size=4, num_workers=num_workers, seed=7, channels=1, image_size=2, random_shift=1
        )

    def load(self) -> dict[str, Stored]:
        return {"train": stored(22), "val": stored(6), "test": stored(3)}


class Recorder(pl.LightningModule):
    """Keeps what each training step was given."""

    def __init__(self, *, manual: bool = False) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.automatic_optimization = not manual
        self.seen: list[tuple[int, list[int]]] = []

    def on_before_batch_transfer(self, batch, dataloader_idx):
        self.row = batch.row.tolist()
        return batch

    def training_step(self, batch, batch_idx):
        self.seen.append((self.trainer.current_epoch, self.row))
        loss = (self.weight * batch.x).square().mean()
        if self.automatic_optimization:
            return loss
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return None

    def validation_step(self, batch, batch_idx):
        assert batch.x.dtype == torch.float32

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


class SaveAt(pl.Callback):
    """Saves after a number of batches, in the hook named."""

    def __init__(self, path: str, batches: int, hook: str) -> None:
        self.path, self.batches, self.hook = path, batches, hook

    def _save(self, hook: str, trainer: pl.Trainer, module: Recorder) -> None:
        if hook == self.hook and len(module.seen) == self.batches and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)

    def on_train_batch_end(self, trainer, pl_module, *_):
        self._save("on_train_batch_end", trainer, pl_module)

    def on_validation_end(self, trainer, pl_module):
        self._save("on_validation_end", trainer, pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        self._save("on_train_epoch_end", trainer, pl_module)


def run(*, limit: dict, manual: bool, workers: int = 0, callback=None, path: str | None = None) -> Recorder:
    module = Recorder(manual=manual)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[callback] if callback else [],
        **limit,
    )
    trainer.fit(module, datamodule=Numbers(workers), ckpt_path=path, weights_only=False if path else None)
    return module


def expected() -> list[tuple[int, list[int]]]:
    orders = [permutation(22, seed=7, epoch=epoch) for epoch in range(3)]
    return [(e, order[4 * i : 4 * i + 4].tolist()) for e, order in enumerate(orders) for i in range(5)]


CASES = [(hook, at) for hook in ("on_train_batch_end",) for at in (1, 3, 5, 7, 9, 10, 11)]
CASES += [("on_train_epoch_end", 5), ("on_train_epoch_end", 10), ("on_validation_end", 5)]


@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("limit", [{"max_epochs": 3}, {"max_steps": 15}], ids=["epochs", "steps"])
@pytest.mark.parametrize(("hook", "at"), CASES)
def test_a_resumed_fit_sees_exactly_the_remaining_batches(tmp_path, hook, at, limit, manual):
    path = str(tmp_path / "a.ckpt")
    whole = run(limit=limit, manual=manual, callback=SaveAt(path, at, hook))
    assert whole.seen == expected()
    resumed = run(limit=limit, manual=manual, path=path)
    assert resumed.seen == expected()[at:]
    assert torch.equal(resumed.weight, whole.weight)  # augmentation too is that of the same epoch


def test_a_resumed_fit_with_workers(tmp_path):
    path = str(tmp_path / "a.ckpt")
    run(limit={"max_steps": 15}, manual=True, workers=1, callback=SaveAt(path, 7, "on_train_batch_end"))
    assert run(limit={"max_steps": 15}, manual=True, workers=1, path=path).seen == expected()[7:]


# ---- with real processes ----


def _rank_main(rank: int, port: int, queue) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    queue.put((rank, [b.row.tolist() for t in (True, False) for b in make(training=t)]))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_gloo_ranks_share_each_batch(free_port):
    context = multiprocessing.get_context("fork")  # spawn would import Lightning anew, twice
    queue = context.Queue()
    ranks = [context.Process(target=_rank_main, args=(rank, free_port, queue)) for rank in range(2)]
    for process in ranks:
        process.start()
    shares = dict(queue.get(timeout=60) for _ in ranks)
    for process in ranks:
        process.join(timeout=60)
        assert process.exitcode == 0
    alone = [b.row.tolist() for t in (True, False) for b in make(training=t)]
    assert [a + b for a, b in zip(shares[0], shares[1], strict=True)] == alone
