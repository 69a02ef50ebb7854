"""States of taming-transformers' VQModel, of random numbers."""

from __future__ import annotations

import torch
from torch import Tensor

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


def vqgan_state(
    *, multipliers: tuple[int, ...] = (1, 2, 1), attention: tuple[int, ...] = (1,), channels: int = 2
) -> State:
    """Of 2 blocks at each map of 32 channels and more, 6 latent channels, 9 codes of 4 numbers."""
    torch.manual_seed(0)
    made, last, width = _Made(), len(multipliers) - 1, 32
    made.conv("encoder.conv_in", channels, 32)
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
    made.conv("decoder.conv_out", width, channels)
    return made.state | {"quantize.embedding.weight": torch.randn(9, 4)}
