from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ganvas.model.quantizer.foreign.taming import vector_quantizer2


@pytest.mark.parametrize(("legacy", "commitment"), [(True, 1.0), (False, 0.4)])
def test_codes_and_the_side_of_beta(legacy: bool, commitment: float) -> None:
    torch.manual_seed(0)
    codes, z = torch.randn(7, 4), torch.randn(3, 4, 5, 5, requires_grad=True)
    state = {"encoder.weight": torch.ones(3), "quantize.embedding.weight": codes}
    quantizer = vector_quantizer2(state, prefix="quantize.", beta=0.4, legacy=legacy)
    output = quantizer(z)
    rows = z.movedim(1, -1).reshape(-1, 4)
    index = torch.cdist(rows, codes).argmin(1)
    assert torch.equal(output.indices.flatten(), index)
    output.loss.backward()
    # theirs: mean((sg e - z)^2) + beta mean((e - sg z)^2) with legacy, beta on the other term without
    (expected,) = torch.autograd.grad(commitment * F.mse_loss(codes[index], rows), z)
    torch.testing.assert_close(z.grad, expected)
    assert quantizer.restart_after == 0
    assert torch.equal(quantizer.codebook, codes)


def test_what_cannot_be_read_is_refused() -> None:
    codes = torch.randn(7, 4)
    with pytest.raises(ValueError, match=r"holds no VectorQuantizer2 under 'quantize.': embedding.weight"):
        vector_quantizer2({"embedding.weight": codes}, prefix="quantize.")
    with pytest.raises(ValueError, match=r"holds used, which nothing here is made of"):
        vector_quantizer2({"embedding.weight": codes, "used": torch.arange(3)})
    with pytest.raises(ValueError, match=r"shape \[28\]: one codebook"):
        vector_quantizer2({"embedding.weight": codes.flatten()})


@pytest.mark.slow
def test_the_library_itself_gives_the_same_codes() -> None:
    library = pytest.importorskip(
        "taming.modules.vqvae.quantize", reason="taming-transformers is not installed"
    )
    torch.manual_seed(0)
    module = library.VectorQuantizer2(16, 8, beta=0.25)
    quantizer, z = vector_quantizer2(module.state_dict()), torch.randn(3, 8, 6, 6)
    quantized, _, (_, _, indices) = module(z)
    output = quantizer.eval()(z)
    assert torch.equal(output.indices.flatten(), indices.flatten())
    torch.testing.assert_close(output.quantized, quantized)
