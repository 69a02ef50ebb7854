"""What is said against an experiment before it is built; more by whole commands in tests/runs."""

from __future__ import annotations

import pytest

from ganvas.cli.compose.experiment import compose
from ganvas.cli.compose.refuse_unread import check_experiment
from ganvas.errors import OptionError


def check(*words: str) -> None:
    check_experiment(compose(list(words)), config_dir=None, config_name="train")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("validation/real_accuracy", ["model/adversarial_loss=wasserstein"]),
        ("validation/real_accuracy", ["model/adversarial_loss=rpgan"]),
        ("loss/nope", []),
        ("evaluation/psnr", []),
    ],
)
def test_a_metric_that_the_run_never_reports_is_refused(metric: str, words: list[str]) -> None:
    with pytest.raises(OptionError, match=f"^optimized_metric={metric}: no run of this config reports it; "):
        check(*words, f"optimized_metric={metric}", "optimized_mode=max")
    with pytest.raises(OptionError, match=f"^callback.checkpoint.monitor={metric}: no run of this config "):
        check(*words, f"callback.checkpoint.monitor={metric}")


def test_one_that_it_reports_is_taken() -> None:
    check("optimized_metric=[evaluation/fid,validation/real_accuracy]", "optimized_mode=[null,max]")
    check("callback.checkpoint.monitor=evaluation/fid")
