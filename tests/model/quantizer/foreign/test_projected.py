from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from ganvas.model.quantizer.conformance.expect import NotAsked
from ganvas.model.quantizer.conformance.subject import Subject
from ganvas.model.quantizer.conformance.suite import CHECKS, Check
from ganvas.model.quantizer.foreign.projected import ProjectedQuantizer
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.residual import ResidualQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


def _make() -> ProjectedQuantizer:
    return ProjectedQuantizer(lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(5, 2), levels=2), 3)


def _parameter(check: Check) -> object:
    return pytest.param(check, id=check.name, marks=[pytest.mark.slow] if check.is_slow else [])


@pytest.mark.parametrize("check", [_parameter(check) for check in CHECKS])
def test_it_is_a_quantizer(check: Check) -> None:
    try:
        check(Subject(_make))
    except NotAsked as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("bias", [True, False])
def test_codes_gradients_and_loss_are_those_between_the_maps(bias: bool) -> None:
    torch.manual_seed(0)
    quantizer = ProjectedQuantizer(lambda: EMAVectorQuantizer(5, 2), 3, bias=bias)
    quantizer.inner.set_codes(torch.randn(5, 2))
    inner, z = copy.deepcopy(quantizer.inner), torch.randn(7, 3, requires_grad=True)
    output, upstream = quantizer(z), torch.randn(7, 3)
    y = F.linear(z, quantizer.project_in.weight, quantizer.project_in.bias)
    own = inner(y)
    quantized = F.linear(own.quantized, quantizer.project_out.weight, quantizer.project_out.bias)
    assert torch.equal(output.indices, own.indices)
    torch.testing.assert_close(output.quantized, quantized)
    torch.testing.assert_close(output.loss, own.loss)
    wanted = torch.autograd.grad((quantized * upstream).sum() + own.loss, [z, *quantizer.parameters()])
    found = torch.autograd.grad(
        (output.quantized * upstream).sum() + output.loss, [z, *quantizer.parameters()]
    )
    torch.testing.assert_close(found, wanted)
    assert (quantizer.project_in.bias is None) != bias


def test_freezing_reaches_codes_that_are_running_means() -> None:
    quantizer = _make().requires_grad_(False)
    before = copy.deepcopy(quantizer.state_dict())
    quantizer(torch.randn(20, 3))
    assert all(torch.equal(before[name], value) for name, value in quantizer.state_dict().items())
    assert not any(one.requires_grad for one in quantizer.parameters())


def test_levels_are_cut_and_a_scalar_quantizer_needs_no_loss() -> None:
    quantizer = _make()
    quantizer(torch.randn(20, 3))
    indices = quantizer.eval().encode(torch.randn(4, 3))
    assert torch.equal(quantizer.decode(indices, levels=1), quantizer.decode(indices[:, :1]))
    assert ProjectedQuantizer(lambda: FSQ([3, 4], 2), 6)(torch.randn(4, 6)).loss.item() == 0
