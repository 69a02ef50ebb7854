"""RUNs that are not there, damaged or of another kind; the catalogue of bad input."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from refusal import SMOKE, contents, refused

from ganvas.cli.main import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a GAN ``20_gan``, a narrow one ``20_gan_narrow``, and two VQ-VAEs."""
    folder = tmp_path_factory.mktemp("trained")
    narrow, vq = ["model.generator.hidden_dim=8", "model.discriminator.hidden_dim=8"], ["model=mlp_vqvae"]
    for name, words in (("20_gan", []), ("20_gan_narrow", narrow), ("30_vq", vq), ("30_vq2", vq)):
        run_dir = f"paths.run_dir={folder}/runs/train/{name}"
        assert main([*SMOKE, "callback=none", "trainer.max_examples=64", *words, run_dir]) == 0
    return folder / "runs"


@pytest.fixture
def runs(trained: Path, there: Path) -> Path:
    """A copy, under the name ``runs``, for a test to spoil."""
    return Path(shutil.copytree(trained, there / "runs"))


CASES: list[tuple[str, str, str]] = [
    # Which RUN.
    ("sample 40", "RUN", "=40: no run's name begins so; see ganvas runs ls"),
    ("sample 20", "RUN", "=20: fits 2 runs (20_gan, 20_gan_narrow ...); give more letters"),
    ("resume 30_v", "RUN", "fits 2 runs"),
    ("sample 20_gn", "RUN", "did you mean 20_gan?"),
    ("sample file.txt", "RUN", "=file.txt: no run's name begins so"),
    ("sample empty", "RUN", "=empty: no run's name begins so"),
    ("sample https://example.org/x.ckpt", "RUN", "is an address; fetch"),
    ("train resume=40", "resume", "=40: no run's name begins so"),
    ("train resume=20", "resume", "fits 2 runs"),
    # Of which kind.
    ("sample 30_vq2", "RUN", "=runs/train/30_vq2: makes no samples from nothing; ganvas reconstruct"),
    ("reconstruct 20_gan_", "RUN", "=runs/train/20_gan_narrow: reconstructs nothing; ganvas sample"),
    # What is asked of it.
    ("sample 20_gan --num 0", "--num", "must be at least 1; leave the option out"),
    ("sample 20_gan --num -3", "--num", "must be at least 1"),
    ("sample 20_gan --num 1.5", "--num", "=1.5: must be a whole number below 2^63"),
    ("reconstruct 30_vq2 --num -3", "--num", "must be at least 1"),
    ("reconstruct 30_vq2 --num 5000", "--num", "the test split holds 180; ask for fewer"),
    ("evaluate 20_gan --num 0", "--num", "must be at least 1"),
    ("evaluate 20_gan --num 1", "--num", "must be at least 2; leave the option out"),
    ("evaluate 30_vq2 --num 1", "--num", "must be at least 2; leave the option out"),
    ("sample 20_gan --seed abc", "--seed", "=abc: must be a whole number below 2^63"),
    (
        "sample 20_gan --out x.gif",
        "--out",
        "must end in .png, .webp, .jpg, .jpeg or .npz, or in / for a folder",
    ),
    ("sample 20_gan --out new", "--out", ".jpeg or .npz, or in / for a folder"),
    ("sample 20_gan --out file.txt/x.png", "--out", "=file.txt: file.txt is a file; name a folder"),
    ("reconstruct 30_vq2 --out x.gif", "--out", "must end in .png, .webp, .jpg, .jpeg or .npz"),
    ("export 20_gan --out x.ckpt", "--out", "must end in .safetensors"),
    ("sample 20_gan --batch-size 0", "--batch-size", "must be at least 1"),
    ("reconstruct 30_vq2 --batch-size -1", "--batch-size", "must be at least 1"),
    ("evaluate 20_gan --features pixel", "--features", "did you mean pixels?"),
    ("evaluate 20_gan --split foo", "--split", "=foo: must be one of train, val, test"),
    ("sample 20_gan --config-dir nowhere", "--config-dir", "there is no such folder; name"),
    ("sample 20_gan 30_vq", "30_vq", "is one argument too many"),
    # What is changed in it.
    ("resume 20_gan trainer.max_example=9", "trainer.max_example", "did you mean max_examples?"),
    ("resume 20_gan foo=1", "foo", "is no key of this run's config; there are: "),
    ("resume 20_gan foo", "foo", "is no key of this run's config; there are: "),
    ("resume 20_gan =5", "", "=5: is no key of this run's config; there are: "),
    ("resume 20_gan +model.foo=1", "+model.foo", "=1: is no key of this run's config"),
    ("resume 20_gan trainer.max_examples=many", "trainer.max_examples", "must be a whole number"),
    ("resume 20_gan trainer.max_examples=-5", "trainer.max_examples", "must be at least 1"),
    ("resume 20_gan trainer.limit_train_batches=0", "trainer.limit_train_batches", "trains nothing; null"),
    ("resume 20_gan data.batch_size=0", "data.batch_size", "must be positive"),
    ("resume 20_gan seed=2", "seed", "nothing reads it in a run that has begun; a run keeps its seed"),
    ("resume 20_gan name=x", "name", "nothing reads it in a run that has begun; its folder has its name"),
    ("resume 20_gan resume=x", "resume", "nothing reads it in a run that has begun; name the run as RUN"),
    ("resume 20_gan sweep.repeats=2", "sweep.repeats", "nothing reads it in a run that has begun; leave it"),
    ("resume 20_gan paths.run_dir=x", "paths.run_dir", "nothing reads it in a run that has begun; move"),
    ("resume 20_gan allow_imports=[x]", "allow_imports", "give --allow-imports NAME"),
    (
        "resume 30_vq2 model.num_embeddings=8",
        "model.num_embeddings",
        "it reads model.quantizer.num_",
    ),
    # What does not fit its kind.
    (
        "evaluate 30_vq2 --metrics kid",
        "--metrics",
        "=kid: are of generated samples, and this run",
    ),
    ("evaluate 30_vq2 metric/samples=kid", "metric/samples", "are of generated samples"),
    ("evaluate 30_vq2 metric.samples.fid=null", "metric.samples.fid", "are of generated samples"),
    ("evaluate 30_vq2 --seed 3", "--seed", "=3: is of generated samples"),
    ("evaluate 30_vq2 --truncation 1", "--truncation", "is of generated samples"),
    ("evaluate 30_vq2 --num 20 --num-real 20", "--num-real", "is the same as --num"),
    ("evaluate 20_gan_ metric/perceptual=lpips", "metric/perceptual", "is of reconstructions"),
    ("evaluate 20_gan_ +metric.foo=1", "+metric.foo", "is no option here"),
    ("evaluate 20_gan_ --floor --raw", "--raw", "=true: does nothing with --floor"),
    ("evaluate 20_gan_ --floor --truncation 1", "--truncation", "does nothing with --floor"),
    ("sample 20_gan_ --columns 3 --out x.npz", "--columns", "=3: is of a grid"),
    ("resume 20_gan accelerator.precision=64-true", "accelerator.precision", "there are: 32-true"),
    ("resume 20_gan model.latent_dim=7", "model.latent_dim", "leave it as it was"),
    ("resume 20_gan model.discriminator.hidden_dim=7", "model.discriminator.hidden_dim", "(1, 7)"),
]


@pytest.mark.parametrize(("words", "key", "part"), CASES, ids=[words for words, _, _ in CASES])
def test_a_command_refuses(words: str, key: str, part: str, ganvas, there: Path, runs: Path) -> None:
    place = ["paths.output_dir=runs"] if words.startswith("train") else ["--output-dir", "runs"]
    refused(ganvas, there, [*words.split(), *place], key, part)


@pytest.mark.parametrize(
    "command",
    ["sample", "reconstruct", "evaluate", "resume", "export", "interpolate", "walk", "neighbours"],
)
@pytest.mark.parametrize("place", ["outputs", "empty", "file.txt"])
def test_no_run_at_all(command: str, place: str, ganvas, there: Path) -> None:
    words = [command, "latest", "--output-dir", place]
    refused(ganvas, there, words, "RUN", "=latest: ", f"no run under {place}; ganvas train makes one")


def _checkpoint(run: Path) -> Path:
    (path,) = run.glob("checkpoints/*.ckpt")
    return path


def _of_another(name: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        shutil.rmtree(run / "checkpoints")
        shutil.copytree(run.parent / name / "checkpoints", run / "checkpoints")

    return spoil


def _truncated(run: Path) -> None:
    content = _checkpoint(run).read_bytes()
    _checkpoint(run).write_bytes(content[: len(content) // 2])


def _without_hash(run: Path) -> None:
    for path in run.glob("checkpoints/*.sha256"):
        path.unlink()


def _with_the_hash_of(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        path = _checkpoint(run)
        path.write_bytes(content(path.read_bytes()))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")

    return spoil


def _run_yaml(content: bytes) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        (run / "run.yaml").write_bytes(content)

    return spoil


SPOILED: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "of_another_model": (_of_another("30_vq"), ["000000000064.ckpt: is of another model", "keep the model"]),
    "of_another_width": (
        _of_another("20_gan_narrow"),
        [" of (1, 8)", "the model (1, 128)", "keep the model"],
    ),
    "truncated": (_truncated, ["all its checkpoints are damaged", "(000000000064.ckpt); "]),
    "empty": (lambda run: _checkpoint(run).write_bytes(b""), ["are damaged", "(000000000064.ckpt); "]),
    "without_its_hash": (_without_hash, ["all its checkpoints are damaged", "(000000000064.ckpt); "]),
    "truncated_with_a_hash": (_with_the_hash_of(lambda data: data[:5000]), ["is no checkpoint of ganvas"]),
    "garbage_with_a_hash": (_with_the_hash_of(lambda data: b"garbage"), ["is no checkpoint of ganvas"]),
    "run_yaml_empty": (_run_yaml(b""), ["run.yaml holds no config; this is no run of ganvas"]),
    "run_yaml_no_yaml": (_run_yaml(b"a: ["), ["run.yaml cannot be read"]),
    "run_yaml_no_text": (_run_yaml(b"\xff\xfe"), ["run.yaml cannot be read"]),
    "run_yaml_of_something_else": (_run_yaml(b"config: {a: 1}"), ["its run.yaml has no section"]),
    "run_yaml_gone": (lambda run: (run / "run.yaml").unlink(), ["holds no run.yaml; "]),
}


@pytest.mark.parametrize("command", ["sample", "resume", "evaluate"])
@pytest.mark.parametrize("case", SPOILED)
def test_a_spoiled_run(case: str, command: str, ganvas, there: Path, runs: Path) -> None:
    spoil, parts = SPOILED[case]
    spoil(runs / "train/20_gan")
    words = [command, "runs/train/20_gan", "--output-dir", "runs"]
    line = refused(ganvas, there, words, "RUN", *parts)
    assert line.startswith("RUN=runs/train/20_gan")


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_a_run_without_a_checkpoint(command: str, ganvas, there: Path, runs: Path) -> None:
    shutil.rmtree(runs / "train/20_gan/checkpoints")
    words = [command, "runs/train/20_gan"]
    refused(ganvas, there, words, "RUN", "=runs/train/20_gan: ", "holds no checkpoint; ganvas resume makes")


def test_data_of_a_run_that_are_gone(ganvas, there: Path) -> None:
    words = [
        "data=image_folder",
        "data.root=flat",
        "data.batch_size=2",
        "data.native_size=8",
        "callback=none",
    ]
    ganvas(*SMOKE, "model=mlp_vqvae", *words)
    (there / "flat").rename(there / "elsewhere")
    for command in ("evaluate", "reconstruct", "resume"):
        refused(ganvas, there, [command, "latest"], "data.root", "=flat: ", "does not exist; name a folder")
    (there / "elsewhere").rename(there / "flat")
    # Of five images none was held out.
    refused(
        ganvas, there, ["evaluate", "latest"], "--split", "=test: ", "holds nothing; choose another split"
    )
    refused(ganvas, there, ["reconstruct", "latest"], "--split", "=test: ", "choose another split")
    ganvas("evaluate", "latest", "--split", "train", "--num", "5")


def test_two_runs_in_one_folder(ganvas, there: Path) -> None:
    words = [*SMOKE, "paths.run_dir=here"]
    ganvas(*words)
    for again in (words, [*words, "seed=2"], [*SMOKE, "paths.run_dir=./here/"]):
        line = refused(ganvas, there, again, "paths.run_dir", "exists; each run needs a folder of its own")
        assert "here" in line


def test_runs_beside_each_other(ganvas, there: Path) -> None:
    """Started in one second, of one config: their names differ."""
    ganvas(*SMOKE, "callback=none")
    before = contents(there)
    ganvas(*SMOKE, "callback=none")
    assert len(list(there.glob("outputs/train/*/run.yaml"))) == 2
    assert {path: content for path, content in contents(there).items() if path in before} == before
