"""A failure is told once, as long as it lasts."""

from __future__ import annotations

import pytest

from ganvas.callback.writing.write_errors import WriteErrors


def test_an_event_lasts_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    errors = WriteErrors()
    full = OSError(28, "No space left on device")
    errors.works("samples")
    errors.failed("samples", full)
    errors.failed("samples", full)
    errors.works("samples")
    errors.failed("samples", full)
    errors.failed("metrics.jsonl", PermissionError(13, "Permission denied"))
    assert [(event["what"], event["until"] is None) for event in errors.events] == [
        ("samples", False),
        ("samples", True),
        ("metrics.jsonl", True),
    ]
    assert "No space" in str(errors.events[0]["error"])
    assert "Permission" in str(errors.events[2]["error"])
    assert caplog.text.count("could not be written") == 3
    assert caplog.text.count("can be written again") == 1
