from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim, export
from torch.nn import functional as F

from ganvas.errors import OptionError
from ganvas.model.quantizer.codebook import CodebookQuantizer
from ganvas.model.quantizer.cosine import CosineQuantizer
from ganvas.model.quantizer.fsq import FSQ
from ganvas.model.quantizer.multiscale import MultiscaleQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

SIDES = (1, 2, 3, 5)


def _started(make: Callable[[int, int], CodebookQuantizer] = VectorQuantizer, **options: Any) -> Any:
    """In train mode; ``inner`` has codes that nothing has moved yet."""
    torch.manual_seed(0)
    quantizer = MultiscaleQuantizer(lambda: make(11, 3), SIDES, **options)
    quantizer.inner.set_codes(torch.randn(11, 3))
    return quantizer


def _area(x: Tensor, side: int) -> Tensor:
    """The mean over areas [floor(i S / s), ceil((i + 1) S / s)), by definition."""
    full = x.shape[2]
    cut = [slice(i * full // side, math.ceil((i + 1) * full / side)) for i in range(side)]
    return torch.stack([torch.stack([x[:, :, a, b].mean((2, 3)) for b in cut], -1) for a in cut], -2)


def _by_definition(quantizer: MultiscaleQuantizer, z: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Indices [B, T] and f_k of every scale, in float64."""
    codes, convolutions = quantizer.inner.codebook.detach().double(), quantizer.convolutions
    z, said, indices, maps = z.detach().double(), torch.zeros(()), [], []
    for scale, side in enumerate(SIDES):
        left = _area(z - said, side)
        index = (left[:, None] - codes[None, :, :, None, None]).square().sum(2).argmin(1)  # [B, side, side]
        x = F.interpolate(codes[index].movedim(-1, 1), size=(5, 5), mode="bicubic")
        if convolutions:
            own = copy.deepcopy(convolutions[scale * len(convolutions) // 4]).double()
            x = (1 - quantizer.share) * x + quantizer.share * own(x).detach()
        said = said + x
        indices.append(index.flatten(1))
        maps.append(said)
    return torch.cat(indices, dim=1), maps


@pytest.mark.parametrize("convolutions", [0, 2, 4])
@pytest.mark.parametrize("training", [False, True])
def test_scales_by_definition(convolutions: int, training: bool) -> None:
    quantizer = _started(convolutions=convolutions, convolution_share=0.3).train(training)
    z = torch.randn(6, 3, 5, 5)
    indices, maps = _by_definition(quantizer, z)
    output = quantizer(z)
    assert output.indices.shape == (6, 1, 1 + 4 + 9 + 25)
    assert torch.equal(output.indices[:, 0], indices)
    torch.testing.assert_close(output.quantized.double(), maps[-1], rtol=1e-5, atol=1e-5)
    mean = torch.stack([(one - z).square().mean() for one in maps]).mean()
    torch.testing.assert_close(output.loss.double(), 1.25 * mean, rtol=1e-5, atol=0)
    for name in ("codebook_loss", "commitment_loss"):
        torch.testing.assert_close(output.metrics[name].double(), mean, rtol=1e-5, atol=0)
    counts = indices.flatten().bincount(minlength=11)
    assert output.metrics["codes_used"] == (counts > 0).sum()
    if not training:
        assert torch.equal(quantizer.encode(z), output.indices)
        assert torch.equal(quantizer.decode(output.indices), output.quantized)
        for scales, end in enumerate((1, 5, 14, 39), 1):
            for cut in (
                quantizer.decode(output.indices, levels=scales),
                quantizer.decode(output.indices[:, :, :end]),
            ):
                torch.testing.assert_close(cut.double(), maps[scales - 1], rtol=1e-5, atol=1e-5)


def test_gradients() -> None:
    quantizer = _started(convolutions=2)
    z, upstream = torch.randn(6, 3, 5, 5, requires_grad=True), torch.randn(6, 3, 5, 5)
    _, maps = _by_definition(quantizer, z)
    output = quantizer(z)
    (output.loss + (output.quantized * upstream).sum()).backward()
    # straight-through, and the commitment of every scale; none through what a scale leaves over
    commitment = sum(2 * 0.25 * (z.detach() - one) / z.numel() / 4 for one in maps)
    torch.testing.assert_close(z.grad, (upstream + commitment).float(), rtol=1e-4, atol=1e-6)
    for parameter in quantizer.parameters():
        assert parameter.grad.abs().sum() > 0
    # what moves codes and convolutions is the first term alone
    before = {name: one.grad.clone() for name, one in quantizer.named_parameters()}
    quantizer.zero_grad()
    quantizer(z.detach()).loss.backward()
    for name, one in quantizer.named_parameters():
        torch.testing.assert_close(one.grad, before[name])


@pytest.mark.parametrize("make", [VectorQuantizer, EMAVectorQuantizer])
def test_one_full_scale_without_convolution_is_plain_quantization(make: Any) -> None:
    torch.manual_seed(0)
    plain: Any = make(11, 3)
    scales = MultiscaleQuantizer(lambda: copy.deepcopy(plain), sides=[5], convolutions=0)
    for _ in range(3):
        z, upstream, both = torch.randn(6, 3, 5, 5), torch.randn(6, 3, 5, 5), []
        for quantizer in (plain, scales):
            quantizer.zero_grad()
            leaf = z.clone().requires_grad_(True)
            output = quantizer(leaf)
            (output.loss + (output.quantized * upstream).sum()).backward()
            grads = [one.grad for one in quantizer.parameters()]
            both.append(
                [output.quantized, output.indices.flatten(), output.loss, output.metrics, leaf.grad, grads]
            )
        torch.testing.assert_close(both[1], both[0], rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(scales.inner.codebook, plain.codebook)


def test_codes_start_at_vectors_of_all_scales() -> None:
    torch.manual_seed(0)
    quantizer = MultiscaleQuantizer(lambda: VectorQuantizer(64, 3), SIDES)
    quantizer(50 + torch.randn(8, 3, 5, 5))
    assert (quantizer.inner.codebook - 50).abs().max() < 10
    assert quantizer.inner.codebook.std(0).min() > 0.5  # not those of the first scale alone, 8 means
    codes = quantizer.inner.codebook.clone()
    quantizer(torch.randn(8, 3, 5, 5))
    assert torch.equal(quantizer.inner.codebook, codes)


def test_scales_get_finer() -> None:
    torch.manual_seed(0)
    quantizer = MultiscaleQuantizer(lambda: EMAVectorQuantizer(64, 3, decay=0.9), SIDES, convolutions=0)
    for _ in range(60):
        quantizer(F.interpolate(torch.randn(16, 3, 3, 3), size=(5, 5), mode="bilinear"))
    z = F.interpolate(torch.randn(64, 3, 3, 3), size=(5, 5), mode="bilinear")
    indices = quantizer.eval()(z).indices
    errors = [(quantizer.decode(indices, levels=k) - z).square().mean().item() for k in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.2 * errors[0]


def test_eval_and_freezing_leave_it_alone() -> None:
    quantizer = _started(EMAVectorQuantizer)
    state = copy.deepcopy(quantizer.state_dict())
    z = torch.randn(6, 3, 5, 5)
    quantizer.eval()(z)
    output = quantizer.train().requires_grad_(False)(z.requires_grad_(True))
    output.loss.backward()
    for name, value in quantizer.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert z.grad is not None
    quantizer.requires_grad_(True)(z)
    assert not torch.equal(quantizer.inner.codebook, state["inner.codebook"])


def test_types_and_what_is_not_finite() -> None:
    quantizer = _started().eval()
    z = torch.randn(6, 3, 5, 5)
    expected = quantizer(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(quantizer(z).indices, expected.indices)
    double = copy.deepcopy(quantizer).double()(z.double())
    assert double.quantized.dtype == torch.float64
    torch.testing.assert_close(double.quantized, expected.quantized.double(), rtol=1e-4, atol=1e-4)
    half = quantizer(z.half())
    assert half.quantized.dtype == torch.float16
    assert copy.deepcopy(quantizer).half().decode(expected.indices).dtype == torch.float16
    z[2, 1, 3, 3] = torch.nan
    bad = quantizer(z)
    assert bad.loss.isnan()
    assert bad.quantized[2].isnan().any()
    assert torch.equal(bad.quantized[3:], expected.quantized[3:])
    with pytest.raises(ValueError, match="holds 1 numbers that are NaN"):
        quantizer.encode(z)


_TWO_RANKS = """
    from ganvas.model.quantizer.multiscale import MultiscaleQuantizer
    from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

    torch.manual_seed(0)
    inner = lambda: EMAVectorQuantizer(9, 3, decay=0.5, restart_threshold=0.5)
    quantizer = MultiscaleQuantizer(inner, (1, 2, 4))
    for _ in range(5):
        z = torch.randn(16, 3, 4, 4)
        output = quantizer(z[8 * rank : 8 * rank + 8])
    result = {"state": dict(quantizer.state_dict()), "metrics": output.metrics, "indices": output.indices}
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_TWO_RANKS)
    torch.manual_seed(0)
    make = lambda: EMAVectorQuantizer(9, 3, decay=0.5, restart_threshold=0.5)  # noqa: E731
    quantizer = MultiscaleQuantizer(make, (1, 2, 4))
    for _ in range(5):
        output = quantizer(torch.randn(16, 3, 4, 4))
    for result in results:
        torch.testing.assert_close(result["state"], dict(quantizer.state_dict()))
        for name in ("perplexity", "codes_used"):
            torch.testing.assert_close(result["metrics"][name], output.metrics[name])
    assert torch.equal(torch.cat([result["indices"] for result in results]), output.indices)


def test_a_fresh_one_goes_on_from_its_checkpoint() -> None:
    for batches in (0, 2):
        one, fresh = (MultiscaleQuantizer(lambda: EMAVectorQuantizer(9, 3), SIDES) for _ in range(2))
        for _ in range(batches):
            one(torch.randn(6, 3, 5, 5))
        fresh(torch.randn(6, 3, 5, 5))
        fresh.load_state_dict(one.state_dict())
        for _ in range(2):
            z = torch.randn(6, 3, 5, 5)
            assert torch.equal(one(z).quantized, fresh(z).quantized)
        for name, value in fresh.state_dict().items():
            assert torch.equal(value, one.state_dict()[name]), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sides": []}, r"sides=\[\]: must grow"),
        ({"sides": [0, 5]}, r"sides=\[0, 5\]: must grow from 1"),
        ({"sides": [1, 3, 3]}, r"sides=\[1, 3, 3\]: must grow"),
        ({"convolutions": -1}, "convolutions=-1: must be at least 0"),
        ({"convolution_share": 1.5}, "convolution_share=1.5: must be in"),
        ({"embedding_dim": 4}, "embedding_dim=4: must be 3, the inner"),
        ({"inner": lambda: FSQ([5, 5], 2)}, "inner=FSQ: has no codebook"),
        ({"inner": lambda: VectorQuantizer(0, 2)}, "inner.num_embeddings=0: must be"),
        ({"inner": lambda: CosineQuantizer(9, 3)}, "inner=CosineQuantizer: compares .* take vq or vq_ema"),
        ({"inner": lambda: CosineQuantizer(9, 3, code_dim=None)}, "inner=CosineQuantizer: compares"),
        ({"inner": lambda: EMAVectorQuantizer(9, 3, gradient="rotation")}, "inner.gradient=rotation: would"),
        ({"inner": lambda: VectorQuantizer(9, 3, gradient="diveq")}, "inner.gradient=diveq: would change"),
        ({"inner": lambda: VectorQuantizer(9, 3, entropy_cost=0.1)}, "inner.entropy_cost=0.1: would change"),
        (
            {"inner": lambda: VectorQuantizer(9, 3, orthogonal_cost=1.0)},
            "inner.orthogonal_cost=1.0: would change nothing, .*; leave it at 0.0",
        ),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"inner": lambda: VectorQuantizer(9, 3), "sides": SIDES}
    with pytest.raises(OptionError, match=message):
        MultiscaleQuantizer(**(usual | options))


def test_wrong_shapes_are_refused() -> None:
    quantizer = _started()
    for shape in ((2, 3, 4, 4), (2, 3, 5, 4), (2, 3, 25), (2, 3)):
        for call in (quantizer, quantizer.encode):
            with pytest.raises(OptionError, match=r"sides=\[1, 2, 3, 5\]: latents of shape .* last side, 5"):
                call(torch.randn(shape))
    with pytest.raises(ValueError, match="a mask: codes stand for areas"):
        quantizer(torch.randn(2, 3, 5, 5), torch.ones(2, 5, 5, dtype=torch.bool))
    for shape in ((2, 1, 6), (2, 1, 40), (2, 1, 5, 5), (2, 1)):
        with pytest.raises(ValueError, match=r"must be \[B, 1, T\], T one of \[1, 5, 14, 39\]"):
            quantizer.decode(torch.zeros(shape, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"indices hold 11: each must be in \[0, 11\)"):
        quantizer.decode(torch.full((2, 1, 5), 11))


@pytest.mark.slow
def test_it_exports_with_a_dynamic_batch() -> None:
    quantizer = _started().eval()

    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quantizer = quantizer

        def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
            indices = self.quantizer.encode(z)
            return indices, self.quantizer.decode(indices)

    batch = Dim("batch", min=2)
    program = export(Both().eval(), (torch.randn(4, 3, 5, 5),), dynamic_shapes=({0: batch},)).module()
    for size in (2, 9):
        z = torch.randn(size, 3, 5, 5)
        for found, expected in zip(program(z), Both()(z), strict=True):
            torch.testing.assert_close(found, expected)
