"""What a user writes acts or is refused: of every key of every composed config, whatever is chosen."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.experiment import Composed, compose
from ganvas.cli.compose.refuse_unread import check_hydra_overrides, check_read
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.compose.unread import leaf_keys, structure, unread
from ganvas.cli.sweep.drafts import drafts
from ganvas.errors import OptionError

CONF = Path(__file__).parents[3] / "conf"
# Read by ganvas under their own names; each has tests of its own.
BY_NAME = {
    *("name", "seed", "optimized_metric", "optimized_mode", "resume", "allow_drift", "allow_imports"),
    *("sweep.repeats", "paths.output_dir", "paths.run_dir", "model.main_metric"),
    *("model.init_from", "model.init_average"),
}
PARTS = ("data", "model", "metric.features", "metric.perceptual")


def compositions() -> Iterator[list[str]]:
    """Every option of every group, with a model that has such a part."""
    yield []
    for path in sorted(CONF.rglob("*.yaml")):
        name = path.relative_to(CONF)
        group, option = name.parent.as_posix(), name.stem
        if group in (".", "pipeline") or group.startswith("hydra"):
            continue
        models = ["model=mlp_gan", "model=dcgan", "model=mlp_vqvae", "model=vqvae", "model=classifier"]
        models += ["model=autoregressive", "model=masked"]
        if group.startswith("experiment/"):  # a group of the experiments that have it
            having = [one.stem for one in CONF.glob("experiment/*.yaml") if f"/{group}: " in one.read_text()]
            yield from ([f"experiment={one}", f"{group}={option}"] for one in having)
        elif group == "model/optimizer":
            yield [f"model/optimizer@model.generator_optimizer={option}"]
        elif group.startswith("model/"):
            part = group.partition("/")[2]
            yield from (
                [model, f"{group}={option}"]
                for model in models
                if f"- {part}: " in (CONF / f"{model.replace('=', '/')}.yaml").read_text()
                and not (option == "conv" and "mlp" in model)
                and not (option == "mlp" and model == "model=vqvae")
            )
        elif path == CONF / "data" / "codes.yaml":
            yield ["model=autoregressive", "data=codes"]
        else:
            yield [f"{group}={option}"]


def at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree[name]
    return tree


def reached(config: dict[str, Any]) -> dict[str, Any]:
    """All that a config's constructors and typed options are given: path -> plain value."""
    found: dict[str, Any] = {}

    def take(node: Any, path: str) -> None:
        if isinstance(node, dict):
            if "_target_" in node and node["_target_"] is None:
                found[path] = None
                return
            for name, value in node.items():
                if name not in (node.get("_shared_") or ()):
                    take(value, f"{path}.{name}")
            return
        found[path] = node

    for part in (*PARTS, "trainer", "accelerator"):
        take(at(config, part), part)
    for group in ("callback", "logger"):
        for name, node in (config[group] or {}).items():
            take(node, f"{group}.{name}")
    for name, node in (config["metric"]["samples"] or {}).items():
        take(node, f"metric.samples.{name}")
    return found


def others(value: Any) -> list[Any]:
    """Values to put in the place of one, of which some resolve."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value * 2 + 4, value * 2, value + 1, value * 8]  # the last is beyond a choice of sizes
    if isinstance(value, list):
        return [[64], ["x"]]
    return [7, "multiple_of_96", "other"]


class Effects:
    """What keys of one composed config change of that which constructors and typed options are given."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.config = OmegaConf.create(copy.deepcopy(tree))
        given = reached(tree)
        self.given = given.keys()
        self.derived = [
            path for path, value in given.items() if "${" in str(value)
        ]  # all that another changes
        self.before = self.resolved()

    def resolved(self) -> list[Any]:
        found = (OmegaConf.select(self.config, path, throw_on_missing=True) for path in self.derived)
        return [
            OmegaConf.to_container(one, resolve=True) if OmegaConf.is_config(one) else one for one in found
        ]

    def acts(self, key: str) -> bool:
        """Whether another value of the key changes something."""
        if key in self.given:
            return True
        head, _, last = key.rpartition(".")
        parent = OmegaConf.select(self.config, head) if head else self.config
        was = OmegaConf.to_container(parent)[last]
        for value in others(was):
            parent[last] = value
            try:
                after = self.resolved()
            except (OmegaConfBaseException, TypeError, ValueError):
                continue  # it does not fit: something read it, but perhaps what is shared alone
            finally:
                parent[last] = was
            if after != self.before:
                return True
        return False


FEW = [[], ["model=mlp_vqvae", "model/quantizer=fsq"], ["model=mlp_vqvae"], ["data=toy"], ["logger=none"]]


@pytest.mark.parametrize("chosen", [FEW, pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"])
def test_every_key_of_every_composed_config_acts_or_is_refused(chosen: list[list[str]] | None) -> None:
    """The judgement by interpolations as written, against the effect on the values that they resolve to."""
    looked: set[str] = set()
    refused: set[str] = set()
    with hydra_session(None) as hydra:
        composer = Composer(hydra)
        for words in chosen or compositions():
            tree = composer.compose(words).tree
            assert not unread(tree, structure(tree)), (words, "a key that nothing reads")
            shared = {
                f"{part}.{name}" for part in ("data", "model") for name in tree[part].get("_shared_") or ()
            }
            keys = set(leaf_keys(tree)) - BY_NAME - {"callback", "logger"}  # a whole group that is empty
            keys = {
                key for key in keys if key.rpartition(".")[2] not in ("_target_", "_shared_", "_partial_")
            }
            left_out = {key for key in keys if key not in shared and looked >= {key}}
            effects = Effects(tree)
            for key in sorted(keys - left_out):
                is_refused = bool(unread(tree, [key]))
                assert effects.acts(key) != is_refused, (words, key)
                refused |= {f"{' '.join(words)} {key}"} if is_refused else set()
            looked |= keys
    assert "model=mlp_vqvae model/quantizer=fsq model.num_embeddings" in refused
    assert "model=mlp_vqvae model.num_embeddings" not in refused
    assert len(looked) > 150


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["model=vqvae", "model/quantizer=fsq", "model.num_embeddings=4096"],
            "model.num_embeddings=4096: nothing reads it with model/quantizer=fsq; leave it out, or choose "
            "model/quantizer=cosine or gumbel or ibq or simvq or vq or vq_ema",
        ),
        (["+foo=1"], "foo=1: nothing reads it; leave it out"),
        (["+sweep.repeat=1"], "sweep.repeat=1: nothing reads it; did you mean sweep.repeats? "),
        (["++metric.foo={a: {b: 3}}"], "metric.foo.a.b=3: nothing reads it; "),
        (
            ["paths.data_dir=x"],
            "paths.data_dir=x: nothing reads it with data=digits; leave",
        ),
        (
            ["model=vqvae", "metric/samples=kid"],
            "metric/samples=kid: judges what a recipe makes",
        ),
        (["model=vqvae", "metric.samples.fid=null"], None),
        (["metric/perceptual=lpips"], "metric/perceptual=lpips: judges what a recipe reconstructs"),
        (["optimized_mode=min"], "optimized_mode=min: there is no optimized_metric whose mode it is"),
        (["+foo=1", "trainer.max_examples=${foo}"], None),
        (["+foo={a: 1}", "+bar=${foo}", "trainer.max_examples=${bar.a}"], None),
        (["+data.x=4", "data.batch_size=${.x}", "data._shared_=[native_size,sample_shape,x]"], None),
        (["data=fashion_mnist", "paths.data_dir=x"], None),
        (["callback.health=null", "~callback.preview"], None),
        (["++callback.mine={_target_: mine.Callback, x: 3}"], None),
        (["callback.health._target_=null"], None),
        (
            ["callback=minimal", "++callback.preview.every_examples=9"],
            "callback.preview.every_examples=9: nothing reads it; ",
        ),
        (["++logger.mine={}"], "logger.mine={}: nothing reads it; "),
    ],
)
def test_what_is_written_acts_or_is_refused(words: list[str], line: str | None) -> None:
    composed = compose(words)
    if line is None:
        check_read(composed, config_dir=None, config_name="train")
        return
    with pytest.raises(OptionError) as caught:
        check_read(composed, config_dir=None, config_name="train")
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("modle: {latent_dim: 3}", "modle.latent_dim=3: nothing reads it"),
        ("sweep: {repeat: 3}", "sweep.repeat=3: nothing reads it; did you mean sweep.repeats?"),
        (
            "model: {num_embeddings: 4096}",
            "model.num_embeddings=4096: nothing reads it with model/quan",
        ),
        ("model: {num_embeddings: 256}", None),  # as it is
        ("width: 9\nmodel: {encoder: {hidden_dim: '${width}'}}", None),
        ("model: {quantizer: {levels: [5, 5, 5]}}", None),
        ("callback: {early_stopping: {patience: 3}}", "callback.early_stopping.patience=3: nothing reads it"),
    ],
)
def test_an_experiment_of_the_users_own(text: str, line: str | None, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    chosen = "defaults:\n  - override /model: mlp_vqvae\n  - override /model/quantizer: fsq\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{chosen}{text}\n")
    composed = compose(["experiment=mine"], config_dir=str(tmp_path))
    if line is None:
        check_read(composed, config_dir=str(tmp_path), config_name="train")
        return
    with pytest.raises(OptionError) as caught:
        check_read(composed, config_dir=str(tmp_path), config_name="train")
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("word", "single", "sweep"),
    [
        ("hydra.run.dir=x", "ganvas does not use it; a run's folder is paths.run_dir", True),
        ("hydra.sweep.subdir=x", "ganvas does not use it; a job's folder is named after its number", True),
        ("hydra.job.chdir=true", "ganvas does not use it; leave it out", True),
        ("hydra/job_logging=none", "ganvas does not use it; leave it out", True),
        ("+hydra.mine=1", "ganvas does not use it; leave it out", True),
        ("hydra.launcher.n_jobs=2", "is about sweeps; add -m, or leave it out", False),
        ("hydra/sweeper=optuna", "is about sweeps; add -m, or leave it out", False),
        ("hydra.sweep.dir=x", "is about sweeps; add -m, or leave it out", False),
        ("hydra.searchpath=[file://x]", None, False),
        ("seed=2", None, False),
    ],
)
def test_hydras_own_keys(word: str, single: str | None, sweep: bool) -> None:
    for is_sweep in (False, True):
        if single is not None and (sweep or not is_sweep):
            with pytest.raises(OptionError) as caught:
                check_hydra_overrides([word], is_sweep=is_sweep)
            assert caught.value.reason.startswith(single)
        else:
            check_hydra_overrides([word], is_sweep=is_sweep)


def composed_jobs(*words: str) -> int:
    with hydra_session(None) as hydra:
        return len(drafts(Composer(hydra), words)[0])


def test_a_sweep_reads_what_differs_in_each_job_and_what_is_shared_in_one() -> None:
    both, fsq = ("model=mlp_vqvae", "model/quantizer=fsq,vq"), ("model=mlp_vqvae", "model/quantizer=fsq")
    assert composed_jobs(*both, "model.num_embeddings=128") == 2  # one of the two reads it
    with pytest.raises(OptionError, match=r"model.num_embeddings=128: nothing reads it with .*=fsq"):
        composed_jobs(*both, "model.num_embeddings=128,256")  # two jobs would be equal
    with pytest.raises(OptionError, match=r"model.num_embeddings=128: nothing reads it with .*=fsq"):
        composed_jobs(*fsq, "seed=1,2", "model.num_embeddings=128")
    assert composed_jobs("model=mlp_gan,mlp_vqvae", "metric/samples=kid") == 2
    with pytest.raises(OptionError, match="metric/samples=kid: judges what a recipe makes"):
        composed_jobs("model=vqvae,mlp_vqvae", "metric/samples=kid")


def test_named_values_are_those_of_the_users_yaml() -> None:
    composed = Composed({"a": {"b": None}}, {}, [], {}, {"a": {"b": None}})
    assert unread(composed.tree, ["a"], own=(), only_own=True) == ["a.b"]
