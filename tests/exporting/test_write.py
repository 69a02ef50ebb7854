"""Programs and their contract: what they hold, what is refused, and each loaded where there is no ganvas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from alone import packages, run_alone
from torch import Tensor

import ganvas
from ganvas.errors import OptionError
from ganvas.exporting import tools, write
from ganvas.functional.next_code import Drawing
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.load import load_run

CONSUMER = Path(__file__).with_name("consumer.py")
OTHERS = ("style", "dcgan", "biggan", "fsq", "vqvae2", "prior", "pixelcnn", "latents", "classifier")


def computed(model: Any, data: Any, name: str, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What ganvas makes of a program's inputs."""
    tokenizer = getattr(model, "tokenizer", None) or getattr(getattr(model, "space", None), "tokenizer", None)
    given = list(inputs.values())
    if name == "generator":
        psi = inputs.get("truncation")
        truncation = None if psi is None else float(psi)
        return (model.generate(inputs["z"], inputs.get("label"), truncation=truncation),)
    if name == "prior":
        with torch.no_grad():
            return (model.network()(*given),)
    if name == "classifier":
        return tuple(model.classify(given[0]))
    if name.startswith("tokenizer_"):
        return (getattr(tokenizer, name.removeprefix("tokenizer_"))(given[0]),)
    found = model.encode(given[0]) if name == "encode" else model.decode(given if given[1:] else given[0])
    return found if isinstance(found, tuple) else (found,)


def agrees(run: Path, folder: Path, out: Path) -> None:
    """Holds what the consumer saved against the run."""
    model, data, _ = load_run(RunFolder(run))
    contract, saved = json.loads((folder / "contract.json").read_text()), np.load(out)
    for name, program in contract["programs"].items():
        assert hashlib.sha256((folder / program["file"]).read_bytes()).hexdigest() == program["sha256"]
        for batch in (2, 7):
            at = f"{name}/{batch}"
            inputs = {
                value["name"]: torch.from_numpy(saved[f"{at}/in/{value['name']}"])
                for value in program["inputs"]
            }
            asked = computed(model, data, name, inputs)
            for value, one in zip(program["outputs"], asked, strict=True):
                found = torch.from_numpy(saved[f"{at}/out/{value['name']}"])
                if value["dtype"] == "int64":
                    assert torch.equal(found, one), (at, value)
                else:
                    torch.testing.assert_close(found, one, rtol=1e-5, atol=2e-5)
    if "likeliest" in saved:
        classes = model.num_classes
        label = None if classes is None else torch.tensor([1, classes])
        codes = model.draw(2, 1, label=label, drawing=Drawing(temperature=0))
        assert torch.equal(codes, torch.from_numpy(saved["likeliest"]))
        torch.testing.assert_close(
            model.tokenizer.decode(codes), torch.from_numpy(saved["decoded"]), rtol=1e-5, atol=2e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "names"), [("onnx", ("numpy", "onnxruntime")), ("torch", ("torch", "numpy"))]
)
def test_the_other_tool_alone_computes_the_same(
    form: str, names: tuple[str, ...], trained: Callable[[str], Path], tmp_path: Path
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    path = packages(tmp_path / "packages", *names)
    places = {kind: (tmp_path / kind, tmp_path / f"{kind}.npz") for kind in ("gan", "vqvae", "prior")}
    for kind, (out, _) in places.items():
        assert ganvas.export(trained(kind), format=form, out=out) == out
    run_alone(path, CONSUMER, *(str(one) for pair in places.values() for one in pair))
    for kind, (out, saved) in places.items():
        agrees(trained(kind), out, saved)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["residual", "masked", *OTHERS])
def test_every_kind_has_its_programs(kind: str, trained: Callable[[str], Path], tmp_path: Path) -> None:
    expected = {"vqvae2": {"encode", "decode"}, "residual": {"encode", "decode"}, "fsq": {"encode", "decode"}}
    tokenizer = {"tokenizer_encode", "tokenizer_decode"}
    expected |= {one: {"prior"} | tokenizer for one in ("prior", "pixelcnn", "masked")}
    expected |= {"latents": {"generator"} | tokenizer, "classifier": {"classifier"}}
    for form in ("torch", "onnx") if kind == "style" else ("torch",):
        out = ganvas.export(trained(kind), format=form, out=tmp_path / form)
        contract = json.loads((out / "contract.json").read_text())
        assert contract["programs"].keys() == expected.get(kind, {"generator"})
        assert all(one["checked"]["inputs"] == ["random", "real"] for one in contract["programs"].values())
        assert contract["examples_seen"] == 128


def test_a_contract_says_what_a_program_takes(trained: Callable[[str], Path], tmp_path: Path) -> None:
    out = ganvas.export(trained("gan"), format="torch", out=tmp_path / "t")
    contract = json.loads((out / "contract.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == ["contract.json", "generator.pt2"]
    program = contract["programs"]["generator"]
    z, label = program["inputs"]
    assert (z["name"], z["shape"], z["dtype"]) == ("z", ["batch", 100], "float32")
    assert (label["shape"], label["dtype"], label["range"]) == (["batch"], "int64", [0, 9])
    assert program["outputs"][0]["shape"] == ["batch", 1, 8, 8]
    assert program["outputs"][0]["range"] == [-1, 1]
    assert program["weights"] == "average"
    assert program["checked"]["batches"] == [1, 5]
    assert contract["num_classes"] == 10
    assert contract["data"]["splits"]["train"]["shape"] == [1, 8, 8]
    made = torch.export.load(out / "generator.pt2").module()
    model, _, _ = load_run(RunFolder(trained("gan")))
    latents, classes = model.latents(4, 9), torch.tensor([3, 1, 4, 1])
    torch.testing.assert_close(made(latents, classes), model.generate(latents, classes), rtol=0, atol=2e-6)
    raw = ganvas.export(trained("gan"), format="torch", out=tmp_path / "r", raw=True)
    trained_one = torch.export.load(raw / "generator.pt2").module()(latents, classes)
    torch.testing.assert_close(trained_one, model.generate(latents, classes, ema=False), rtol=0, atol=2e-6)
    assert not torch.equal(trained_one, made(latents, classes))


def test_a_program_that_computes_something_else_is_not_written(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(program: Any) -> Any:
        content, run = tools.to_torch(program)
        return content, lambda given: tuple(
            one + (1 if one.dtype == torch.int64 else 1e-4) for one in run(given)
        )

    monkeypatch.setitem(write.TOOLS, "torch", (off, ".pt2", "torch"))
    for kind, output in (("gan", "samples"), ("residual", "indices")):
        with pytest.raises(
            OptionError, match=rf"^format=torch: by torch .*'s {output} of 1 random .* differ"
        ):
            ganvas.export(trained(kind), format="torch", out=tmp_path / "t")
        assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_onnx_of_codes(trained: Callable[[str], Path], tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    out = ganvas.export(trained("residual"), format="onnx", out=tmp_path / "o")
    model, data, _ = load_run(RunFolder(trained("residual")))
    x = next(iter(data.batches("val", 11, 11))).x
    encode, decode = (runtime.InferenceSession(out / f"{name}.onnx") for name in ("encode", "decode"))
    (indices,) = encode.run(None, {"x": x.numpy()})
    assert np.array_equal(indices, model.encode(x).numpy())
    (made,) = decode.run(None, {"indices": indices})
    np.testing.assert_allclose(made, model.decode(model.encode(x)).numpy(), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "tf"], "--format=tf: must be one of safetensors, onnx, torch, folder"),
        (["--format", "onnx", "--out", "x.onnx"], "--out=x.onnx: is made a folder by --format onnx"),
        (["--format", "torch", "--out", "there"], "--out=there: is not empty; name a new folder"),
        (["--format", "folder", "--out", "there/file"], "--out=there/file: there/file is a file"),
        (["--format", "safetensors", "--out", "x.onnx"], "--out=x.onnx: must end in .safetensors"),
        (["--license", "mit"], "--license=mit: is read by --format folder alone"),
        (["--format", "folder", "--license", "No such"], "--license=No such: must be a name"),
        (["--format", "folder", "--raw"], "--raw=: is not for folders"),
    ],
)
def test_what_is_refused(
    words: list[str], says: str, trained: Callable[[str], Path], refused: Callable, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    assert refused("export", str(trained("gan")), *words).startswith(says)


def test_a_missing_extra_and_a_run_that_is_none(
    trained: Callable[[str], Path], refused: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused("export", "nowhere", "--format", "onnx").startswith("RUN=nowhere: ")
    monkeypatch.setattr(tools, "_PACKAGES", ("onnx", "no_such_package"))
    said = refused("export", str(trained("gan")), "--format", "onnx", "--out", "o")
    assert said == ("--format=onnx: needs no_such_package, not installed here; pip install 'ganvas[onnx]'\n")
