from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ganvas.errors import OptionError
from ganvas.model.quantizer.codebook import CodebookQuantizer
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer


def _with_codes(codes: Tensor, **options: Any) -> EMAVectorQuantizer:
    """Started, at N = 1 and m = e; without restarts unless asked."""
    quantizer = EMAVectorQuantizer(*codes.shape, **({"restart_threshold": 0.0} | options))
    state = {"codebook": codes, "total": codes, "batches": torch.tensor(1)}
    quantizer.load_state_dict(quantizer.state_dict() | state)
    return quantizer


def _clusters(codes: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Counts n [K] and sums s [K, D] of the nearest codes, by definition."""
    index = (rows[:, None] - codes[None]).square().sum(2).argmin(1)
    return index.bincount(minlength=len(codes)).float(), torch.zeros_like(codes).index_add_(0, index, rows)


def test_one_update_in_closed_form() -> None:
    torch.manual_seed(0)
    codes, rows, decay, epsilon = torch.randn(5, 3), torch.randn(40, 3), 0.9, 0.3
    quantizer = _with_codes(codes, decay=decay, epsilon=epsilon)
    n, s = _clusters(codes, rows)
    output = quantizer(rows)
    count, total = decay * 1 + (1 - decay) * n, decay * codes + (1 - decay) * s
    smoothed = (count + epsilon) / (count.sum() + 5 * epsilon) * count.sum()
    torch.testing.assert_close(quantizer.count, count)  # never the smoothed one
    torch.testing.assert_close(quantizer.total, total)
    torch.testing.assert_close(quantizer.codebook, total / smoothed[:, None])
    # quantized first, then updated
    torch.testing.assert_close(output.quantized, codes[output.indices[:, 0]])


def test_a_used_code_moves_toward_the_mean_of_its_vectors() -> None:
    torch.manual_seed(0)
    codes, rows = torch.randn(5, 3), torch.randn(40, 3)
    quantizer = _with_codes(codes, decay=0.9, epsilon=0.0)
    n, s = _clusters(codes, rows)
    quantizer(rows)
    step = 0.1 * n / (0.9 + 0.1 * n)
    mean = s / n.clamp(min=1)[:, None]
    torch.testing.assert_close(quantizer.codebook, codes + step[:, None] * (mean - codes))


def test_without_memory_it_is_one_step_of_lloyd() -> None:
    torch.manual_seed(0)
    codes, rows = torch.randn(4, 2), torch.randn(50, 2)
    n, s = _clusters(codes, rows)
    assert n.min().item() > 0
    quantizer = _with_codes(codes, decay=0.0, epsilon=0.0)
    quantizer(rows)
    torch.testing.assert_close(quantizer.codebook, s / n[:, None])


def test_an_unused_code_stays_where_it_is() -> None:
    codes = torch.tensor([[0.0, 1.0], [6.0, 8.0]])
    quantizer = _with_codes(codes, decay=0.99)
    for _ in range(20):
        quantizer(torch.randn(64, 2))
    assert quantizer.codebook[1].norm().item() == pytest.approx(10, rel=0.01)  # from N = 0 it is 8e5


def test_no_gradient_reaches_the_codes_and_the_loss_is_the_commitment() -> None:
    torch.manual_seed(0)
    codes, z = torch.randn(4, 3), torch.randn(10, 3, requires_grad=True)
    quantizer = _with_codes(codes, commitment_cost=0.6)
    output = quantizer(z)
    chosen = codes[output.indices[:, 0]]
    distance = (z.detach() - chosen).square().mean()
    torch.testing.assert_close(output.loss, 0.6 * distance)
    torch.testing.assert_close(output.metrics["commitment_loss"], distance)
    assert "codebook_loss" not in output.metrics  # it would be the same curve once more
    upstream = torch.randn(10, 3)
    (output.loss + (output.quantized * upstream).sum()).backward()
    torch.testing.assert_close(z.grad, upstream + 2 * 0.6 * (z.detach() - chosen) / z.numel())
    assert not list(quantizer.parameters())


def test_the_codes_start_in_the_first_training_batch() -> None:
    torch.manual_seed(0)
    quantizer, z = EMAVectorQuantizer(16, 3), 50 + 0.1 * torch.randn(64, 3)
    quantizer.eval()(z)
    assert quantizer.batches.item() == 0
    output = quantizer.train()(z)
    codes = output.quantized.unique(dim=0)
    assert torch.cdist(codes, z, compute_mode="donot_use_mm_for_euclid_dist").amin(1).max().item() < 0.01
    assert output.metrics["codes_used"].item() == 16  # each sits on its own row


def test_a_dead_code_restarts_whole() -> None:
    codes = torch.tensor([[0.0, 0.0], [1000.0, 0.0], [-1000.0, 0.0]])
    quantizer = _with_codes(codes, decay=0.5, restart_threshold=0.1)
    z = torch.cat([torch.zeros(63, 2), torch.tensor([[7.0, 8.0]])])
    quantizer(z)  # counts .5 + 32, .5 and .5: below a tenth of their mean, 11.17
    average = 33.5 / 3
    torch.testing.assert_close(quantizer.count, torch.tensor([32.5, average, average]))
    vector = torch.tensor([7.0, 8.0])  # the one vector that sits on no code
    torch.testing.assert_close(quantizer.codebook[1:], vector.expand(2, 2))
    torch.testing.assert_close(quantizer.total[1:], (average * vector).expand(2, 2))


def test_the_threshold_is_relative_to_the_average() -> None:
    # counts after one batch without memory: 90, 8, 2; the average is 100 / 3
    rows = torch.cat([torch.zeros(90, 1), torch.full((8, 1), 10.0), torch.full((2, 1), 20.0)])
    codes = torch.tensor([[0.1], [10.1], [20.1]])
    for threshold, dead in [(0.05, 0), (0.07, 1), (0.23, 1), (0.25, 2)]:
        quantizer = _with_codes(codes, decay=0.0, restart_threshold=threshold)
        quantizer(rows)
        assert (quantizer.count - 100 / 3).abs().lt(1e-3).sum().item() == dead


_TWO_RANKS = """
    from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer

    torch.manual_seed(0)
    quantizer = EMAVectorQuantizer(9, 3, decay=0.5, restart_threshold=0.5)
    for _ in range(6):
        z = torch.randn(16, 3)
        output = quantizer(z[8 * rank : 8 * rank + 8])
    result = {"state": quantizer.state_dict(), "metrics": output.metrics}
"""


def test_two_ranks_are_one_process_on_the_joint_batch(two_ranks: Callable[[str], list[Any]]) -> None:
    results = two_ranks(_TWO_RANKS)
    torch.manual_seed(0)
    quantizer = EMAVectorQuantizer(9, 3, decay=0.5, restart_threshold=0.5)
    for _ in range(6):
        output = quantizer(torch.randn(16, 3))
    for result in results:
        torch.testing.assert_close(result["state"], dict(quantizer.state_dict()))
        for name in ("perplexity", "codes_used"):
            torch.testing.assert_close(result["metrics"][name], output.metrics[name])


@pytest.mark.parametrize(("decay", "least", "most"), [(0.9, 24, 32), (0.99, 1, 8)])
def test_codes_that_forget_soon_follow_an_encoder_that_moves(decay: float, least: int, most: int) -> None:
    """Of 32; vectors drift for 30 batches, as those of an encoder do that has just begun, and then rest."""
    torch.manual_seed(0)
    quantizer = EMAVectorQuantizer(32, 2, decay=decay)
    for batch in range(60):
        output = quantizer(torch.randn(256, 2) + 0.2 * min(batch, 30))
    assert least <= len(output.indices.unique()) <= most


def test_restarts_make_up_for_a_bad_start() -> None:
    def train(restart_threshold: float) -> tuple[float, float]:
        torch.manual_seed(0)
        centres = 10 * torch.randn(32, 4)
        quantizer = EMAVectorQuantizer(64, 4, decay=0.9, restart_threshold=restart_threshold)
        quantizer(centres[:1] + 0.1 * torch.randn(256, 4))  # the first batch shows one cluster alone
        for _ in range(200):
            quantizer(centres[torch.randint(32, (256,))] + 0.1 * torch.randn(256, 4))
        metrics = quantizer.eval()(centres).metrics
        return metrics["codes_used"].item(), metrics["commitment_loss"].item()

    used, distance = train(restart_threshold=0.1)
    assert used == 32  # each cluster has a code of its own
    assert distance < 0.01  # the clusters' own spread
    used, distance = train(restart_threshold=0.0)
    assert used < 20
    assert distance > 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("num_embeddings", 0),
        ("embedding_dim", -1),
        ("commitment_cost", -0.1),
        ("decay", 1.0),
        ("epsilon", -1e-5),
        ("restart_threshold", 1.0),
        ("restart_threshold", -0.1),
    ],
)
def test_options_are_checked(option: str, value: float) -> None:
    with pytest.raises(OptionError) as error:
        EMAVectorQuantizer(**{option: value})
    assert error.value.option == option


@pytest.mark.parametrize("how", ["copy", "set_codes", "load"])
@pytest.mark.parametrize("kind", [VectorQuantizer, EMAVectorQuantizer])
def test_codes_that_were_set_are_not_started(kind: type[CodebookQuantizer], how: str) -> None:
    torch.manual_seed(0)
    codes, quantizer = torch.randn(7, 3), kind(7, 3)
    if how == "copy":
        with torch.no_grad():
            quantizer.codebook.copy_(codes)
    elif how == "set_codes":
        quantizer.set_codes(codes)
    else:
        with torch.no_grad():
            other = kind(7, 3)
            other.codebook.copy_(codes)
        quantizer.load_state_dict(other.state_dict())  # saved before it saw a batch
    rows = torch.randn(64, 3)
    output = quantizer(rows)
    index = (rows[:, None] - codes[None]).square().sum(2).argmin(1)
    assert torch.equal(output.quantized, codes[index])
    n, s = _clusters(codes, rows)
    moved = ((0.99 * codes + 0.01 * s) / (0.99 + 0.01 * n)[:, None]) if kind is EMAVectorQuantizer else codes
    torch.testing.assert_close(quantizer.codebook.detach(), moved, rtol=1e-4, atol=1e-5)


def test_a_trained_codebook_that_is_set_anew_stays_where_it_was_put() -> None:
    torch.manual_seed(0)
    quantizer, codes = EMAVectorQuantizer(5, 2, restart_threshold=0.0), torch.randn(5, 2)
    for _ in range(30):
        quantizer(torch.randn(64, 2))
    quantizer.load_state_dict({"codebook": codes}, strict=False)
    quantizer(codes.repeat(8, 1))
    torch.testing.assert_close(quantizer.codebook, codes, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match=r"\[2, 5\].*\[5, 2\]"):
        quantizer.set_codes(codes.T)
