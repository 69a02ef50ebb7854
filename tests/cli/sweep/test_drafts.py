from __future__ import annotations

import pytest

from ganvas.cli.sweep.drafts import differing, slug


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["seed=1", "model=mlp_gan"], "seed-1_model-mlp_gan"),
        (["model.generator_optimizer.lr=1e-4"], "lr-1e-4"),
        (["model/quantizer=fsq"], "quantizer-fsq"),
        (["model.quantizer.levels=[8,5]"], "levels--8-5"),
        (["name=a b/../c"], "name-a-b-..-c"),
        ([], "job"),
    ],
)
def test_slug(overrides: list[str], name: str) -> None:
    assert slug(overrides) == name


def test_slug_is_a_short_file_name_that_hydra_reads() -> None:
    name = slug([f"model.key_{number}='${{x}}={number}'" for number in range(40)])
    assert len(name) == 80
    assert not set(name) & set("=/$'{} ")


def test_differing_keeps_what_not_every_job_has() -> None:
    jobs = [["a=1", "b=1", "c=0"], ["a=1", "b=2", "c=0"], ["a=2", "b=1", "c=0"]]
    assert differing(jobs) == [["a=1", "b=1"], ["a=1", "b=2"], ["a=2", "b=1"]]
    assert differing([["a=1", "b=2"]]) == [["a=1", "b=2"]]
