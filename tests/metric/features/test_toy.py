"""The logits against the modes' densities, written out."""

from __future__ import annotations

import pytest
import torch

from ganvas.data.toy import Toy as Data
from ganvas.errors import OptionError
from ganvas.metric.features.toy import Toy
from ganvas.metric.interface import DataFacts

POINTS = DataFacts([2], 25, "", "Toy")


@pytest.mark.parametrize(("shape", "std", "scaled"), [("gaussians25", 0.05, 0.01), ("ring8", 0.02, 0.008)])
def test_logits_differ_as_the_modes_log_densities(shape: str, std: float, scaled: float) -> None:
    data = Data(shape=shape, std=std, num_train=64, num_val=1, num_test=1, batch_size=1)
    x = torch.cat([data.split("train").x, torch.tensor([[0.3, -0.7]])])
    seen = Toy(shape=shape, std=std)(x)
    assert torch.equal(seen.features, x)
    assert seen.logits is not None
    normals = torch.distributions.Normal(data.modes, scaled)
    density = normals.log_prob(x[:, None]).sum(2)  # [65, M]
    torch.testing.assert_close(
        seen.logits - seen.logits[:, :1], density - density[:, :1], rtol=1e-3, atol=2e-2
    )
    assert torch.equal(seen.logits[:-1].argmax(1), data.split("train").label)


def test_the_protocol_names_the_mixture() -> None:
    protocol = Toy(shape="ring8", std=0.02).protocol
    assert (protocol["name"], protocol["shape"], protocol["std"]) == ("toy", "ring8", 0.02)


def test_points_are_taken_and_images_refused() -> None:
    Toy(shape="gaussians25", std=0.05).check(POINTS)
    for extractor, facts in (
        (Toy(shape="gaussians25", std=0.05), DataFacts([1, 8, 8], 10, "", "Digits")),
        (Toy(shape=None, std=None), POINTS),
    ):
        with pytest.raises(
            OptionError, match=r"features=toy: takes points of data=toy, and (Digits|Toy) has"
        ):
            extractor.check(facts)


@pytest.mark.parametrize(("shape", "std", "option"), [("ring", 0.1, "shape"), ("ring8", 0.0, "std")])
def test_arguments_out_of_range(shape: str, std: float, option: str) -> None:
    with pytest.raises(OptionError, match=rf"^{option}="):
        Toy(shape=shape, std=std)
