"""What may come next on a command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from forged_runs import forge

from ganvas.cli.commands import COMMANDS
from ganvas.cli.shell.candidates import candidates


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, model, can in (
        ("10_gan", "mlp_gan", ["samples", "latents"]),
        ("20_vq", "vqvae", ["reconstructs"]),
    ):
        forge(tmp_path / "outputs" / "train" / name, choices={"model": model}, status={"abilities": can})
    (tmp_path / "own" / "model" / "quantizer").mkdir(parents=True)
    (tmp_path / "own" / "model" / "quantizer" / "mine.yaml").write_text("_target_: mine.Mine\n")
    (tmp_path / "own" / "metric" / "features").mkdir(parents=True)
    (tmp_path / "own" / "metric" / "features" / "owned.yaml").write_text("_target_: mine.Features\n")
    (tmp_path / "own" / "model" / "my_part").mkdir()
    (tmp_path / "own" / "model" / "my_part" / "one.yaml").write_text("_target_: mine.One\n")
    (tmp_path / "own" / "mine.yaml").write_text("defaults: [train, _self_]\nmy_key: 5\n")
    return tmp_path / "outputs"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ganvas re", "reconstruct resume"),
        ("ganvas --", "--help --version"),
        ("ganvas sample ", "10_gan latest latest:digits latest:mlp_gan"),
        ("ganvas sample lat", "latest latest:digits latest:mlp_gan"),
        ("ganvas sample 10_gan ", ""),
        ("ganvas reconstruct ", "20_vq latest latest:digits latest:vqvae"),
        ("ganvas reconstruct latest:v", "latest:vqvae"),
        ("ganvas encode ", "20_vq latest latest:digits latest:vqvae"),
        ("ganvas encode 20_vq ", ""),
        ("ganvas decode ", ""),
        ("ganvas decode x.gvq 2", "20_vq"),
        ("ganvas decode x.gvq 20_vq 2", ""),
        ("ganvas encode latest --lo", "--lossless"),
        ("ganvas compare 10_gan 2", "20_vq"),
        ("ganvas plot 10_gan 2", "20_vq"),
        ("ganvas evaluate 10_gan 2", "20_vq"),
        ("ganvas runs ls 1", "10_gan"),
        ("ganvas sample 1 --output-dir nowhere 1", ""),
        ("ganvas sample 10_gan --tru", "--truncation"),
        ("ganvas interpolate --ste", "--steps"),
        ("ganvas evaluate latest --split ", "test train val"),
        ("ganvas evaluate latest --split t", "test train"),
        ("ganvas evaluate latest --split test t", ""),
        ("ganvas evaluate latest --metrics fi", "fid"),
        ("ganvas evaluate latest --metrics fid ki", "kid"),
        ("ganvas evaluate latest --features eff", "efficientnet_lite0"),
        ("ganvas evaluate latest metric/samples=ki", "metric/samples=kid"),
        ("ganvas evaluate latest --config-dir own metric/features=o", "metric/features=owned"),
        ("ganvas compare * --by psn", "psnr"),
        ("ganvas compare * --mode ", "max min"),
        ("ganvas sample latest --out ", ""),
        ("ganvas pipeline quick", "quickstart_prior"),
        ("ganvas pipeline quickstart_prior ", "prior. tokenizer."),
        ("ganvas pipeline quickstart_prior prior.model/pri", "prior.model/prior="),
        ("ganvas pipeline quickstart_prior prior.model/prior=pix", "prior.model/prior=pixelcnn"),
        ("ganvas pipeline --resume ", "latest"),
        ("ganvas pipeline --dry", "--dry-run"),
        ("ganvas sweep re", "resume retry"),
        ("ganvas sweep best --sa", "--save"),
        ("ganvas sweep best ", "latest"),
        ("ganvas runs ", "diff ls rm show"),
        ("ganvas runs diff 10_gan 2", "20_vq"),
        ("ganvas runs show latest:v", "latest:vqvae"),
        ("ganvas check model=dcg", "model=dcgan"),
        ("ganvas completion ", "bash fish zsh"),
        ("ganvas options model/qu", "model/quantizer"),
        ("ganvas options --config-dir own model/m", "model/my_part"),
        ("ganvas resume 10_gan trainer.max_e", "trainer.max_examples="),
        ("ganvas resume 10_gan model.generator_optimizer.", "model.generator_optimizer.lr="),
        ("ganvas train --cf", "--cfg"),
        ("ganvas train --allow-i", "--allow-imports"),
        ("ganvas train --allow-imports mine model=dcg", "model=dcgan"),
        ("ganvas train --config-dir own --config-name mine my", "my_key="),
        ("ganvas train --cfg ", "all hydra job"),
        ("ganvas train resume=2", "resume=20_vq"),
        ("ganvas train model=mlp", "model=mlp_gan model=mlp_vqvae"),
        ("ganvas train -m model=dcgan,mlp_v", "model=dcgan,mlp_vqvae"),
        ("ganvas train metric/samples=[fid,ki", "metric/samples=[fid,kid"),
        ("ganvas train model=vqvae model/quantizer=f", "model/quantizer=fsq"),
        ("ganvas train --config-dir own model=vqvae model/quantizer=mi", "model/quantizer=mine"),
        ("ganvas train trainer.max_ex", "trainer.max_examples="),
        ("ganvas sweep plan data=c", "data=cifar10 data=codes"),
        ("ganvas shards --im", "--images-per-shard"),
        ("ganvas shards --images-per-shard ", ""),
        ("ganvas nothing ", ""),
        ("ganvas train model=nothing trainer.max_ex", ""),
        ("ganvas", ""),
    ],
)
def test_what_may_come_next(line: str, expected: str, outputs: Path) -> None:
    if line == "ganvas":
        assert set(COMMANDS) - {"job"} < set(candidates(line))
    else:
        assert candidates(line) == expected.split()


def test_a_query_is_answered_a_line_each(ganvas, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "ganvas evaluate latest --split  --json"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len("ganvas evaluate latest --split t")))
    assert ganvas("-sc", "query=bash").stdout == "test\ntrain\nval\n"
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert ganvas("-sc", "query=fish").stdout == "--json\n"


def test_every_command_tells_its_flags(outputs: Path) -> None:
    """Found by asking each command for its parser; nothing else of it runs."""
    for command in COMMANDS:
        rest = {"sweep": " status", "runs": " ls"}.get(command, "")
        flags = candidates(f"ganvas {command}{rest} --")
        assert "--help" in flags, command
        assert len(flags) > 1 or command in ("init", "completion"), command
    assert not list(outputs.parent.glob("*.png"))
