"""The conformance suite names what is wrong with a quantizer, and nothing of one without a fault."""

from __future__ import annotations

import pytest
import torch
from broken_quantizers import FAULTS, EachRankAlone

from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.conformance.suite import CHECKS, ask
from ganvas.model.quantizer.interface import Quantizer
from ganvas.model.quantizer.vq import VectorQuantizer

FAST = [check for check in CHECKS if not check.is_slow]


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_a_fault_is_named(kind: type[Quantizer]) -> None:
    report = ask(Subject(kind), [check for check in FAST if check.name in FAULTS[kind]])
    assert sorted(fault.check for fault in report.faults) == sorted(FAULTS[kind])
    assert all(fault.asked and fault.found for fault in report.faults)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_what_is_kept_is_not_named(kind: type[Quantizer]) -> None:
    report = ask(Subject(kind), FAST)
    assert len(report.faults) < len(FAST) / 3, report.faults


def test_every_fast_check_has_a_fault_that_it_names() -> None:
    assert {name for names in FAULTS.values() for name in names} == {check.name for check in FAST}
    assert all(check.asked and not check.asked.endswith(".") for check in CHECKS)


def test_without_a_fault_nothing_is_named_and_the_generator_is_as_it_was() -> None:
    before = torch.get_rng_state()
    report = ask(Subject(lambda: VectorQuantizer(11, 3)), FAST)
    assert report.faults == []
    assert len(report.asked) == len(FAST)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_ranks_that_do_otherwise_are_named() -> None:
    checks = [check for check in CHECKS if check.name == "two_ranks_are_one_process"]
    (fault,) = ask(Subject(EachRankAlone), checks).faults
    assert "in batch 1 on two ranks" in fault.found
