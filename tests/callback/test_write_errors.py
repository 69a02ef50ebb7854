"""A failure is told once, as long as it lasts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ganvas.callback.write_errors import tolerate_write_errors, write_errors


def test_an_event_lasts_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    trainer = SimpleNamespace()
    for works in (True, False, False, True, False):
        with tolerate_write_errors(trainer, "samples"):
            if not works:
                raise OSError(28, "No space left on device")
    with tolerate_write_errors(trainer, "metrics.jsonl"):
        raise PermissionError(13, "Permission denied")
    events = write_errors(trainer).events
    assert [(event["what"], event["until"] is None) for event in events] == [
        ("samples", False), ("samples", True), ("metrics.jsonl", True),
    ]  # fmt: skip
    assert "No space" in str(events[0]["error"])
    assert "Permission" in str(events[2]["error"])
    assert caplog.text.count("could not be written") == 3
    assert caplog.text.count("can be written again") == 1


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="ours"), tolerate_write_errors(SimpleNamespace(), "samples"):
        raise ValueError("ours")
