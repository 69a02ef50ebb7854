"""A later stage's options are refused before the first one trains, and before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from refusal import refused

_SMALL = "accelerator=cpu, logger=none, callback=minimal, trainer.max_examples=128"
_PRIOR = "model=autoregressive, data=codes, 'data.tokenizer={tokenizer}', model.prior.width=16"
_STAGES = f"""
stages:
  - name: tokenizer
    train: [model=mlp_vqvae, {_SMALL}]
  - name: prior
    train: [{_PRIOR}, model.prior.heads=4, {_SMALL}]
  - name: judge
    train: [model=mlp_gan, {_SMALL}]
"""


@pytest.fixture
def mine(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "conf/pipeline").mkdir(parents=True)
    (tmp_path / "conf/pipeline/mine.yaml").write_text(_STAGES)
    return ("pipeline", "mine", "--config-dir", "conf")


@pytest.mark.parametrize(
    ("words", "key", "part"),
    [
        (["prior.model.prior.heads=3"], "prior.model.prior.heads", "must divide the width, 16"),
        (["prior.model.guidance=2"], "prior.model.guidance", "needs model.conditional=true"),
        (["prior.trainer.micro_batches=7"], "prior.trainer.micro_batches", "must divide the 64 samples"),
        (["prior.data.root=nowhere"], "prior.data.root", "is not an option of data"),
        (["prior.callback.checkpoint.monitor=x"], "prior.callback.checkpoint.monitor", "no run of this"),
        (["tokenizer.data.batch_size=4000"], "tokenizer.data.batch_size", "; "),
        (["tokenizer.model.init_from=nowhere"], "tokenizer.model.init_from", "; "),
        (["judge.model.latent_dim=0"], "judge.model.latent_dim", "must be at least 1"),
    ],
)
def test_what_no_stage_can_work_with_is_refused_at_once(
    words: list[str], key: str, part: str, mine: tuple[str, ...], ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    refused(ganvas, tmp_path, [*mine, *words], key, part)


def test_a_plan_tells_it_too_where_no_data_have_to_be_read(
    mine: tuple[str, ...], ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    refused(ganvas, tmp_path, [*mine, "prior.model.prior.heads=3", "--dry-run"], "prior.model.prior.heads")
    assert "what rests on the trained run of tokenizer" in ganvas(*mine, "--dry-run").stdout


def test_a_stage_that_reads_what_an_earlier_one_leaves_waits_for_it(
    mine: tuple[str, ...], ganvas: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "conf/pipeline/mine.yaml").write_text(
        _STAGES.replace("[model=mlp_gan,", "[model=mlp_gan, data=image_folder, 'data.root={folder}/made',")
    )
    words = ["judge.data.native_size=8", "judge.model.latent_dim=0"]
    ganvas(*mine, "--dry-run", *words)
