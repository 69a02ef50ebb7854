from __future__ import annotations

from typing import Any

import pytest

from ganvas.run.folder.short_protocol import noted_protocols, protocols_of_run, short_protocol

SAMPLES = {
    "data": {"split": "val", "samples": 180},
    "generated_samples": 2000,
    "features": {"name": "pixels"},
    "metrics": {"fid": {"metrics": ["fid"]}},
}
RECONSTRUCTIONS = {
    "data": {"split": "test", "samples": 10000},
    "metrics": {
        "quality": {"metrics": ["mse", "psnr"]},
        "rfid": {"metrics": ["rfid"], "features": {"name": "inception"}},
    },
}


@pytest.mark.parametrize(
    ("protocol", "metric", "text"),
    [
        (SAMPLES, "fid", "pixels, val, 2000"),
        (RECONSTRUCTIONS, "psnr", "test, 10000"),
        (RECONSTRUCTIONS, "rfid", "inception, test, 10000"),
        ({}, "fid", ""),
        ({"data": 3, "features": "x", "metrics": [1]}, "fid", ""),
    ],
)
def test_a_protocol_in_a_few_words(protocol: dict[str, Any], metric: str, text: str) -> None:
    assert short_protocol(protocol, metric) == text


def test_the_last_evaluation_of_the_run_itself_counts() -> None:
    rows = [
        {"source": "run", "metrics": {"fid": 3.0}, "protocol": SAMPLES},
        {"source": "run", "metrics": {"psnr": 20.0, "rfid": 2.0}, "protocol": RECONSTRUCTIONS},
        {"source": "evaluate", "metrics": {"kid": 3.0}, "protocol": SAMPLES},
        "broken",
    ]
    assert protocols_of_run(rows) == {"psnr": "test, 10000", "rfid": "inception, test, 10000"}
    assert protocols_of_run([]) == {}


@pytest.mark.parametrize("noted", [None, 3, "x", ["x"], {"fid": 3}])
def test_what_others_wrote_into_a_status_is_data(noted: object) -> None:
    assert noted_protocols({"protocols": noted}) == {}
    assert noted_protocols({"protocols": {"fid": "pixels, val, 2000"}}) == {"fid": "pixels, val, 2000"}
