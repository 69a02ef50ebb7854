"""Folders to hand on: as a RUN, as a model of the hub, and what they say of themselves."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from alone import packages, run_alone
from safetensors.torch import load_file, save_file
from torch import nn

import ganvas
from ganvas.cli.main import main
from ganvas.errors import OptionError
from ganvas.exporting import folder as folder_module
from ganvas.run.folder.run_folder import all_runs

_FILES = {
    "README.md",
    "config.json",
    "model.safetensors",
    "model.safetensors.sha256",
    "run.yaml",
    "status.json",
}


def export(run: Path, out: Path) -> Path:
    return ganvas.export(run, format="folder", out=out, license="apache-2.0")


def test_it_is_a_run_with_equal_samples(trained: Callable[[str], Path], tmp_path: Path) -> None:
    run = trained("gan")
    out = export(run, tmp_path / "out")
    assert {path.name for path in out.iterdir()} == _FILES | {"samples.png"}
    before, after = ganvas.load(run), ganvas.load(out)
    assert torch.equal(after.sample(5, 3, label=2), before.sample(5, 3, label=2))
    assert after.model.examples_seen == 128
    raw = [ganvas.load(one, weights="raw").sample(5, 3) for one in (run, out)]
    assert torch.equal(*raw)
    logits = [one.discriminator(torch.zeros(2, 1, 8, 8), torch.tensor([1, 2])) for one in (before, after)]
    assert torch.equal(*logits)
    result = ganvas.evaluate(out, metrics=["fid"], features="pixels", split="val", num=200)
    assert (
        result["metrics"]
        == ganvas.evaluate(run, metrics=["fid"], features="pixels", split="val", num=200)["metrics"]
    )


def test_a_priors_folder_holds_its_tokenizer(trained: Callable[[str], Path], tmp_path: Path) -> None:
    """Also where the run, its tokenizer and the folder's first place are gone."""
    run = tmp_path / "run"
    shutil.copytree(trained("prior"), run)
    expected = ganvas.load(run).sample(3, 1)
    export(run, tmp_path / "first")
    shutil.rmtree(run)
    out = (tmp_path / "first").rename(tmp_path / "second")
    assert {path.name for path in (out / "tokenizer").iterdir()} == _FILES - {"README.md"}
    assert torch.equal(ganvas.load(out).sample(3, 1), expected)
    again = export(out, tmp_path / "third")
    assert torch.equal(ganvas.load(again).sample(3, 1), expected)


def test_it_says_nothing_of_the_machine(trained: Callable[[str], Path], tmp_path: Path) -> None:
    out = export(trained("prior"), tmp_path / "out")
    record = yaml.safe_load((trained("prior") / "run.yaml").read_text())["ganvas"]
    secrets = [str(trained("prior").parent), record["cwd"], "host:"]
    if record["command"] != "ganvas":  # as other tests in this process may have left sys.argv: no secret
        secrets.append(record["command"])
    for path in (one for one in out.rglob("*") if one.suffix in (".yaml", ".json", ".jsonl", ".md")):
        text = path.read_text()
        for secret in secrets:
            assert secret not in text, (path, secret)


def test_the_card(trained: Callable[[str], Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained("gan"), run)
    ganvas.evaluate(run, metrics=["fid"], features="pixels", split="val", num=200)
    out = export(run, tmp_path / "out")
    text = (out / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "license": "apache-2.0",
        "library_name": "ganvas",
        "tags": ["ganvas", "gan", "digits"],
        "pipeline_tag": "unconditional-image-generation",
        "metrics": ["fid"],
    }
    fid = ganvas.load(run).evaluations[-1]["metrics"]["fid"]
    assert f"| fid | {fid:.6g} |" in body
    assert '"split": "val"' in body
    assert "![samples](samples.png)" in body
    assert "trained on Digits for 128 examples" in body
    config = json.loads((out / "config.json").read_text())
    assert config["model"]["_target_"] == "ganvas.model.gan.GAN"
    sha256 = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    assert config["sha256"] == {"model.safetensors": sha256}


class Generator(nn.Module):
    """Somebody's own module under the names of the file."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        from ganvas.model.generator.mlp import MLPGenerator

        options = {key: one for key, one in config["model"]["generator"].items() if key[0] != "_"}
        self.generator = MLPGenerator(**options)


def test_the_hubs_own_tools_take_it(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = pytest.importorskip("huggingface_hub")
    out = export(trained("gan"), tmp_path / "out")
    card = hub.ModelCard.load(out / "README.md")
    assert (card.data.license, card.data.library_name) == ("apache-2.0", "ganvas")
    assert "gan" in card.data.tags

    class Hub(Generator, hub.PyTorchModelHubMixin):
        pass

    made = Hub.from_pretrained(out)
    generator = ganvas.load(out, weights="raw").generator
    for key, value in made.generator.state_dict().items():
        assert torch.equal(value, generator.state_dict()[key])
    made.save_pretrained(tmp_path / "saved")
    saved = {path.name for path in (tmp_path / "saved").iterdir()}
    assert saved == {"README.md", "config.json", "model.safetensors"}
    assert saved <= {path.name for path in out.iterdir()}


@pytest.mark.slow
def test_safetensors_alone_reads_it(trained: Callable[[str], Path], tmp_path: Path) -> None:
    out = export(trained("residual"), tmp_path / "out")
    script = tmp_path / "script.py"
    script.write_text(
        "import importlib.util, json, sys\n"
        "from safetensors.numpy import load_file\n"
        "assert importlib.util.find_spec('ganvas') is None and importlib.util.find_spec('torch') is None\n"
        "tensors = load_file(sys.argv[1] + '/model.safetensors')\n"
        "print(json.dumps({name: float(x.sum(dtype='float64')) for name, x in tensors.items()}))\n"
    )
    path = packages(tmp_path / "packages", "numpy", "safetensors")
    found = json.loads(run_alone(path, script, str(out)))
    state = ganvas.load(trained("residual")).model.state_dict()
    assert found == pytest.approx({key: float(x.double().sum()) for key, x in state.items()}, rel=1e-12)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _other_shape(path: Path) -> None:
    tensors = load_file(path)
    name = next(key for key in tensors if key.startswith("generator") and tensors[key].ndim == 2)
    save_file(tensors | {name: tensors[name][:-1].contiguous()}, path, {"ganvas_clock": "{}"})


def _pickled(path: Path) -> None:
    torch.save({}, path)


def _no_clock(path: Path) -> None:
    save_file(load_file(path), path)


def _not_finite(path: Path) -> None:
    from safetensors import safe_open

    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    name = next(key for key in tensors if key.startswith("generator"))
    save_file(tensors | {name: torch.full_like(tensors[name], torch.nan)}, path, metadata)


@pytest.mark.parametrize(
    ("damage", "signs", "says"),
    [
        (_truncated, False, "all its checkpoints are damaged, their sha256 is wrong (model.safetensors)"),
        (_truncated, True, "it is no safetensors file"),
        (_pickled, True, "it is no safetensors file"),
        (_no_clock, True, "hold no counters under ganvas_clock"),
        (_other_shape, True, "is of another model"),
        (_not_finite, True, "is not finite"),
    ],
)
def test_a_forged_one_is_refused(
    damage: Callable[[Path], None], signs: bool, says: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    """As strictly as a checkpoint; also where whoever forged it wrote the right hash beside it."""
    out = export(trained("gan"), tmp_path / "out")
    damage(out / "model.safetensors")
    if signs:
        sha256 = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
        (out / "model.safetensors.sha256").write_text(f"{sha256}  model.safetensors\n")
    with pytest.raises(OptionError, match=r"^RUN=") as refusal:
        ganvas.load(out)
    assert says in str(refusal.value)


def test_code_that_a_folder_names_is_not_imported(trained: Callable[[str], Path], tmp_path: Path) -> None:
    out = export(trained("gan"), tmp_path / "out")
    text = (out / "run.yaml").read_text().replace("ganvas.model.gan.GAN", "os.system")
    (out / "run.yaml").write_text(text)
    with pytest.raises(OptionError, match=r"os\.system"):
        ganvas.load(out)


def test_it_is_not_resumed_and_its_weights_start_another(
    trained: Callable[[str], Path], refused: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = export(trained("gan"), tmp_path / "out")
    said = refused("resume", str(out), "trainer.max_examples=256")
    assert (
        said
        == f"RUN={out}: was exported: it has weights alone; model.init_from={out} starts a run with them\n"
    )
    words = ["train", "model=mlp_gan", "model.conditional=true", f"model.init_from={out}", "callback=none"]
    words += ["logger=none", "trainer.max_examples=64", f"paths.run_dir={tmp_path}/more"]
    assert main(words) == 0


def test_an_interrupt_leaves_nothing(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> str:
        signal.raise_signal(signal.SIGINT)
        return ""

    monkeypatch.setattr(folder_module, "card", interrupt)  # when all but the card is written
    with pytest.raises(KeyboardInterrupt):
        export(trained("gan"), tmp_path / "deep" / "out")
    assert not any(tmp_path.iterdir())


def test_it_is_no_run_of_the_list_where_it_lies_in_its_run(
    trained: Callable[[str], Path], tmp_path: Path
) -> None:
    run = tmp_path / "outputs" / "r"
    shutil.copytree(trained("gan"), run)
    assert ganvas.export(run, format="folder") == run / "export" / "folder"
    assert [one.path for one in all_runs(tmp_path / "outputs")] == [run]
