"""``import ganvas`` is light, knows its names, and is typed for who uses it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ganvas


def test_every_name_is_there_and_no_other():
    for name in ganvas.__all__:
        assert name == "__version__" or callable(getattr(ganvas, name)), name
        assert name in dir(ganvas)
    with pytest.raises(AttributeError, match="module 'ganvas' has no attribute 'nothing'"):
        _ = ganvas.nothing
    assert Path(ganvas.__file__).with_name("py.typed").is_file()


def test_an_import_brings_nothing_heavy():
    """No torch, no Lightning, no Hydra, no NumPy; the time is in docs/measured.md."""
    source = "import sys, ganvas; dir(ganvas); ganvas.OptionError; print(*sorted(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", source], text=True).split()
    assert not {"torch", "pytorch_lightning", "hydra", "omegaconf", "numpy", "yaml"} & set(loaded)


def test_composing_and_listing_need_no_torch(tmp_path):
    source = "import sys, ganvas; ganvas.compose(['model=dcgan']); ganvas.runs(); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", source], text=True, cwd=tmp_path).split()
    assert not {"torch", "pytorch_lightning", "numpy"} & set(loaded)


@pytest.mark.slow
def test_a_users_mypy_knows_the_types(tmp_path):
    source = """
        import ganvas

        run = ganvas.train(ganvas.compose(["model=mlp_gan"]))
        reveal_type(run)
        reveal_type(run.generator)
        reveal_type(run.sample(3))
        reveal_type(run.history)
        reveal_type(ganvas.compare([run, "latest"]))
        reveal_type(ganvas.evaluate(run, metrics=["fid"]))
        ganvas.load(3)
    """
    (tmp_path / "mine.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    kinds = [
        line.partition('is "')[2].rstrip('"').replace("builtins.", "") for line in lines if "Revealed" in line
    ]
    assert kinds == [
        "ganvas.api.run.Run",
        "torch.nn.modules.module.Module",
        "torch._tensor.Tensor",
        "dict[str, list[Any]]",
        "list[ganvas.compare.comparison.Comparison]",
        "dict[str, Any]",
    ], done.stdout
    (error,) = [line for line in lines if line.startswith("error")]
    assert 'Argument 1 to "load" has incompatible type "int"' in error
