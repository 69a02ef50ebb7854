"""What holds for every quantizer; the checks are those that ``ganvas check`` asks of anybody's."""

from __future__ import annotations

import pytest

from ganvas.model.quantizer.conformance.expect import NotAsked
from ganvas.model.quantizer.conformance.programs import onnx_of_encode_and_decode
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.conformance.suite import CHECKS, Check
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.residual import ResidualQuantizer


def _parameter(check: Check) -> object:
    return pytest.param(check, id=check.name, marks=[pytest.mark.slow] if check.is_slow else [])


@pytest.mark.parametrize("check", [_parameter(check) for check in CHECKS])
def test_conformance(subject: Subject, check: Check) -> None:
    _ask(subject, check)


FAST = [check for check in CHECKS if not check.is_slow]


@pytest.mark.parametrize("check", FAST, ids=[check.name for check in FAST])
def test_conformance_with_other_options(variant: Subject, check: Check) -> None:
    _ask(variant, check)


def _ask(subject: Subject, check: Check) -> None:
    try:
        check(subject)
    except NotAsked as reason:
        pytest.skip(str(reason))


@pytest.mark.slow
def test_what_onnx_has_no_operator_for_is_not_asked() -> None:
    """The normal distribution's inverse, by which residual levels of equal cells undo their squashing."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    subject = Subject(lambda: ResidualQuantizer(lambda: FSQ([5, 4], 2, cells="equal"), levels=2))
    with pytest.raises(NotAsked, match=r"^encode takes prims.erf_inv, which ONNX has no operator for$"):
        onnx_of_encode_and_decode(subject)
