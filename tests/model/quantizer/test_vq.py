from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.quantizer.vq import VectorQuantizer


def _with_codes(codes: Tensor, **options: Any) -> VectorQuantizer:
    quantizer = VectorQuantizer(*codes.shape, **options)
    quantizer.load_state_dict(quantizer.state_dict() | {"codebook": codes, "batches": torch.tensor(1)})
    return quantizer


def test_loss_and_gradients_in_closed_form() -> None:
    torch.manual_seed(0)
    codes, z = torch.randn(4, 3), torch.randn(2, 3, 5, requires_grad=True)
    quantizer = _with_codes(codes, commitment_cost=0.6)
    output = quantizer(z)
    rows = z.detach().movedim(1, -1).reshape(-1, 3)
    index = (rows[:, None] - codes[None]).square().sum(2).argmin(1)
    chosen = codes[index]
    distance = (rows - chosen).square().mean()
    torch.testing.assert_close(output.loss, 1.6 * distance)
    torch.testing.assert_close(output.metrics["codebook_loss"], distance)
    torch.testing.assert_close(output.metrics["commitment_loss"], distance)  # before the weight

    upstream = torch.randn(2, 3, 5)
    (output.loss + (output.quantized * upstream).sum()).backward()
    expected = upstream.movedim(1, -1).reshape(-1, 3) + 2 * 0.6 * (rows - chosen) / rows.numel()
    torch.testing.assert_close(z.grad.movedim(1, -1).reshape(-1, 3), expected)
    count = index.bincount(minlength=4)[:, None]
    mean = torch.zeros(4, 3).index_add_(0, index, rows) / count.clamp(min=1)
    torch.testing.assert_close(quantizer.codebook.grad, 2 * count * (codes - mean) / rows.numel())


def test_the_weight_belongs_to_the_commitment() -> None:
    codes, z = torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.ones(1, 2, requires_grad=True)
    quantizer = _with_codes(codes, commitment_cost=0.0)
    quantizer(z).loss.backward()
    assert not z.grad.any()
    assert quantizer.codebook.grad.tolist() == [[-1.0, -1.0], [0.0, 0.0]]


def test_the_codes_start_in_the_first_training_batch() -> None:
    torch.manual_seed(0)
    quantizer, z = VectorQuantizer(16, 3), 50 + 0.1 * torch.randn(64, 3)
    quantizer.eval()(z)
    assert quantizer.batches.item() == 0
    assert quantizer.codebook.abs().max().item() < 10  # an eval batch starts nothing
    quantizer.train()(z)
    distance = torch.cdist(quantizer.codebook.detach(), z, compute_mode="donot_use_mm_for_euclid_dist").amin(
        1
    )
    assert distance.max().item() < 0.3  # one float32 sits near a row; the noise is 1 % of the spread
    before = quantizer.codebook.detach().clone()
    quantizer(z - 100)
    assert torch.equal(quantizer.codebook, before)  # only the first one


def test_an_idle_code_restarts_where_the_error_is() -> None:
    codes = torch.tensor([[0.0, 0.0], [1000.0, 0.0], [-1000.0, 0.0]])
    quantizer = _with_codes(codes, restart_after=3)  # batches of more vectors than codes
    z = torch.cat([torch.zeros(63, 2), torch.tensor([[7.0, 8.0]])])
    for _ in range(2):
        quantizer(z)
    assert torch.equal(quantizer.codebook, codes)
    assert quantizer.idle.tolist() == [0, 6, 6]
    quantizer(z)
    # 63 of 64 vectors sit on a code already; the one that does not is chosen
    assert quantizer.codebook.tolist() == [[0.0, 0.0], [7.0, 8.0], [7.0, 8.0]]
    assert quantizer.idle.tolist() == [0, 0, 0]
    assert quantizer(z).metrics["codes_used"].item() == 2


@pytest.mark.parametrize("vectors", [1, 5, 25, 250])
def test_a_code_restarts_by_its_expected_uses(vectors: int) -> None:
    codes = torch.cat([torch.zeros(1, 2), torch.full((24, 2), 1e3)])
    quantizer = _with_codes(codes, restart_after=10)  # times 25 codes: 250 vectors
    for _ in range(250 // min(vectors, 25) - 1):
        quantizer(torch.zeros(vectors, 2))
        assert torch.equal(quantizer.codebook, codes)
    quantizer(torch.zeros(vectors, 2))
    assert not quantizer.codebook.any()


def test_few_vectors_and_many_codes_make_no_churn() -> None:
    torch.manual_seed(0)
    quantizer, restarts = VectorQuantizer(num_embeddings=64, embedding_dim=2), 0
    for _ in range(400):  # 2 vectors a batch: of 64 codes in even use each comes once in 32 batches
        before = quantizer.codebook.detach().clone()
        quantizer(torch.randn(2, 2))
        restarts += int((quantizer.codebook != before).any(1).sum()) if quantizer.batches > 1 else 0
    assert restarts == 0


def test_without_restarts_idle_codes_stay() -> None:
    codes = torch.tensor([[0.0], [1000.0]])
    quantizer = _with_codes(codes, restart_after=0)
    for _ in range(200):
        quantizer(torch.randn(8, 1))
    assert torch.equal(quantizer.codebook, codes)


_TWO_RANKS = """
    from ganvas.model.quantizer.vq import VectorQuantizer

    torch.manual_seed(0)
    quantizer = VectorQuantizer(9, 3, restart_after=2)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=2.0)
    for _ in range(6):
        z = torch.randn(16, 3)
        output = quantizer(z[8 * rank : 8 * rank + 8])
        optimizer.zero_grad()
        output.loss.backward()
        dist.all_reduce(quantizer.codebook.grad)
        quantizer.codebook.grad /= 2
        optimizer.step()
    result = {"state": quantizer.state_dict(), "metrics": output.metrics}
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_TWO_RANKS)
    torch.manual_seed(0)
    quantizer = VectorQuantizer(9, 3, restart_after=2)
    optimizer = torch.optim.SGD(quantizer.parameters(), lr=2.0)
    for _ in range(6):
        output = quantizer(torch.randn(16, 3))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    for result in results:
        torch.testing.assert_close(result["state"], dict(quantizer.state_dict()))
        for name in ("perplexity", "codes_used"):
            torch.testing.assert_close(result["metrics"][name], output.metrics[name])


@pytest.mark.parametrize(
    ("option", "value"),
    [("num_embeddings", 0), ("embedding_dim", -1), ("commitment_cost", -0.1), ("restart_after", -1)],
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        VectorQuantizer(**{option: value})
    assert error.value.option == option


def test_the_noise_of_diveq_is_another_in_every_quantizer_and_its_own_in_a_copy() -> None:
    torch.manual_seed(0)
    first, second = (VectorQuantizer(8, 4, gradient="diveq", restart_after=0) for _ in range(2))
    codes, z = torch.randn(8, 4), torch.randn(20, 4)
    for one in (first, second):
        one.set_codes(codes)
    noise = [one(z).quantized - z for one in (first, second)]
    assert not (noise[0] - noise[1]).abs().sum(1).le(1e-3).any()
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(z).quantized, second(z).quantized)
