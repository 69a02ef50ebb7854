"""One run from its config to its end: data, model, folder, training, last words."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from ganvas.errors import OptionError, require
from ganvas.functional.distributed import is_distributed
from ganvas.functional.random import hash64
from ganvas.model.recipe import Recipe
from ganvas.runtime.build import bind, build, check_targets
from ganvas.runtime.run_folder import RunFolder, check_writable, create
from ganvas.runtime.trainer import AcceleratorOptions, TrainerOptions, make_trainer

log = logging.getLogger("ganvas")


@dataclass
class Outcome:
    """How a run ended: the exit code for the shell, and where to look."""

    folder: RunFolder
    state: str
    exit_code: int
    figures: dict[str, float]


class Lifeline(pl.Callback):
    """Keeps status.json true while training, and turns signals into a stop at the end of a batch."""

    def __init__(self, folder: RunFolder, every_seconds: float = 5.0) -> None:
        self.folder, self.every_seconds = folder, every_seconds
        self.signal: int | None = None
        self._written = time.monotonic()

    def catch(self, number: int, frame: FrameType | None) -> None:
        """The handler: the first signal asks for a stop, the second one leaves at once."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        stop = self.signal is not None
        if is_distributed():  # all ranks stop after the same batch
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            self.signal = self.signal or signal.SIGTERM
            trainer.should_stop = True
            trainer.stopped_by_signal = True  # type: ignore[attr-defined]  # read by callbacks: no last figures
            trainer.limit_val_batches = 0  # no validation on the way out
        now = time.monotonic()
        if now - self._written > self.every_seconds and trainer.is_global_zero:
            self._written = now
            self.folder.write_status(images_seen=pl_module.images_seen)


def prepare(config: dict[str, Any]) -> tuple[Any, Recipe, TrainerOptions, AcceleratorOptions]:
    """Builds data and model, and finds whatever is wrong with the config before anything is written."""
    require(
        isinstance(config["seed"], int) and 0 <= config["seed"] < 2**63,
        "seed", config["seed"], "must be a whole number in [0, 2^63)",
    )  # fmt: skip
    options = _section(TrainerOptions, config["trainer"], "trainer")
    machine = _section(AcceleratorOptions, config["accelerator"], "accelerator")
    torch.set_float32_matmul_precision(machine.matmul_precision)
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    data = build(config["data"], "data")
    require(isinstance(data, pl.LightningDataModule),
            "data._target_", config["data"].get("_target_"), "is no data; choose data=digits")  # fmt: skip
    with _named("data"):
        data.prepare()
    model = build_model(config, data)
    if isinstance(machine.devices, int) and machine.strategy == "ddp":
        world = machine.devices * machine.num_nodes
        require(data.batch_size % world == 0, "data.batch_size", data.batch_size,
                f"is global and must be a multiple of the {world} processes")  # fmt: skip
    every, batches = options.val_check_interval, data.num_samples("train") // data.batch_size
    require(
        not isinstance(every, int) or options.check_val_every_n_epoch is None or every <= batches,
        "trainer.val_check_interval", every,
        f"an epoch has {batches} batches; add trainer.check_val_every_n_epoch=null to count across epochs",
    )  # fmt: skip
    return data, model, options, machine


def build_model(config: dict[str, Any], data: Any) -> Recipe:
    """The recipe with its initial weights (a function of the seed), checked against the data's samples."""
    torch.manual_seed(hash64(config["seed"], "init"))
    model = build(config["model"], "model")
    if not isinstance(model, Recipe):
        raise OptionError("model._target_", config["model"]["_target_"], "is no ganvas.model.recipe.Recipe")
    sample = next(iter(data.batches("train", 2, limit=2))).x
    with _named("model"):
        try:
            model.check_sample(sample)
        except OptionError as error:
            if error.option not in ("generator", "decoder"):
                raise
            # It makes other shapes than the data's, whose size is what the user sets.
            raise OptionError("data.image_size", list(sample.shape[1:]), error.reason) from error
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise OptionError(
                "data.image_size",
                list(sample.shape[1:]),
                f"the model cannot take such samples ({reason}); choose another size or another model",
            ) from error
        model.configure_optimizers()
    return model


def _check_fits(model: Recipe, checkpoint: Path, run: RunFolder) -> None:
    """Raises OptionError where the checkpoint's tensors are of other names or sizes than the model's."""
    stored = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    sizes, wanted = (
        {key: tuple(x.shape) for key, x in state.items()} for state in (stored, model.state_dict())
    )
    for key in sorted(sizes.keys() | wanted.keys()):
        if sizes.get(key) != wanted.get(key):
            reason = f"holds {key} of {sizes.get(key)}, the model {wanted.get(key)}; keep the model as it was"
            raise OptionError("RUN", run.path, reason)


def _section(kind: Any, values: dict[str, Any], path: str) -> Any:
    values = {key: value for key, value in values.items() if not key.startswith("_")}
    arguments = bind(kind, values, path)
    with _named(path):
        return kind(**arguments)


class _named:
    """Puts the section's path before an OptionError that does not carry it yet."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        known = ("data.", "model.", f"{self.path}.")
        if isinstance(error, OptionError) and not error.option.startswith(known):
            raise error.under(self.path) from error


def train(run: dict[str, Any], *, resume: RunFolder | None = None) -> Outcome:
    """Trains what ``run["config"]`` describes, in a new folder or from the newest checkpoint of ``resume``.

    Args:
        run: ``config`` (plain values, ``paths.run_dir`` set) and ``ganvas`` (provenance), as in run.yaml.
        resume: the run to continue, in its own folder.

    Raises:
        OptionError: before anything is written.
    """
    began = time.monotonic()
    config = run["config"]
    check_targets(config, config.get("allow_imports") or ())
    run_dir = Path(config["paths"]["run_dir"])
    first_rank = int(os.environ.get("LOCAL_RANK", 0)) == 0
    if resume is None and first_rank:
        below = run_dir.is_relative_to(config["paths"]["output_dir"])
        check_writable(run_dir, "paths.output_dir" if below else "paths.run_dir")
    data, model, options, machine = prepare(config)
    checkpoint = resume.newest_checkpoint() if resume else None
    if resume and checkpoint:
        _check_fits(model, checkpoint, resume)
    callbacks = [build(node, f"callback.{name}") for name, node in (config.get("callback") or {}).items()]
    logger_nodes = (config.get("logger") or {}).items()
    if resume is None and first_rank:
        folder = create(run_dir, run)
    else:
        folder = RunFolder(run_dir)
        if first_rank:
            folder.write_status(state="running", error=None)
    os.environ["GANVAS_RUN_DIR"] = str(run_dir.resolve())  # ranks that Lightning starts join this run
    handler = _log_to(folder.path / "train.log") if first_rank else None
    _quiet_libraries()
    lifeline = Lifeline(folder)
    restore = _handle_signals(lifeline)
    try:
        loggers: list[Logger] = [build(node, f"logger.{name}") for name, node in logger_nodes]
        trainer = make_trainer(
            options, machine, batch_size=data.batch_size, train_samples=data.num_samples("train"),
            callbacks=[lifeline, *(c for c in callbacks if c is not None)],
            loggers=[one for one in loggers if one is not None], run_dir=str(folder.path),
        )  # fmt: skip
        model.log_every(options.log_every_images, data.batch_size)
        _lay_out(model, machine)
        log.info("%s on %s, folder %s", config["model"]["_target_"], config["data"]["_target_"], folder.path)
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint and str(checkpoint), weights_only=True)
    except OptionError as error:
        _fail(folder, error, first_rank)
        raise
    except KeyboardInterrupt:
        return _interrupted(folder, model, lifeline, first_rank)
    except SystemExit:
        # Lightning turns a KeyboardInterrupt inside fit into an exit.
        return _interrupted(folder, model, lifeline, first_rank)
    except BaseException as error:
        _fail(folder, error, first_rank)
        raise
    finally:
        restore()
        if handler is not None:
            logging.getLogger().removeHandler(handler)
            handler.close()
        os.environ.pop("GANVAS_RUN_DIR", None)
    if lifeline.signal is not None:
        return _interrupted(folder, model, lifeline, first_rank)
    # A resumed run with nothing left to train keeps the figures that it has.
    figures = model.figures or folder.read_status().get("figures") or {}
    if first_rank:
        seconds = round(time.monotonic() - began, 1)
        folder.write_status(state="finished", images_seen=model.images_seen, figures=figures, seconds=seconds)
    return Outcome(folder, "finished", 0, figures)


def _lay_out(model: Recipe, machine: AcceleratorOptions) -> None:
    for network in model.networks.values():
        if machine.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if machine.compile:
            network.compile()


def _handle_signals(lifeline: Lifeline) -> Any:
    """Installs the handlers (main thread only); returns what puts the old ones back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    old = {number: signal.signal(number, lifeline.catch) for number in (signal.SIGINT, signal.SIGTERM)}
    return lambda: [signal.signal(number, handler) for number, handler in old.items()]


def _interrupted(folder: RunFolder, model: Recipe, lifeline: Lifeline, first_rank: bool) -> Outcome:
    if first_rank:
        folder.write_status(state="interrupted", images_seen=model.images_seen)
    return Outcome(folder, "interrupted", 128 + (lifeline.signal or signal.SIGINT), model.figures)


def _fail(folder: RunFolder, error: BaseException, first_rank: bool) -> None:
    log.error("%s", "".join(traceback.format_exception(error)))
    if first_rank:
        folder.write_status(state="failed", error=f"{type(error).__name__}: {error}")


def _log_to(path: Path) -> logging.Handler:
    """train.log gets what Lightning, its warnings and ganvas say; the terminal stays for the user."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    return handler


def _quiet_libraries() -> None:
    """Lightning's own talk goes to train.log alone."""
    logging.captureWarnings(True)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger().addHandler(logging.NullHandler())  # else logging prints where no handler is
