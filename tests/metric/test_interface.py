"""Sums and rows of metrics take their own shape alone, where another would be broadcast."""

from __future__ import annotations

import pytest
import torch

from ganvas.metric.interface import SampleMetric
from ganvas.metric.reconstruction import ReconstructionQuality
from ganvas.modality.guess import modality_of


def test_two_shapes_are_not_broadcast() -> None:
    quality = ReconstructionQuality(modality_of([1, 8, 8]), [1, 8, 8])
    for made in (torch.zeros(1, 1, 8, 8), torch.zeros(4, 8, 8), torch.zeros(4, 1, 8, 1)):
        with pytest.raises(ValueError, match="must be of one shape"):
            quality.update(original=torch.zeros(4, 1, 8, 8), reconstruction=made)
    assert quality.num_samples == 0


class _Sums(SampleMetric):
    def begin(self, num_features: int, num_logits: int | None) -> None:
        self.keep_sum("real_sum", num_features)
        self.keep_rows("real_rows", num_features)


@pytest.mark.parametrize("width", [1, 4, 6])
def test_states_take_their_own_shape_alone(width: int) -> None:
    metric = _Sums()
    metric.begin(5, None)
    with pytest.raises(ValueError, match=rf"real_sum: .*\[{width}\].*\[5\]"):
        metric.add_sum("real_sum", torch.ones(width))
    with pytest.raises(ValueError, match=rf"real_rows: .*\[3, {width}\].*\[3, 5\]"):
        metric.add_rows("real_rows", torch.arange(3), torch.ones(3, width))
    with pytest.raises(ValueError, match="real_rows_number"):
        metric.add_rows("real_rows", torch.arange(2), torch.ones(3, 5))
    metric.add_sum("real_sum", torch.ones(5))
    assert metric.real_sum.tolist() == [1.0] * 5
