"""Attacks by a run.yaml: what it names, and where it would write."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile_case import Case, edit_config, forged_run

Config = dict[str, Any]


def _targets(canary: Path) -> dict[str, Config]:
    """What must not be made, by the name of the case: it would write the canary, or call what may."""
    touch, text = f"touch {canary}", {"path": str(canary), "text": "x"}
    return {
        "os_system": {"_target_": "os.system", "command": touch},
        "posix_system": {"_target_": "posix.system", "command": touch},
        "popen": {"_target_": "subprocess.Popen", "args": ["touch", str(canary)]},
        "eval": {"_target_": "builtins.eval", "source": f"open({str(canary)!r}, 'w')"},
        "exec": {"_target_": "builtins.exec", "source": f"open({str(canary)!r}, 'w')"},
        "open": {"_target_": "io.open", "file": str(canary), "mode": "w"},
        "write_text": {"_target_": "pathlib.Path.write_text", "self": str(canary), "data": "x"},
        "torch_load": {"_target_": "torch.load", "f": str(canary), "weights_only": False},
        "torch_save": {"_target_": "torch.save", "obj": 1, "f": str(canary)},
        "torch_hub": {"_target_": "torch.hub.load", "repo_or_dir": "x/y", "model": "z"},
        "hydra_get_method": {"_target_": "hydra.utils.get_method", "path": "os.system"},
        "hydra_call": {"_target_": "hydra.utils.call", "config": {"_target_": "os.system", "command": touch}},
        "lightning_trainer": {"_target_": "pytorch_lightning.Trainer"},
        "lightning_fabric": {"_target_": "lightning_fabric.utilities.cloud_io._load"},
        "our_write_text": {"_target_": "ganvas.run.folder.run_folder.write_text", **text},
        "our_command_line": {"_target_": "ganvas.cli.main.main", "arguments": ["train", "name=canary"]},
        "our_images": {
            "_target_": "ganvas.modality.drawing.files.save_image",
            "path": str(canary),
            "image": 1,
        },
        "our_download": {"_target_": "ganvas.functional.download.download", "folder": str(canary)},
        "our_unpickler": {"_target_": "ganvas.data.cifar10.parse_batch", "content": "x"},
        "our_helper_class": {"_target_": "ganvas.data.loading.stored.Stored", "x": 1, "label": 1},
        "our_private_class": {"_target_": "ganvas.data.cifar10._PlainUnpickler", "file": "x"},
        "re_exported_path": {"_target_": "ganvas.data.cifar10.Path", "args": str(canary)},
        "re_exported_class": {"_target_": "ganvas.model.gan.Recipe", "seed": 1},
        "re_exported_function": {"_target_": "ganvas.model.gan.hash64", "parts": 1},
        "lightning_function": {
            "_target_": "pytorch_lightning.loggers.csv_logs.rank_zero_experiment",
            "fn": "x",
        },
        "lightning_writes_yaml": {
            "_target_": "pytorch_lightning.loggers.tensorboard.save_hparams_to_yaml",
            "config_yaml": str(canary),
            "hparams": {"a": 1},
        },
        "lightning_file_system": {
            "_target_": "pytorch_lightning.callbacks.model_checkpoint.get_filesystem",
            "path": "file:///",
        },
        "torch_function": {"_target_": "torch.nn.functional.relu", "input": 1},
        "torch_init": {"_target_": "torch.nn.init.zeros_", "tensor": 1},
        "module_of_module": {"_target_": "torch.nn.functional.torch.load", "f": "x"},
        "builtins_of_module": {"_target_": "ganvas.model.gan.__builtins__.eval", "source": "1"},
        "loader_of_module": {"_target_": "ganvas.model.gan.__loader__", "x": 1},
        "dunder_of_torch": {"_target_": "torch.nn.__dict__"},
        "no_module": {"_target_": "eval", "source": "1"},
        "empty": {"_target_": ""},
        "dots": {"_target_": "ganvas.model..gan.GAN"},
        "cyrillic_letter": {"_target_": "g\u0430nvas.model.gan.GAN"},
        "full_width_letters": {"_target_": "\uff4f\uff53.system", "command": touch},
        "cyrillic_behind_the_prefix": {"_target_": "ganvas.model.g\u0430n.GAN"},
        "leading_space": {"_target_": " os.system", "command": touch},
        "line_break": {"_target_": "ganvas.model.gan.GAN\nos.system", "command": touch},
        "tab": {"_target_": "ganvas.model.gan.GAN\t"},
        "prefix_alone": {"_target_": "ganvas.model."},
        "prefix_of_a_name": {"_target_": "ganvas_evil.f"},
        "list": {"_target_": ["os.system"]},
        "dict": {"_target_": {"os": "system"}},
        "number": {"_target_": 3},
        "partial_text": {"_target_": "torch.nn.ReLU", "_partial_": "os.system"},
        "arguments_key": {"_target_": "torch.nn.ReLU", "_args_": [touch]},
        "path_key": {"_target_": "torch.nn.ReLU", "path": "os.system"},
        "evil_module": {"_target_": "evil_of_config.f"},
    }


def _put(config: Config, place: str, node: Config) -> None:
    *path, last = place.split(".")
    section = config
    for key in path:
        section = section.setdefault(key, {})
    section[last] = node


def _named(name: str, place: str, command: str) -> Case:
    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder)
        (folder / "evil_of_config.py").write_text(f"open({str(canary)!r}, 'w')\ndef f(): ...\n")
        edit_config(path, lambda config: _put(config, place, _targets(canary)[name]))
        return [command, str(path)]

    says = (
        "_target_="
        if not name.endswith(("_key", "partial_text"))
        else "=os.system" * (name != "arguments_key")
    )
    return Case(f"target/{name}", prepare, says=says)


_PLACES = (
    "model",
    "model.generator",
    "data",
    "model.generator_optimizer",
    "logger.x",
    "callback.x",
    "metric.features",
    "extra.x",
    "trainer.x",
    "model.deep.er.still",
)
_COMMANDS = ("sample", "resume", "export", "evaluate")


def _everywhere() -> list[Case]:
    """Each target at one of the places and by one of the commands, in turn."""
    names = list(_targets(Path()))
    return [
        _named(name, _PLACES[number % len(_PLACES)], _COMMANDS[number % len(_COMMANDS)])
        for number, name in enumerate(names)
    ]


def _edited(name: str, change: Callable[[Config, Path, Path], object], command: str, says: str = "") -> Case:
    def prepare(canary: Path, folder: Path) -> list[str]:
        path = forged_run(folder)
        (folder / "evil_of_stored.py").write_text(f"open({str(canary)!r}, 'w')\ndef f(): ...\n")
        edit_config(path, lambda config: change(config, canary, folder))
        return [command, str(path)]

    return Case(name, prepare, says=says)


def _allows_itself(config: Config, canary: Path, folder: Path) -> None:
    config["allow_imports"] = ["evil_of_stored", "os"]
    config["model"]["generator"] = {"_target_": "evil_of_stored.f"}


def _in_a_list(config: Config, canary: Path, folder: Path) -> None:
    touch = {"_target_": "os.system", "command": f"touch {canary}"}
    config["model"]["generator"]["hidden_dim"] = [1, [{"a": touch}]]


def _in_a_hidden_key(config: Config, canary: Path, folder: Path) -> None:
    config["data"]["_shared_"].append("hidden")
    config["data"]["hidden"] = {"_target_": "os.system", "command": f"touch {canary}"}


def _as_a_hook(config: Config, canary: Path, folder: Path) -> None:
    hook = {"_target_": "os.system", "_partial_": True, "command": f"touch {canary}"}
    config["callback"]["x"] = {"_target_": "pytorch_lightning.callbacks.LambdaCallback", "setup": hook}


def _checkpoints_elsewhere(config: Config, canary: Path, folder: Path) -> None:
    config["callback"]["x"] = {
        "_target_": "pytorch_lightning.callbacks.ModelCheckpoint",
        "dirpath": str(canary.parent),
        "filename": "canary",
    }


def _logs_elsewhere(config: Config, canary: Path, folder: Path) -> None:
    config["logger"] = {"x": {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "../.."}}


def _logs_under_another_name(config: Config, canary: Path, folder: Path) -> None:
    logger = {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": str(folder / "run")}
    config["logger"] = {"x": {**logger, "name": "../../x", "version": "y"}}


def _rows_elsewhere(config: Config, canary: Path, folder: Path) -> None:
    config["callback"]["x"] = {"_target_": "ganvas.callback.record.Record", "run_dir": str(canary.parent)}


def _deep(config: Config, canary: Path, folder: Path) -> None:
    node: Any = {"_target_": "os.system", "command": f"touch {canary}"}
    for _ in range(60):
        node = [node]
    config["extra"] = node


def _drop(section: str, config: Config, canary: Path, folder: Path) -> None:
    del config[section]


def _replace(section: str, value: Any, config: Config, canary: Path, folder: Path) -> None:
    config[section] = value


def _parts_that_do_not_fit(config: Config, canary: Path, folder: Path) -> None:
    config["model"]["generator"] = {"_target_": "ganvas.model.optimizer.adam.adam", "_partial_": True}


_EDITED = [
    _edited("config/allows_itself", _allows_itself, "sample", "allow-list"),
    _edited("config/allows_itself_at_resume", _allows_itself, "resume", "allow-list"),
    _edited("config/in_a_list", _in_a_list, "export", "[1][0].a._target_"),
    _edited("config/in_a_hidden_key", _in_a_hidden_key, "sample", "data.hidden._target_"),
    _edited("config/as_a_hook", _as_a_hook, "resume", "callback.x.setup._target_"),
    _edited("config/deep", _deep, "sample"),
    _edited("config/checkpoints_elsewhere", _checkpoints_elsewhere, "resume", "callback.x.dirpath"),
    _edited("config/logs_elsewhere", _logs_elsewhere, "resume", "logger.x.save_dir"),
    _edited("config/logs_under_another_name", _logs_under_another_name, "resume", "logger.x.name"),
    _edited("config/rows_elsewhere", _rows_elsewhere, "resume", "callback.x.run_dir"),
    _edited(
        "config/parts_that_do_not_fit",
        _parts_that_do_not_fit,
        "sample",
        "partial: must be Module",
    ),
    _edited("config/no_model", functools.partial(_drop, "model"), "sample", "no section model"),
    _edited("config/no_paths", functools.partial(_drop, "paths"), "resume", "no section paths"),
    _edited("config/data_a_list", functools.partial(_replace, "data", [1]), "evaluate", "no section data"),
    _edited("config/callback_text", functools.partial(_replace, "callback", "x"), "resume", "callback"),
]


CASES = [*_everywhere(), *_EDITED]
