"""EnCodec's discriminator of complex spectra at some scales (Defossez 2022, arXiv:2210.13438, sec. 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

from ganvas.errors import require
from ganvas.functional.precision import at_least_float32
from ganvas.model.layers.basic import require_input, require_positive
from ganvas.model.layers.seanet import require_sound_shape

DILATIONS = (1, 2, 4)  # in time, of the convolutions that halve the frequencies


class MultiScaleSTFTDiscriminator(nn.Module):
    """2-D convolutions over the real and imaginary parts of an STFT, one such network for each window.

    A network: 3 x 9 (frames x frequencies); 3 x 9 of stride 1 x 2 for each dilation 1, 2, 4 in time; 3 x 3;
    each weight-normalized, with LeakyReLU(0.2), and ``base_channels`` wide. Its map has T / hop frames of
    window / 16 frequencies, so that every window has about T / 4 places.

    The maps are laid together into one [B, base_channels, places, 1]: the head judges each place of each
    window, and one plain head serves them all. The paper has one more 3 x 3 convolution a window, and the
    mean over windows of their means; here it is the mean over all places, of which each window has as many.

    Args:
        sample_shape: [C, T] of a sound.
        base_channels: channels of each map.
        windows: of Hann windows, samples, multiples of 16; hops are a quarter of them.

    Raises:
        OptionError: data that are no sounds, another window, or a size below 1.
    """

    gives_patches = True

    def __init__(
        self,
        sample_shape: Sequence[int],
        base_channels: int = 32,
        windows: Sequence[int] = (1024, 2048, 512, 256, 128),
    ) -> None:
        super().__init__()
        self.sample_shape = require_sound_shape(sample_shape)
        require_positive("base_channels", base_channels)
        fits = len(windows) > 0 and all(window >= 16 and window % 16 == 0 for window in windows)
        rule = "must be multiples of 16 samples, at least one; [512, 256, 128] suits 8 kHz"
        require(fits, "windows", list(windows), rule)
        self.windows, self.feature_dim = tuple(windows), base_channels
        width = base_channels
        shapes = [(2 * self.sample_shape[0], 9, 1, 1)]
        shapes += [(width, 9, 2, dilation) for dilation in DILATIONS]
        shapes += [(width, 3, 1, 1)]
        self.stages = nn.ModuleList(Stage(len(windows), width, *shape) for shape in shapes)

    @property
    def layers_from_input(self) -> list[nn.Module]:
        return list(self.stages)

    def forward(self, x: Tensor) -> Tensor:
        """Sounds [B, C, T] in [-1, 1] to a map [B, base_channels, places, 1]."""
        require_input(x, *self.sample_shape)
        maps = [spectrum_map(x, window) for window in self.windows]
        for stage in self.stages:
            maps = stage(maps)
        return torch.cat([one.flatten(2) for one in maps], dim=2)[..., None]


class Stage(nn.Module):
    """One layer of every window's network."""

    def __init__(self, number: int, width: int, inputs: int, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            weight_norm(
                nn.Conv2d(
                    inputs,
                    width,
                    (3, kernel),
                    stride=(1, stride),
                    dilation=(dilation, 1),
                    padding=(dilation, kernel // 2),
                )
            )
            for _ in range(number)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """A map [B, C, frames, frequencies] for each window to another."""
        pairs = zip(self.convolutions, maps, strict=True)
        return [leaky_relu(convolution(one), 0.2) for convolution, one in pairs]


def spectrum_map(x: Tensor, window: int) -> Tensor:
    """Sounds [B, C, T] to their STFT's real and imaginary parts [B, 2 C, 1 + T // hop, window / 2].

    Over the root of the window's energy, as EnCodec's (``normalized``); the highest frequency, alone in its
    half of a pair, is left out. Zeros stand around the sound.
    """
    wide = at_least_float32(x)
    hann = torch.hann_window(window, dtype=wide.dtype, device=x.device)
    wave = pad(wide.flatten(0, 1), (window // 2, window // 2))
    spectrum = torch.stft(wave, window, window // 4, window=hann, center=False, return_complex=True)
    parts = torch.view_as_real(spectrum[:, :-1] / hann.square().sum().sqrt())  # [B C, F, frames, 2]
    return parts.unflatten(0, x.shape[:2]).permute(0, 1, 4, 3, 2).flatten(1, 2).to(x.dtype)
