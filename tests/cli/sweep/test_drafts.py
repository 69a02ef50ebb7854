from __future__ import annotations

import pytest

from ganvas.cli.compose.composer import Composer
from ganvas.cli.compose.session import hydra_session
from ganvas.cli.sweep.drafts import differing, one_job, slug
from ganvas.cli.sweep.plan import hydra_section, plan_sweep


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


def test_one_job_of_a_sweep() -> None:
    with hydra_session(None) as hydra:
        words = [
            "model/schedule@model.instance_noise=linear,cosine",
            "model.instance_noise.first=0.1",
            "seed=3,1",
        ]
        words += ["data.batch_size=range(8,20,4)", "model.latent_dim=interval(8,16)"]
        assert one_job(hydra, words) == [
            "model/schedule@model.instance_noise=linear",
            "model.instance_noise.first=0.1",
            "seed=3",
            "data.batch_size=8",
        ]


def test_a_key_of_an_option_that_differs_between_jobs() -> None:
    """Hydra alone would look for it in the config of no job, in which no option of the group is chosen."""
    words = ["model/schedule@model.instance_noise=linear,cosine", "model.instance_noise.first=0.1"]
    with hydra_session(None) as hydra:
        composer = Composer(hydra)
        planned = plan_sweep(composer, words, hydra_section(composer, words))
        jobs = [planned.sweep.config_of(job)["model"]["instance_noise"] for job in planned.sweep.jobs]
    assert [job["first"] for job in jobs] == [0.1, 0.1]
    assert [job["_target_"].rpartition(".")[2] for job in jobs] == ["Linear", "Cosine"]
    assert planned.sweep.about["overrides"] == ["model.instance_noise.first=0.1"]
