from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, unfold

from ganvas.errors import OptionError
from ganvas.functional.gradients import input_gradient, mean_squared_gradient
from ganvas.model.critic import Critic
from ganvas.model.discriminator.patch import PatchDiscriminator
from ganvas.model.head.acgan import ACGANHead
from ganvas.model.head.inner_product import InnerProductHead
from ganvas.model.head.plain import PlainHead
from ganvas.model.head.projection import ProjectionHead


def critic_of(network: PatchDiscriminator, num_classes: int | None = None) -> Critic:
    return Critic(network, ProjectionHead(network.feature_dim, num_classes))


@pytest.mark.parametrize(("channels", "parameters"), [(3, 2_765_633), (6, 2_768_705)])
def test_published_numbers_of_parameters(channels: int, parameters: int) -> None:
    with torch.device("meta"):  # the authors' code prints 2.769 M for 6 channels
        network = PatchDiscriminator(channels, 256)
        critic = Critic(network, PlainHead(network.feature_dim))
        assert critic(torch.empty(2, channels, 256, 256)).shape == (2, 30, 30)
    assert sum(parameter.numel() for parameter in critic.parameters()) == parameters


@pytest.mark.parametrize(
    ("image_size", "layers", "side"), [(28, 3, 1), (32, 3, 2), (32, 1, 14), (50, 2, 10), (64, 4, 2)]
)
@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_shapes(image_size: int, layers: int, side: int, norm: str) -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(1, image_size, base_channels=2, layers=layers, norm=norm)
    assert network.spectral == (norm == "spectral")
    assert network.side == side
    features = network(torch.randn(3, 1, image_size, image_size))
    assert features.shape == (3, network.feature_dim // 16, side + 1, side + 1)
    assert critic_of(network)(torch.randn(3, 1, image_size, image_size)).shape == (3, side, side)


def test_the_papers_layers() -> None:
    layers = list(PatchDiscriminator(3, 256).layers)
    convolutions = [m for m in layers if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 256, 512]
    assert [m.stride[0] for m in convolutions] == [2, 2, 2, 1]
    assert [m.num_features for m in layers if isinstance(m, nn.BatchNorm2d)] == [128, 256, 512]
    assert all(m.negative_slope == 0.2 for m in layers if isinstance(m, nn.LeakyReLU))
    assert [m.bias is None for m in convolutions] == [False, True, True, True]
    wide = PatchDiscriminator(3, 256, base_channels=2, layers=5, norm="none").layers
    assert [m.out_channels for m in wide if isinstance(m, nn.Conv2d)] == [2, 4, 8, 16, 16, 16]


def test_a_linear_head_is_the_papers_last_convolution() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(1, 32, base_channels=2, layers=2)
    head, x = PlainHead(network.feature_dim), torch.randn(3, 1, 32, 32)
    kernel = head.linear.weight.view(1, -1, 4, 4)
    expected = conv2d(network.eval().layers(x), kernel, head.linear.bias, padding=1)[:, 0]
    torch.testing.assert_close(head(network(x)), expected)


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_its_patch_alone(layers: int, field: int) -> None:
    torch.manual_seed(0)
    critic = critic_of(PatchDiscriminator(1, 256, base_channels=1, layers=layers, norm="none")).double()
    x = torch.randn(1, 1, 256, 256, dtype=torch.float64, requires_grad=True)
    logits = critic(x)
    row, column = logits.shape[1] // 2, logits.shape[2] // 2 - 3
    (gradient,) = torch.autograd.grad(logits[0, row, column], x)
    rows, columns = gradient[0, 0].nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == field
    seen = (..., slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    other = torch.randn_like(x)
    other[seen] = x[seen].detach()
    changed = critic(other)
    assert changed[0, row, column].item() == pytest.approx(logits[0, row, column].item(), rel=1e-12)
    assert changed[0, row, column + 1].item() != pytest.approx(logits[0, row, column + 1].item(), rel=1e-6)


@pytest.mark.parametrize(("num_classes", "side"), [(None, 4), (3, 4), (9, 4), (3, 3), (9, 1)])
def test_a_head_judges_every_neighbourhood_as_it_would_a_sample(num_classes: int | None, side: int) -> None:
    torch.manual_seed(0)
    maps, label = torch.randn(4, 5, 6, 7), torch.tensor([2, 0, 1, 1])
    neighbourhoods = unfold(maps, side, padding=(side - 1) // 2)  # [4, 5 side^2, places]
    for head in (PlainHead(5 * side**2), ProjectionHead(5 * side**2, num_classes)):
        logits = head(maps, label)
        assert logits.shape == ((4, 5, 6) if side == 4 else (4, 6, 7))
        for place, logit in enumerate(logits.flatten(1).T):
            torch.testing.assert_close(logit, head(neighbourhoods[:, :, place], label))
        with pytest.raises(ValueError, match=r"a map \[B, C, h, w\] of shape \[4, 6, 7, 5\]"):
            head(maps.movedim(1, 3), label)
    with pytest.raises(ValueError, match="label=None"):
        ProjectionHead(5 * side**2, 3)(maps)


@pytest.mark.parametrize("head", [ACGANHead, InnerProductHead])
def test_heads_that_judge_samples_are_refused(head: type) -> None:
    network = PatchDiscriminator(1, 32, base_channels=2)
    with pytest.raises(OptionError, match="model/head=plain or projection") as error:
        Critic(network, head(network.feature_dim, 3))
    assert error.value.option == "head"


def test_a_gradient_penalty_reads_the_mean_over_a_samples_patches() -> None:
    torch.manual_seed(0)
    critic = critic_of(PatchDiscriminator(1, 16, base_channels=2, layers=1, norm="none")).double()
    x = torch.randn(3, 1, 16, 16, dtype=torch.float64)
    assert critic(x).shape == (3, 6, 6)

    def mean(x: Tensor) -> Tensor:
        return critic(x).mean((1, 2))

    torch.testing.assert_close(input_gradient(critic, x), input_gradient(mean, x))
    # D(x) = w x at 36 places: |grad|^2 of the mean is w^2 / 36, that of the sum would be 36 w^2
    square = mean_squared_gradient(lambda x: 3 * x[:, 0, :6, :6], x)
    assert square.item() == pytest.approx(9 / 36)


def test_spectral_norm_is_on_every_weight() -> None:
    torch.manual_seed(0)
    critic = critic_of(PatchDiscriminator(1, 16, base_channels=4, layers=1, norm="spectral"), 3)
    x, label = torch.randn(4, 1, 16, 16), torch.tensor([0, 1, 2, 0])
    for _ in range(50):  # each access in train mode is one power iteration
        critic(x, label)
    critic.eval()
    assert torch.equal(critic(x, label), critic(x, label))
    layers = [m for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(layers) == 4
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("channels", None, "makes images"),
        ("image_size", None, "at least 24 pixels"),
        ("image_size", 23, "at least 24 pixels with 3 layers"),
        ("base_channels", 0, "at least 1"),
        ("layers", 0, "at least 1"),
        ("norm", "layer", "batch, spectral, none"),
    ],
)
def test_options_are_checked(option: str, value: object, reason: str) -> None:
    options = {"channels": 1, "image_size": 24, "base_channels": 4} | {option: value}
    with pytest.raises(OptionError, match=reason) as error:
        PatchDiscriminator(**options)
    assert error.value.option == option
