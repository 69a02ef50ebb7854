"""A RUN of somebody else's, images of anyone's: what commands write, ask and start, by an audit hook."""

from __future__ import annotations

import http.server
import io
import os
import shutil
import socket
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from audited import Audit, audited
from PIL import Image

import ganvas as api
from ganvas.cli.main import main
from ganvas.errors import OptionError

Change = Callable[[dict[str, Any]], object]


class Yard:
    """A folder with a RUN, what belongs to its victim beside it, and a place for what commands write."""

    def __init__(self, folder: Path, outputs: Path) -> None:
        self.folder, self.victim, self.mine = folder, folder / "victim", folder / "mine"
        self.cache = folder / "cache"
        self.victim.mkdir()
        self.mine.mkdir()
        self.gan, self.vqvae = folder / "a_gan", folder / "b_vqvae"
        for run in (self.gan, self.vqvae):
            shutil.copytree(outputs / "train" / run.name, run)

    def edit(self, change: Change) -> None:
        for run in (self.gan, self.vqvae):
            record = yaml.safe_load((run / "run.yaml").read_text())
            change(record["config"])
            (run / "run.yaml").write_text(yaml.safe_dump(record))

    def commands(self) -> list[list[str]]:
        """Every command that reads a RUN, with few samples."""
        gan, vqvae, out = str(self.gan), str(self.vqvae), str(self.mine)
        return [
            ["evaluate", gan, "--num", "16"],
            ["evaluate", vqvae, "--num", "16"],
            ["sample", gan, "--num", "4", "--out", f"{out}/s.png"],
            ["interpolate", gan, "--out", f"{out}/i.png"],
            ["neighbours", gan, "--num", "2", "--out", f"{out}/n.png"],
            ["reconstruct", vqvae, "--num", "2", "--out", f"{out}/r.png"],
            ["codes", vqvae, "--num", "4", "--out", f"{out}/k.png"],
            ["encode", vqvae, "--split", "test", "--num", "4", "--out", f"{out}/e.gvq", "--overwrite"],
            ["decode", f"{out}/e.gvq", vqvae, "--out", f"{out}/e.npz", "--overwrite"],
            ["export", gan, "--out", f"{out}/w.safetensors"],
            ["compare", gan, vqvae, "--no-rank", "--html", f"{out}/c.html"],
            ["plot", gan, "--out", f"{out}/p.svg"],
            ["plot", "--rate-distortion", vqvae, "--num", "4", "--table", f"{out}/t.csv"],
            ["runs", "show", gan],
            ["runs", "diff", gan, vqvae],
            ["runs", "ls", "--output-dir", str(self.folder)],
            ["resume", gan, "trainer.max_examples=192"],
            ["resume", vqvae],
        ]

    def nothing_beyond(self, audit: Audit, words: object) -> None:
        allowed = (
            self.gan,
            self.vqvae,
            self.mine,
            self.cache,
            self.folder / "tmp",
            Path(os.environ["MPLCONFIGDIR"]),
        )
        assert audit.beyond(*allowed) == [], words
        assert (audit.connected, audit.started) == ([], []), words


@pytest.fixture
def yard(tmp_path: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    made = Yard(tmp_path, outputs)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("GANVAS_CACHE", str(made.cache))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(made.mine)
    return made


def images(folder: Path, count: int = 24) -> Path:
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    for number in range(count):
        Image.fromarray(random.integers(0, 255, (8, 8), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def of_images(root: Path, **more: Any) -> Change:
    """The data of the config become a folder of images of the shape of digits."""

    def change(config: dict[str, Any]) -> None:
        shape = {"channels": 1, "image_size": 8, "batch_size": 8, "num_workers": 0, "seed": 1}
        config["data"] = {
            "_target_": "ganvas.data.image_folder.ImageFolder",
            "root": str(root),
            **shape,
            **more,
        }

    return change


@pytest.fixture
def evil() -> Iterator[str]:
    """The address of a server; whoever asks it anything is noted by the audit, too."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def judged(yard: Yard, capsys: pytest.CaptureFixture[str], *secrets: str) -> dict[str, int]:
    """Runs every command; command -> exit code. Nothing is written or asked beyond what is the caller's."""
    codes = {}
    for words in yard.commands():
        with audited() as audit:
            code = main(words)
        said = "".join(capsys.readouterr())
        assert code in (0, 2), (words, said)
        assert "Traceback" not in said
        assert not any(secret in said for secret in secrets), said
        yard.nothing_beyond(audit, words)
        codes[" ".join([words[0], Path(words[1]).name])] = code
    assert list(yard.victim.rglob("*.npy")) == []
    return codes


def test_caches_are_kept_where_they_are_the_callers(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that the config names is not made, nor one beside the images; usual use goes on."""
    root = images(yard.victim / "pictures" / "own")
    yard.edit(of_images(root, cache_dir=str(yard.victim / "made")))
    codes = judged(yard, capsys)
    assert (codes["evaluate a_gan"], codes["neighbours a_gan"], codes["reconstruct b_vqvae"]) == (0, 0, 0)
    for more in ({"cache_dir": str(yard.victim)}, {}):
        yard.edit(of_images(root, **more))
        with audited() as audit:
            assert main(["evaluate", str(yard.gan), "--num", "16"]) == 0
        yard.nothing_beyond(audit, more)
    assert not (yard.victim / "made").exists()
    assert [path.name for path in (yard.victim / "pictures").iterdir()] == ["own"]
    assert len(list(yard.cache.glob("*.npy"))) == 1  # made once, then read


def test_a_cache_that_is_there_is_used(yard: Yard) -> None:
    """Training has left one beside the images, or where it was told to: nothing is decoded again."""
    root = images(yard.victim / "own")
    here = yard.victim / "caches"
    for options in ({"cache_dir": str(here)}, {}):
        words = [f"data.{key}={value}" for key, value in options.items()]
        data = [
            "data=image_folder",
            f"data.root={root}",
            "data.channels=1",
            "data.image_size=8",
            "data.batch_size=8",
            *words,
        ]
        run = yard.mine / f"run{len(words)}"
        words = ["train", "model=mlp_gan", *data, f"paths.run_dir={run}", "trainer.max_examples=64"]
        assert main([*words, "callback=none", "logger=none"]) == 0
        with audited() as audit:
            assert main(["evaluate", str(run), "--num", "16", "--split", "train"]) == 0
        assert not [path for path in audit.written if path.suffix == ".npy" or path.name == "own.json"]
    assert list(here.glob("*.npy"))
    assert list((yard.victim / ".own.ganvas").glob("*.npy"))
    assert not list(yard.cache.glob("*.npy"))


def test_no_mirror_of_the_configs_own_is_asked(
    yard: Yard, evil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(config: dict[str, Any]) -> None:
        config["data"] |= {
            "_target_": "ganvas.data.mnist.MNIST",
            "root": str(yard.victim / "mnist"),
            "mirrors": [evil, "https://ossci-datasets.s3.amazonaws.com/mnist"],
            "native_size": 28,
        }
        features = {"_target_": "ganvas.metric.features.inception.Inception", "mirrors": [evil]}
        config["metric"]["features"] = features

    yard.edit(change)
    codes = judged(yard, capsys)
    assert codes["evaluate a_gan"] == 2
    assert not (yard.victim / "mnist").exists()


def test_addresses_and_the_environment_are_not_the_runs_to_name(
    yard: Yard, evil: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logger that posts, and a value of the environment under a key that an error would show."""
    monkeypatch.setenv("PRIVATE_WORD", "xyzzy-1234")

    def logs(config: dict[str, Any]) -> None:
        logger = {"_target_": "pytorch_lightning.loggers.MLFlowLogger", "tracking_uri": evil}
        config["logger"] = {"x": logger | {"save_dir": None}}

    yard.edit(logs)
    codes = judged(yard, capsys)
    assert (codes["resume a_gan"], codes["evaluate a_gan"]) == (2, 0)  # who evaluates builds no logger

    def asks(config: dict[str, Any]) -> None:
        config["logger"] = {}
        config["data"]["resize_mode"] = "${oc.env:PRIVATE_WORD}"
        config["data"]["image_size"] = "${oc.env:PRIVATE_WORD}"

    yard.edit(asks)
    codes = judged(yard, capsys, "xyzzy-1234")
    assert {codes["evaluate a_gan"], codes["resume a_gan"], codes["sample a_gan"]} == {2}
    assert main(["evaluate", str(yard.gan), "metric/features=pixels"]) == 2
    assert "data.image_size=${oc.env:PRIVATE_WORD}: is an interpolation" in capsys.readouterr().err


def test_the_python_door_is_as_narrow(yard: Yard, evil: str) -> None:
    root = images(yard.victim / "own")
    yard.edit(of_images(root, cache_dir=str(yard.victim / "made")))
    with audited() as audit:
        run = api.load(yard.gan)
        assert run.data.num_samples("train") > 0
        assert api.load(run).sample(2).shape == (2, 1, 8, 8)
    yard.nothing_beyond(audit, "load")
    assert api.load(yard.gan, allow_places=True).data.cache_dir == str(yard.victim / "made")
    yard.edit(lambda config: config.update(extra=evil))
    with pytest.raises(OptionError, match=r"extra=http.*is an address"):
        api.load(yard.gan)
    with pytest.raises(OptionError, match=r"extra=http.*is an address"):
        api.resume(yard.gan)


def test_the_command_line_allows(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(yard.victim / "own")
    yard.edit(of_images(root, cache_dir=str(yard.victim / "made")))
    assert main(["evaluate", str(yard.gan), "--num", "16", "--allow-places"]) == 0
    assert list((yard.victim / "made").glob("*.npy"))
    given = yard.victim / "given"
    words = ["allow_drift=true", "trainer.max_examples=192", f"data.cache_dir={given}"]
    assert main(["resume", str(yard.gan), *words]) == 0, capsys.readouterr()
    assert list(given.glob("*.npy"))
    capsys.readouterr()
    assert main(["train", "--allow-places", "seed=2"]) == 2
    assert "--allow-places=: is about a RUN that is gone on with; add resume=RUN" in capsys.readouterr().err
    assert main(["train", f"resume={yard.gan}", "--allow-places"]) == 0


# ---- images that start programs ----

_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
_BAD = {
    "eps": _EPS,
    "ps": b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n",
    "dos_eps": b"\xc5\xd0\xd3\xc6"
    + (32).to_bytes(4, "little")
    + len(_EPS).to_bytes(4, "little")
    + b"\0" * 20
    + _EPS,
    "wmf": b"\xd7\xcd\xc6\x9a\0\0\0\0\0\0\x08\0\x08\0\x48\0" + b"\0" * 6 + b"\x01\0\x09\0\0\x03" + b"\0" * 12,
    "emf": b"\x01\0\0\0\x6c\0\0\0" + b"\0" * 32 + b" EMF\0\0\x01\0" + b"\0" * 64,
    "xbm": b"#define x_width 8\n#define x_height 8\nstatic char x_bits[] = {\n0,0,0,0,0,0,0,0};\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:9/x.png"/></svg>',
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n",
    "fpx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "pickle": b"cposix\nsystem\n(S'touch canary'\ntR.",
}


def _odd_tiff(compression: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "TIFF")
    content = bytearray(file.getvalue())
    at = int.from_bytes(content[4:8], "little")
    for entry in range(int.from_bytes(content[at : at + 2], "little")):
        place = at + 2 + 12 * entry
        if int.from_bytes(content[place : place + 2], "little") == 259:  # Compression
            content[place + 8 : place + 10] = compression.to_bytes(2, "little")
    return bytes(content)


def _bomb() -> bytes:
    """A PNG of 65,000 x 65,000 pixels in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (65_000).to_bytes(4, "big") * 2 + bytes((8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_no_image_starts_a_program(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    """By every command that reads images: shards, training, evaluation; each file is refused by its name."""
    bad = (
        _BAD
        | {f"tiff{number}": _odd_tiff(number) for number in (6, 7, 34661, 34925, 65000)}
        | {"bomb": _bomb()}
    )
    root = images(yard.mine / "own")
    for suffix in ("png", "jpg", "tif"):
        for name, content in bad.items():
            (root / f"x_{name}.{suffix}").write_bytes(content)
    data = [f"data.root={root}", "data.channels=1", "data.image_size=8", "data.batch_size=8"]
    few = ["trainer.max_examples=64", "callback=none", "logger=none", "model=mlp_gan"]
    run, skip = yard.mine / "run", "data.on_damaged=skip"
    with audited() as audit:
        assert main(["train", "data=image_folder", *data, *few, f"paths.run_dir={yard.mine}/refused"]) == 2
    said = capsys.readouterr().err
    assert "x_bomb" in said
    assert not [one for one in audit.started if "git" not in str(one)]
    with audited() as audit:
        assert main(["train", "data=image_folder", *data, *few, skip, f"paths.run_dir={run}"]) == 0
        assert main(["evaluate", str(run), "--num", "16", "--split", "train"]) == 0
        assert main(["neighbours", str(run), "--num", "2", "--out", str(yard.mine / "n.png")]) == 0
    bad_ones = 3 * len(bad)
    assert f"{bad_ones} of {bad_ones + 24} images cannot be read" in (run / "train.log").read_text()
    with audited() as more:
        assert main(["shards", "data=image_folder", *data, skip, "--out", str(yard.mine / "shards")]) == 0
    samples = run / "samples"
    samples.mkdir(exist_ok=True)
    for name in ("eps", "wmf", "svg"):  # what a page of a comparison shows
        (samples / f"samples-000000064-{name}.png").write_bytes(bad[name])
    packed = yard.mine / "packed"
    packed.mkdir()
    with tarfile.open(packed / "train.tar", "w") as tar:
        for path in sorted(root.iterdir()):
            tar.add(path, f"{path.stem}_{path.suffix[1:]}{path.suffix}")
    data = ["data=webdataset", f"data.root={packed}", *data[1:], "data.num_workers=0", skip]
    with audited() as shards:
        assert main(["train", *data, *few, f"paths.run_dir={yard.mine}/run2"]) == 0, capsys.readouterr()
        assert main(["evaluate", f"{yard.mine}/run2", "--num", "16", "--split", "train"]) == 0
        assert main(["compare", str(run), str(run), "--no-rank", "--html", f"{yard.mine}/c.html"]) == 0
    assert f"{bad_ones} images cannot be read" in (yard.mine / "run2" / "train.log").read_text()
    seen = (audit, more, shards)
    assert [one for each in seen for one in each.started if "git" not in str(one[1][0])] == []
    assert [one for each in seen for one in each.connected] == []
    assert not list(Path().rglob("canary"))
    capsys.readouterr()


def test_the_audit_sees(tmp_path: Path) -> None:
    """What is held above would be seen."""
    import subprocess

    with audited() as audit:
        (tmp_path / "made").mkdir()
        (tmp_path / "written").write_text("x")
        subprocess.run(["true"], check=True)
        with socket.socket() as one:
            one.settimeout(0.1)
            one.connect_ex(("127.0.0.1", 9))
    assert audit.beyond() == [tmp_path / "made", tmp_path / "written"]
    assert audit.beyond(tmp_path) == []
    assert len(audit.started) == 1
    assert audit.connected == [("socket.connect", (("127.0.0.1", 9),))]
