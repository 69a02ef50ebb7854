from __future__ import annotations

import json

import pytest

import ganvas
from ganvas.cli.main import main


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (
            ["--metrics", "fid", "kid", "--num", "64", "--num-real", "100"],
            {"metrics": ["fid", "kid"], "num": 64, "num_real": 100},
        ),
        (
            ["--raw", "--num", "64", "--split", "val", "--seed", "3"],
            {"raw": True, "num": 64, "split": "val", "seed": 3},
        ),
        (
            ["metric/samples=[kid]", "--floor", "--num", "64"],
            {"overrides": ["metric/samples=[kid]"], "floor": True, "num": 64},
        ),
    ],
)
def test_metrics_of_a_gan_are_those_of_the_command(outputs, capsys, words, options):
    run = ganvas.load("a_gan", output_dir=outputs)
    rows = len(run.evaluations)
    result = ganvas.evaluate(run, **options)
    assert main(["evaluate", str(run.path), "--json", *words]) == 0
    assert json.loads(json.dumps(result)) == json.loads(capsys.readouterr().out)
    recorded = run.evaluations[rows:]
    assert len(recorded) == (0 if options.get("floor") else 2)
    assert all(row == recorded[0] for row in recorded)


def test_metrics_of_a_vqvae_and_of_raw_weights(outputs):
    run = ganvas.load("b_vqvae", output_dir=outputs)
    result = ganvas.evaluate("b_vqvae", output_dir=outputs, num=100)
    assert ganvas.evaluate(run, num=100) == result
    assert {"psnr", "ssim"} <= result["metrics"].keys()
    raw = ganvas.load("a_gan", output_dir=outputs, weights="raw")
    assert (
        ganvas.evaluate(raw, num=64)["protocol"]["weights"]
        == ganvas.evaluate("a_gan", output_dir=outputs, raw=True, num=64)["protocol"]["weights"]
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"num": 0}, r"^num=0: must be at least 1"),
        ({"num_real": 1}, r"^num_real=1: must be at least 2"),
        ({"split": "all"}, r"^split=all: must be one of train, val, test"),
        ({"metrics": "fid"}, r'^metrics=fid: must be a list, e.g. \["fid"\]'),
        ({"metrics": ["fidd"]}, r"^metrics=.*fid"),
        ({"features": "pixel"}, r"^features=pixel: .*pixels"),
    ],
)
def test_arguments_are_named(outputs, options, line):
    with pytest.raises(ganvas.OptionError, match=line):
        ganvas.evaluate("a_gan", output_dir=outputs, **options)
