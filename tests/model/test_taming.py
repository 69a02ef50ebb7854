"""Against a reference that reads their names and computes by torch's functions alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from vqgan_states import State, vqgan_state

from ganvas.model.reconstruction_loss.mse import MSE
from ganvas.model.taming import VQModel, vq_model
from ganvas.model.vqvae import VQVAE


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
    [((1, 2, 1), (0,), (8, 12)), ((2, 1), (0, 1), (8, 4)), ((1,), (), (4, 6))],
)
def test_latents_codes_and_images(
    multipliers: tuple[int, ...], attention: tuple[int, ...], size: tuple[int, int]
) -> None:
    state = vqgan_state(multipliers=multipliers, attention=attention)
    x, reference, levels = torch.rand(3, 2, *size) * 2 - 1, _Reference(state), len(multipliers)
    z = reference.latents(x, levels)
    codes = z.movedim(1, -1).flatten(0, -2)[:9] + 0.1 * torch.randn(9, 4)
    state["quantize.embedding.weight"] = codes
    named = {f"model.{name}": value for name, value in state.items()}
    model = vq_model(named | {"other.weight": torch.ones(1)}, sample_shape=[2, *size], prefix="model.")
    torch.testing.assert_close(model.encoder(x), z, rtol=1e-4, atol=1e-4)
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
    model = vq_model(vqgan_state(), sample_shape=[2, 18, 11])
    reference, x = _Reference(vqgan_state()), torch.rand(1, 2, 18, 11)
    padded = F.pad(x, (0, 1, 1, 1), mode="replicate")
    z = model.encoder(x)
    torch.testing.assert_close(z, reference.latents(padded, 3), rtol=1e-4, atol=1e-4)
    images = reference.images(z, 3)[..., 1:19, :11]
    torch.testing.assert_close(model.decoder(z), images, rtol=1e-4, atol=1e-4)


def test_it_goes_into_a_recipe() -> None:
    model = vq_model(vqgan_state(), sample_shape=[2, 8, 8])
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
    assert vq_model(vqgan_state(), sample_shape=[2, 8, 8]).quantizer.commitment_cost == 1
    fixed = vq_model(vqgan_state(), sample_shape=[2, 8, 8], beta=0.4, legacy=False)
    assert fixed.quantizer.commitment_cost == 0.4


def _without(*names: str) -> State:
    return {name: value for name, value in vqgan_state().items() if not name.startswith(names)}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (lambda: {}, r"holds no VQModel: encoder.conv_in.weight, quant_conv.weight is not there"),
        (lambda: _without("encoder.down.0.downsample"), r"lacks encoder.down.0.downsample.conv.weight"),
        (lambda: _without("decoder.up.1.attn.2"), r"lacks decoder.up.1.attn.2.norm.weight"),
        (lambda: _without("quantize"), r"holds no VectorQuantizer2 under 'quantize.'"),
        (
            lambda: vqgan_state() | {"quantize.cluster_size": torch.ones(9)},
            r"holds cluster_size, which nothing",
        ),
        (lambda: vqgan_state() | {"encoder.temb.weight": torch.ones(9)}, r"holds encoder.temb.weight, which"),
        (
            lambda: vqgan_state() | {"decoder.conv_out.weight": torch.ones(3, 32, 3, 3)},
            r"decoder.conv_out.weight of shape \[3, 32, 3, 3\]: must be \[2, 32, 3, 3\]",
        ),
        (
            lambda: vqgan_state() | {"encoder.mid.attn_1.q.bias": torch.full((32,), torch.nan)},
            r"encoder.mid.attn_1.q.bias holds numbers that are NaN",
        ),
        (
            lambda: vqgan_state() | {"encoder.down.1.block.0.conv1.weight": torch.ones(40, 32, 3, 3)},
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
        vq_model(vqgan_state(), sample_shape=[3, 8, 8])
    assert isinstance(vq_model(vqgan_state(), sample_shape=(2, 8, 8)), VQModel)


@pytest.mark.slow
def test_the_library_itself_gives_the_same_codes_and_images() -> None:
    reason = "taming-transformers is not installed"
    networks = pytest.importorskip("taming.modules.diffusionmodules.model", reason=reason)
    codes = pytest.importorskip("taming.modules.vqvae.quantize", reason=reason)
    torch.manual_seed(0)
    options = {
        "ch": 32,
        "ch_mult": [1, 1, 2],
        "num_res_blocks": 2,
        "attn_resolutions": [16, 4],
        "resolution": 16,
    }
    options |= {"in_channels": 3, "out_ch": 3, "z_channels": 6, "double_z": False}
    theirs = torch.nn.ModuleDict(
        {
            "encoder": networks.Encoder(**options),
            "quant_conv": torch.nn.Conv2d(6, 4, 1),
            "quantize": codes.VectorQuantizer2(20, 4, beta=0.25),
            "post_quant_conv": torch.nn.Conv2d(4, 6, 1),
            "decoder": networks.Decoder(**options),
        }
    )
    x = torch.rand(4, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        z = theirs["quant_conv"](theirs["encoder"](x))
        theirs["quantize"].embedding.weight.copy_(z.movedim(1, -1).flatten(0, -2)[:20])
    model = vq_model(theirs.state_dict(), sample_shape=[3, 16, 16])
    quantized, _, (_, _, indices) = theirs["quantize"](z)
    output = model.quantizer.eval()(model.encoder(x))
    assert torch.equal(output.indices.flatten(), indices.flatten())
    images = theirs["decoder"](theirs["post_quant_conv"](quantized))
    torch.testing.assert_close(model.decoder(output.quantized), images, rtol=1e-4, atol=1e-4)
