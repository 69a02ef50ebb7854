from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganvas.errors import OptionError
from ganvas.run.config.allowed import MAX_DEPTH, MAX_NODES, check_kinds, check_targets, locate

CONF = Path(__file__).parents[3] / "conf"


def targets(node: Any) -> list[str]:
    """Every ``_target_`` in a tree."""
    if isinstance(node, dict):
        own = [node["_target_"]] if isinstance(node.get("_target_"), str) else []
        return own + [target for value in node.values() for target in targets(value)]
    return [target for value in node for target in targets(value)] if isinstance(node, list) else []


def packaged() -> list[str]:
    files = [path for path in CONF.rglob("*.yaml") if "hydra" not in path.relative_to(CONF).parts]
    return sorted({target for path in files for target in targets(yaml.safe_load(path.read_text()))})


@pytest.mark.parametrize("target", packaged())
def test_whatever_the_packaged_options_name_is_allowed(target: str) -> None:
    check_targets({"_target_": target})
    check_kinds({"_target_": target})
    assert locate(target, "x").__name__ == target.rpartition(".")[2]


def test_there_are_packaged_options() -> None:
    assert "ganvas.model.optimizer.adam.adam" in packaged()
    assert len(packaged()) > 30


@pytest.mark.parametrize(
    "target",
    [
        "torch.nn.ReLU",
        "torch.nn.modules.linear.Linear",
        "torch.optim.SGD",
        "torch.optim.lr_scheduler.StepLR",
        "pytorch_lightning.loggers.CSVLogger",
        "pytorch_lightning.callbacks.DeviceStatsMonitor",
        "pytorch_lightning.callbacks.timer.Timer",
    ],
)
def test_parts_of_torch_and_lightning_are_allowed(target: str) -> None:
    check_targets({"a": [{"_target_": target}]})
    assert isinstance(locate(target, "x"), type)


@pytest.mark.parametrize(
    ("target", "instead"),
    [
        ("pytorch_lightning.callbacks.EarlyStopping", r"callback=\[default,early_stopping\]"),
        ("pytorch_lightning.callbacks.early_stopping.EarlyStopping", r"callback=\[default,early_stopping\]"),
        ("pytorch_lightning.callbacks.lr_monitor.LearningRateMonitor", "learning_rate/"),
    ],
)
def test_what_cannot_work_here_is_refused_with_what_does(target: str, instead: str) -> None:
    with pytest.raises(OptionError, match=rf"^a\._target_={target}: .*{instead}"):
        check_targets({"a": {"_target_": target}})


# What lies in an allowed room and is no part of its kind.
OF_ANOTHER_KIND = [
    "ganvas.callback.drawing.shown.save_shown",
    "ganvas.callback.charts.Path",
    "ganvas.data.cifar10.parse_batch",
    "ganvas.data.files.idx.read_idx",
    "ganvas.data.loading.stored.Stored",
    "ganvas.model.quantizer.interface.Quantizer",  # abstract
    "ganvas.metric.evaluate.evaluating",
    "ganvas.metric.interface.FeatureExtractor",  # a protocol
    "ganvas.model.latent_generator.hash64",
    "ganvas.model.gan.LatentGenerator",
    "ganvas.model.training.recipe.contextmanager",
    "torch.nn.functional.relu",
    "torch.nn.Parameter",
    "torch.nn.init.zeros_",
    "torch.optim.swa_utils.AveragedModel",
    "torch.optim.swa_utils.update_bn",
    "pytorch_lightning.callbacks.model_checkpoint.get_filesystem",
    "pytorch_lightning.loggers.tensorboard.save_hparams_to_yaml",
    "pytorch_lightning.loggers.Logger",  # abstract
]


@pytest.mark.parametrize("target", OF_ANOTHER_KIND)
def test_other_kinds_are_refused_by_both_ways_in(target: str) -> None:
    check_targets({"_target_": target})  # by its name alone it could be a part
    for refuse in (lambda: locate(target, "m.x"), lambda: check_kinds({"x": [{"_target_": target}]}, "m")):
        with pytest.raises(OptionError, match="allow-list") as caught:
            refuse()
        assert caught.value.option in ("m.x._target_", "m.x[0]._target_")


def test_a_users_own_may_be_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_of_allowed.py").write_text("from os.path import join\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    node = {"_target_": "mine_of_allowed.join", "path": "a.b"}
    check_targets(node, ["mine_of_allowed"])
    check_kinds(node)
    assert "mine_of_allowed" not in sys.modules
    assert locate("mine_of_allowed.join", "x")("a", "b") == "a/b"


@pytest.mark.parametrize("target", ["mine.__class__", "mine.a b", "mine.", "mine..f", "mine.f()", "mine\n"])
def test_a_users_own_must_be_a_name_all_the_same(target: str) -> None:
    with pytest.raises(OptionError, match="allow-list"):
        check_targets({"_target_": target}, ["mine"])


@pytest.mark.parametrize(
    ("node", "option"),
    [
        ({"_target_": "torch.nn.ReLU", "_partial_": "yes"}, "m._partial_"),
        ({"_target_": "torch.nn.ReLU", "_args_": [1]}, "m._args_"),
        ({"_target_": "torch.nn.ReLU", "_recursive_": False}, "m._recursive_"),
        ({"_target_": "torch.nn.ReLU", "_shared_": "a"}, "m._shared_"),
        ({"_target_": "torch.nn.ReLU", "path": "os.system"}, "m.path"),
        ({"_target_": "torch.nn.ReLU", 3: 4}, "m.3"),
    ],
)
def test_keys_that_steer_the_call_are_checked(node: dict, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_targets(node, path="m")
    assert caught.value.option == option


def test_a_path_of_a_file_is_no_name_of_code() -> None:
    check_targets({"_target_": "torch.nn.ReLU", "path": "/a/b.png"})
    check_targets({"path": "os.system"})


def test_depth_and_size_are_limited() -> None:
    deep: Any = {"_target_": "os.system"}
    for _ in range(MAX_DEPTH + 1):
        deep = {"a": deep}
    with pytest.raises(OptionError, match="levels deep"):
        check_targets(deep)
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(OptionError, match="levels deep"):
        check_targets(cycle)
    wide: Any = [0] * 10
    for _ in range(10):
        wide = [wide] * 10  # a page of aliases that stand for 10^11 values
    with pytest.raises(OptionError, match=f"over {MAX_NODES} values"):
        check_targets(wide)


@pytest.mark.parametrize("target", ["ganvas", "eval"])
def test_a_name_without_a_module(target: str) -> None:
    with pytest.raises(OptionError, match="names no module"):
        locate(target, "m")
