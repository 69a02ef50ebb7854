"""What holds for every quantizer; the checks are those that ``ganvas check`` asks of anybody's."""

from __future__ import annotations

import pytest

from ganvas.model.quantizer.conformance.expect import NotAsked
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.conformance.suite import CHECKS, Check


def _parameter(check: Check) -> object:
    return pytest.param(check, id=check.name, marks=[pytest.mark.slow] if check.is_slow else [])


@pytest.mark.parametrize("check", [_parameter(check) for check in CHECKS])
def test_conformance(subject: Subject, check: Check) -> None:
    try:
        check(subject)
    except NotAsked as reason:
        pytest.skip(str(reason))
