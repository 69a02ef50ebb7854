"""Against a reference that reads their names and computes by torch's functions alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.model.reconstruction_loss.mse import MSE
from ganvas.model.taming import VQModel, vq_model
from ganvas.model.vqvae import VQVAE

State = dict[str, Tensor]


class _Made:
    """Random tensors by the names of a VQModel."""

    def __init__(self) -> None:
        self.state: State = {"loss.discriminator.main.0.weight": torch.ones(3)}
        self.state["colorize"] = torch.ones(3, 1, 1, 1)

    def conv(self, name: str, inputs: int, outputs: int, side: int = 3) -> None:
        scale = (inputs * side * side) ** -0.5
        self.state[f"{name}.weight"] = scale * torch.randn(outputs, inputs, side, side)
        self.state[f"{name}.bias"] = 0.3 * torch.randn(outputs)

    def norm(self, name: str, channels: int) -> None:
        self.state[f"{name}.weight"], self.state[f"{name}.bias"] = torch.randn(2, channels).unbind()

    def block(self, name: str, inputs: int, outputs: int) -> None:
        self.norm(f"{name}.norm1", inputs)
        self.conv(f"{name}.conv1", inputs, outputs)
        self.norm(f"{name}.norm2", outputs)
        self.conv(f"{name}.conv2", outputs, outputs)
        if inputs != outputs:
            self.conv(f"{name}.nin_shortcut", inputs, outputs, 1)

    def attend(self, name: str, channels: int) -> None:
        self.norm(f"{name}.norm", channels)
        for part in ("q", "k", "v", "proj_out"):
            self.conv(f"{name}.{part}", channels, channels, 1)

    def middle(self, name: str, channels: int) -> None:
        self.block(f"{name}.mid.block_1", channels, channels)
        self.attend(f"{name}.mid.attn_1", channels)
        self.block(f"{name}.mid.block_2", channels, channels)

    def stage(self, name: str, blocks: int, inputs: int, outputs: int, *, attends: bool) -> None:
        for number in range(blocks):
            self.block(f"{name}.block.{number}", inputs if number == 0 else outputs, outputs)
            if attends:
                self.attend(f"{name}.attn.{number}", outputs)


def _state(*, multipliers: tuple[int, ...] = (1, 2, 1), attention: tuple[int, ...] = (1,)) -> State:
    """Of 2 blocks at each map of 32 channels and more, 2 colours, 6 latent channels, 9 codes of 4 numbers."""
    torch.manual_seed(0)
    made, last, width = _Made(), len(multipliers) - 1, 32
    made.conv("encoder.conv_in", 2, 32)
    for level, multiplier in enumerate(multipliers):
        made.stage(f"encoder.down.{level}", 2, width, 32 * multiplier, attends=level in attention)
        width = 32 * multiplier
        if level < last:
            made.conv(f"encoder.down.{level}.downsample.conv", width, width)
    made.middle("encoder", width)
    made.norm("encoder.norm_out", width)
    made.conv("encoder.conv_out", width, 6)
    made.conv("quant_conv", 6, 4, 1)
    made.conv("post_quant_conv", 4, 6, 1)
    made.conv("decoder.conv_in", 6, width)
    made.middle("decoder", width)
    for level in range(last, -1, -1):
        outputs = 32 * multipliers[level]
        made.stage(f"decoder.up.{level}", 3, width, outputs, attends=level in attention)
        width = outputs
        if level > 0:
            made.conv(f"decoder.up.{level}.upsample.conv", width, width)
    made.norm("decoder.norm_out", width)
    made.conv("decoder.conv_out", width, 2)
    return made.state | {"quantize.embedding.weight": torch.randn(9, 4)}


class _Reference:
    """Their networks in formulas (Esser 2021, table 7)."""

    def __init__(self, state: State) -> None:
        self.state = state

    def conv(self, name: str, x: Tensor, **options: int) -> Tensor:
        return F.conv2d(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], **options)

    def norm(self, name: str, x: Tensor) -> Tensor:
        return F.group_norm(x, 32, self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-6)

    def active(self, name: str, x: Tensor) -> Tensor:
        y = self.norm(name, x)
        return y * torch.sigmoid(y)

    def block(self, name: str, x: Tensor) -> Tensor:
        y = self.conv(f"{name}.conv1", self.active(f"{name}.norm1", x), padding=1)
        y = self.conv(f"{name}.conv2", self.active(f"{name}.norm2", y), padding=1)
        shortcut = f"{name}.nin_shortcut"
        return y + (self.conv(shortcut, x) if f"{shortcut}.weight" in self.state else x)

    def attend(self, name: str, x: Tensor) -> Tensor:
        normed = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{part}", normed).flatten(2) for part in "qkv")  # [B, C, H W]
        shares = (torch.einsum("bci,bcj->bij", q, k) / q.shape[1] ** 0.5).softmax(2)
        seen = torch.einsum("bij,bcj->bci", shares, v).view_as(x)
        return x + self.conv(f"{name}.proj_out", seen)

    def middle(self, name: str, x: Tensor) -> Tensor:
        x = self.attend(f"{name}.mid.attn_1", self.block(f"{name}.mid.block_1", x))
        return self.block(f"{name}.mid.block_2", x)

    def stage(self, name: str, x: Tensor) -> Tensor:
        number = 0
        while f"{name}.block.{number}.conv1.weight" in self.state:
            x = self.block(f"{name}.block.{number}", x)
            if f"{name}.attn.{number}.norm.weight" in self.state:
                x = self.attend(f"{name}.attn.{number}", x)
            number += 1
        assert number > 1
        return x

    def latents(self, x: Tensor, levels: int) -> Tensor:
        x = self.conv("encoder.conv_in", x, padding=1)
        for level in range(levels):
            x = self.stage(f"encoder.down.{level}", x)
            if level + 1 < levels:  # zeros to the right and below alone
                x = self.conv(f"encoder.down.{level}.downsample.conv", F.pad(x, (0, 1, 0, 1)), stride=2)
        x = self.active("encoder.norm_out", self.middle("encoder", x))
        return self.conv("quant_conv", self.conv("encoder.conv_out", x, padding=1))

    def images(self, z: Tensor, levels: int) -> Tensor:
        x = self.conv("decoder.conv_in", self.conv("post_quant_conv", z), padding=1)
        x = self.middle("decoder", x)
        for level in reversed(range(levels)):
            x = self.stage(f"decoder.up.{level}", x)
            if level > 0:
                x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
                x = self.conv(f"decoder.up.{level}.upsample.conv", x, padding=1)
        return self.conv("decoder.conv_out", self.active("decoder.norm_out", x), padding=1)


@pytest.mark.parametrize(
    ("multipliers", "attention", "size"),
    [((1, 2, 1), (1,), (8, 12)), ((2, 1), (0, 1), (8, 4)), ((1,), (), (4, 6))],
)
def test_latents_codes_and_images(
    multipliers: tuple[int, ...], attention: tuple[int, ...], size: tuple[int, int]
) -> None:
    state = _state(multipliers=multipliers, attention=attention)
    x, reference, levels = torch.rand(3, 2, *size) * 2 - 1, _Reference(state), len(multipliers)
    named = {f"model.{name}": value for name, value in state.items()}
    model = vq_model(named | {"other.weight": torch.ones(1)}, sample_shape=[2, *size], prefix="model.")
    z = reference.latents(x, levels)
    torch.testing.assert_close(model.encoder(x), z, rtol=1e-4, atol=1e-4)
    codes = state["quantize.embedding.weight"]
    index = torch.cdist(z.movedim(1, -1), codes).argmin(-1)  # [B, h, w]
    output = model.quantizer.eval()(model.encoder(x))
    assert torch.equal(output.indices[:, 0], index)
    assert index.unique().numel() > 2
    expected = reference.images(codes[index].movedim(-1, 1), levels)
    torch.testing.assert_close(model.decoder(output.quantized), expected, rtol=1e-4, atol=1e-4)
    own = [name for name in state if not name.startswith(("loss", "colorize"))]
    parameters = sum(p.numel() for part in model for p in part.parameters())
    assert parameters == sum(state[name].numel() for name in own)


def test_images_of_another_size_and_what_is_padded() -> None:
    """Attention stays at the map where it was; sides that are no multiple of 4 are padded and cut back."""
    model = vq_model(_state(), sample_shape=[2, 18, 11])
    reference, x = _Reference(_state()), torch.rand(1, 2, 18, 11)
    padded = F.pad(x, (0, 1, 1, 1), mode="replicate")
    z = model.encoder(x)
    torch.testing.assert_close(z, reference.latents(padded, 3), rtol=1e-4, atol=1e-4)
    images = reference.images(z, 3)[..., 1:19, :11]
    torch.testing.assert_close(model.decoder(z), images, rtol=1e-4, atol=1e-4)


def test_it_goes_into_a_recipe() -> None:
    model = vq_model(_state(), sample_shape=[2, 8, 8])
    recipe = VQVAE(
        **model._asdict(),
        reconstruction_loss=MSE(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, 1e-4),
        grad_clip=None,
        seed=1,
    )
    x = torch.rand(2, 2, 8, 8)
    shown, (indices,) = recipe.reconstruct(x)
    assert indices.shape == (2, 2, 2)
    torch.testing.assert_close(recipe.decode(recipe.encode(x)), shown)


def test_beta_is_on_the_side_that_is_said() -> None:
    assert vq_model(_state(), sample_shape=[2, 8, 8]).quantizer.commitment_cost == 1
    fixed = vq_model(_state(), sample_shape=[2, 8, 8], beta=0.4, legacy=False)
    assert fixed.quantizer.commitment_cost == 0.4


def _without(*names: str) -> State:
    return {name: value for name, value in _state().items() if not name.startswith(names)}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (lambda: {}, r"holds no VQModel: encoder.conv_in.weight, quant_conv.weight is not there"),
        (lambda: _without("encoder.down.0.downsample"), r"lacks encoder.down.0.downsample.conv.weight"),
        (lambda: _without("decoder.up.1.attn.2"), r"lacks decoder.up.1.attn.2.norm.weight"),
        (lambda: _without("quantize"), r"holds no VectorQuantizer2 under 'quantize.'"),
        (lambda: _state() | {"quantize.cluster_size": torch.ones(9)}, r"holds cluster_size, which nothing"),
        (lambda: _state() | {"encoder.temb.weight": torch.ones(9)}, r"holds encoder.temb.weight, which"),
        (
            lambda: _state() | {"decoder.conv_out.weight": torch.ones(3, 32, 3, 3)},
            r"decoder.conv_out.weight of shape \[3, 32, 3, 3\]: must be \[2, 32, 3, 3\]",
        ),
        (
            lambda: _state() | {"encoder.mid.attn_1.q.bias": torch.full((32,), torch.nan)},
            r"encoder.mid.attn_1.q.bias holds numbers that are NaN",
        ),
        (
            lambda: _state() | {"encoder.down.1.block.0.conv1.weight": torch.ones(40, 32, 3, 3)},
            r"maps of \[32, 40, 32\] channels: must be multiples of the first layer's 32",
        ),
        (
            lambda: (
                {
                    "quant_conv.weight": torch.ones(4, 6, 1, 1),
                    "encoder.conv_in.weight": torch.ones(8, 2, 3, 3),
                }
                | {"encoder.down.0.block.0.conv1.weight": torch.ones(8, 8, 3, 3)}
            ),
            r"maps of 8 channels: a VQModel's are multiples of 32",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(state: Callable[[], State], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        vq_model(state(), sample_shape=[2, 8, 8])


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"sample_shape=\[3, 8, 8\]: this VQModel is of images of 2 channels"
    ):
        vq_model(_state(), sample_shape=[3, 8, 8])
    assert isinstance(vq_model(_state(), sample_shape=(2, 8, 8)), VQModel)
