from __future__ import annotations

import torch

from ganvas.functional.patches import mean_of_samples


def test_a_samples_value_is_the_mean_over_its_patches() -> None:
    values = torch.tensor([[[1.0, 2.0], [3.0, 6.0]], [[-1.0, 0.0], [0.0, -4.0]]])
    assert mean_of_samples(values).tolist() == [3.0, -1.25]
    assert mean_of_samples(values[:, :1, :1]).tolist() == [1.0, -1.0]
    one = torch.tensor([4.0, -2.0])
    assert mean_of_samples(one) is one
