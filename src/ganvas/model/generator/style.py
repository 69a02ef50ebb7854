"""The generator of StyleGAN2 (Karras 2020, arXiv:1912.04958), in the sizes of ADA (arXiv:2006.06676)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.errors import require
from ganvas.functional.keyed_random import keyed_normal, keyed_uniform, keys_of
from ganvas.model.layers.basic import (
    require_channels,
    require_classes,
    require_input,
    require_positive,
)
from ganvas.model.layers.resampling import Resampling
from ganvas.model.layers.style import Mapping, ModulatedConv2d, activate, channels_at, sides_of

_BETA = 0.995  # of the mean style: what a step leaves of it


class StyleGenerator(nn.Module):
    """A mapping network makes a style of the latent, by which every convolution is modulated; no tanh.

    With 512 latents it has 19,947,539 parameters at 3x32x32. Each convolution adds noise, one plane times a
    learned number that starts at 0, and each map adds its share to the image (output skips).

    In training the noise and the mixing of styles are functions of each sample's latent: on one process or
    many, in a batch or its parts, a sample is the same. In eval mode the noise is the same for all samples,
    so that images follow their latents smoothly.

    Args:
        latent_dim: length of a latent.
        channels: channels of an image; None where the data are no images.
        image_size: side of an image in pixels: 4, 5, 6 or 7 times a power of two.
        w_dim: length of a style.
        mapping_layers: of the mapping network.
        channel_base: a map of side s has channel_base / s channels,
        channel_max: and at most so many.
        mixing: share of samples in training whose later layers take the style of another latent (Karras 2019,
            arXiv:1812.04948, section 3.1); 0: none.
        num_classes: K; None: no classes.

    Attributes:
        w_avg: running mean of the styles that training has made, about which ``truncation`` pulls them; it
            moves at :meth:`after_step`.

    Raises:
        OptionError: data that are no images, a size that the doublings do not reach, sizes that do not fit.
    """

    has_truncation = True
    draws_by_keys = True
    w_avg: Tensor
    w_sum: Tensor  # of the means of the batches since the last step
    w_batches: Tensor  # how many these are

    def __init__(
        self,
        latent_dim: int,
        channels: int | None,
        image_size: int | None,
        w_dim: int = 512,
        mapping_layers: int = 2,
        channel_base: int = 16384,
        channel_max: int = 512,
        mixing: float = 0.9,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        channels = require_channels(channels)
        require_positive("latent_dim", latent_dim)
        require_positive("w_dim", w_dim)
        require_positive("mapping_layers", mapping_layers)
        require_classes(num_classes)
        require(
            0 <= mixing <= 1, "mixing", mixing, "is a share of the samples, from 0 to 1; 0.9 in the paper"
        )
        sides = sides_of(image_size)
        widths = channels_at(sides, channel_base, channel_max)
        self.latent_dim, self.num_classes, self.mixing = latent_dim, num_classes, mixing
        self.mapping = Mapping(latent_dim, num_classes, w_dim, mapping_layers)
        self.constant = nn.Parameter(torch.randn(widths[0], sides[0], sides[0]))
        self.layers, self.images = nn.ModuleList(), nn.ModuleList()
        for side, inputs, outputs in zip(sides, [0, *widths], widths, strict=False):
            if inputs:
                self.layers.append(_Layer(inputs, outputs, side, w_dim, doubles=True))
            self.layers.append(_Layer(outputs, outputs, side, w_dim, doubles=False))
            self.images.append(_ToImage(outputs, channels, w_dim))
        self.num_styles = len(self.layers) + 1
        self.resampling = Resampling()
        self.register_buffer("w_avg", torch.zeros(w_dim))
        self.register_buffer("w_sum", torch.zeros(w_dim))
        self.register_buffer("w_batches", torch.zeros(()))

    def forward(
        self,
        z: Tensor,
        label: Tensor | None = None,
        *,
        truncation: float | None = None,
        keys: Tensor | None = None,
    ) -> Tensor:
        """Latents [B, latent_dim] and classes int64 [B], where there are some, to images [B, C, H, W].

        Nothing bounds them in training; in eval mode they are cut to [-1, 1].

        Args:
            truncation: psi, by which styles are drawn to their mean: w_avg + psi (w - w_avg), psi at least 0.
            keys: int64 [B], of which other latents and noise are functions in training; None: those of z.
        """
        require_input(z, self.latent_dim)
        w = self.mapping(z, label)
        if self.training:
            with torch.no_grad():
                self.w_sum.add_(w.mean(0))
                self.w_batches.add_(1)
        if truncation is not None:
            require(truncation >= 0, "truncation", truncation, "must be 0 or more; 0.7 is usual")
            w = torch.lerp(self.w_avg, w, truncation)
        if not self.training:
            return self.synthesize(self._for_all_layers(w)).clamp(-1, 1)
        keys = keys_of(z) if keys is None else keys
        return self.synthesize(self._mixed(w, label, keys), keys)

    def styles(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents and classes to what :meth:`synthesize` takes, [B, num_styles, w_dim]; mixed in training.

        They do not count for the mean style.
        """
        require_input(z, self.latent_dim)
        w = self.mapping(z, label)
        return self._mixed(w, label, keys_of(z)) if self.training else self._for_all_layers(w)

    def synthesize(self, styles: Tensor, keys: Tensor | None = None) -> Tensor:
        """Styles [B, num_styles, w_dim] to images [B, C, H, W] that nothing bounds.

        Args:
            keys: int64 [B], of which each sample's noise is a function; None: the noise of eval mode.
        """
        w = styles.unbind(1)
        x = self.layers[0](self.constant.expand(styles.shape[0], -1, -1, -1), w[0], keys)
        image = self.images[0](x, w[1])  # by the style of the next map's first layer, as the authors have it
        for number, to_image in enumerate(self.images[1:]):
            first = 1 + 2 * number  # of the two layers of this map
            x = self.layers[first](x, w[first], keys)
            x = self.layers[first + 1](x, w[first + 1], keys)
            image = self.resampling.doubled(image) + to_image(x, w[first + 2])
        return image

    @torch.no_grad()
    def after_step(self) -> None:
        """Moves the mean style by what the batches since the last step have made; without any, not at all."""
        mean = self.w_sum / self.w_batches.clamp(min=1)
        self.w_avg.lerp_(mean, (1 - _BETA) * self.w_batches.clamp(max=1))
        self.w_sum.zero_()
        self.w_batches.zero_()

    def _for_all_layers(self, w: Tensor) -> Tensor:
        """[B, w_dim] to [B, num_styles, w_dim]."""
        return w[:, None].expand(-1, self.num_styles, -1)

    def _mixed(self, w: Tensor, label: Tensor | None, keys: Tensor) -> Tensor:
        """Styles [B, w_dim] to [B, num_styles, w_dim], with those of other latents from some layer on."""
        count = self.num_styles
        if self.mixing == 0:
            return self._for_all_layers(w)
        other = self.mapping(keyed_normal(keys, "other latent", self.latent_dim).to(w.dtype), label)
        chance, place = keyed_uniform(keys, "mixing", 2).unbind(1)  # [B] each
        cutoff = 1 + (place * (count - 1)).long()  # uniform on 1, ..., count - 1
        cutoff = torch.where(chance < self.mixing, cutoff, count)
        is_own = torch.arange(count, device=w.device) < cutoff[:, None]  # [B, num_styles]
        return torch.where(is_own[..., None], w[:, None], other[:, None])


class _Layer(nn.Module):
    """A modulated 3x3 convolution, noise, a bias, LeakyReLU; doubles the side or keeps it."""

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, side: int, w_dim: int, *, doubles: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, 3, w_dim, doubles=doubles)
        self.noise_strength = nn.Parameter(torch.zeros(1))  # no scalar, for fsdp takes none
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.purpose = f"noise {side} {doubles}"
        fixed = keyed_normal(torch.zeros(1, dtype=torch.int64), self.purpose, side, side)
        self.register_buffer(
            "noise", fixed[0], persistent=False
        )  # a function of the layer, so in no checkpoint

    def forward(self, x: Tensor, w: Tensor, keys: Tensor | None) -> Tensor:
        """[B, inputs, H, W] and styles [B, w_dim] to [B, outputs, side, side]."""
        noise = self.noise if keys is None else keyed_normal(keys, self.purpose, *self.noise.shape)[:, None]
        x = self.convolution(x, w)
        return activate(x + (noise * self.noise_strength).to(x.dtype) + self.bias[:, None, None].to(x.dtype))


class _ToImage(nn.Module):
    """A modulated convolution of single places, without demodulation, and a bias."""

    def __init__(self, inputs: int, channels: int, w_dim: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, channels, 1, w_dim, demodulates=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[B, inputs, H, W] and styles [B, w_dim] to [B, channels, H, W]."""
        return self.convolution(x, w) + self.bias[:, None, None]
