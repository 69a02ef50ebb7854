"""taming-transformers' VQModel (its VQGANs; Esser 2021, arXiv:2012.09841), read from its state dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from ganvas.model.decoder.resnet import ResNetDecoder
from ganvas.model.encoder.resnet import ResNetEncoder
from ganvas.model.layers.image_grid import ImageGrid
from ganvas.model.quantizer.foreign.taming import vector_quantizer2
from ganvas.model.quantizer.vq import VectorQuantizer

# What is not the autoencoder's: the discriminator and LPIPS of its loss, and how segmentations are shown.
_ELSEWHERE = ("loss.", "colorize")
_NAMES = {  # of layers inside a block: ours, theirs
    "shortcut": "nin_shortcut",
    "query": "q",
    "key": "k",
    "value": "v",
    "out": "proj_out",
}


class VQModel(NamedTuple):
    """A VQGAN without its discriminator; images in [-1, 1], as there.

    ``decoder(quantizer(encoder(x)).quantized)`` is what their ``forward`` gives.
    """

    encoder: ResNetEncoder
    quantizer: VectorQuantizer
    decoder: ResNetDecoder


def vq_model(
    state: Mapping[str, Tensor],
    *,
    sample_shape: Sequence[int],
    prefix: str = "",
    beta: float = 0.25,
    legacy: bool = True,
) -> VQModel:
    """The encoder, quantizer and decoder that the state of a VQModel holds.

    ``encoder/resnet`` with ``latent_channels`` is their Encoder and quant_conv, ``decoder/resnet`` their
    post_quant_conv and Decoder. All sizes are read off the state, but for those of an image. Networks are
    convolutional: images may be of another size than they were trained on, and attention stays at the maps
    where it was. Dropout, which no published config has, is not there.

    Args:
        state: of the module, or of one that holds it; of a checkpoint of Lightning its ``state_dict``. What
            belongs to its ``loss`` is passed over.
        sample_shape: [C, H, W] of an image; sides that the halvings do not divide are padded and cut back.
        prefix: of its names in there, e.g. ``first_stage_model.``.
        beta, legacy: see :func:`ganvas.model.quantizer.foreign.taming.vector_quantizer2`.

    Raises:
        ValueError: a state that is no such VQModel's: other quantizers (GumbelVQ, EMAVQ), maps that are
            halved without a convolution, other channels out than in; or images of other channels.
    """
    part = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    part = {name: value for name, value in part.items() if not name.startswith(_ELSEWHERE)}
    sizes = _sizes(part)
    channels = part["encoder.conv_in.weight"].shape[1]
    shape = list(sample_shape)
    if shape[:1] != [channels]:
        raise ValueError(f"sample_shape={shape}: this VQModel is of images of {channels} channels")
    halvings = len(sizes.multipliers) - 1
    side = max(ImageGrid(shape, 2**halvings).sides)  # of the smallest map
    options: dict[str, Any] = {
        "sample_shape": shape,
        "embedding_dim": part["quant_conv.weight"].shape[0],
        "base_channels": sizes.base_channels,
        "multipliers": sizes.multipliers,
        "blocks": sizes.blocks,
        "attention_at": [side << (halvings - level) for level in sizes.attention],
        "latent_channels": part["quant_conv.weight"].shape[1],
    }
    encoder, decoder = ResNetEncoder(**options), ResNetDecoder(**options)
    own = {name: value for name, value in part.items() if not name.startswith("quantize.")}
    taken = _fill(encoder.layers, _encoder_names(sizes), own) | _fill(
        decoder.layers, _decoder_names(sizes), own
    )
    if unknown := [name for name in own if name not in taken]:
        raise ValueError(f"this VQModel holds {', '.join(unknown[:3])}, which nothing here is made of")
    quantizer = vector_quantizer2(part, prefix="quantize.", beta=beta, legacy=legacy)
    return VQModel(encoder, quantizer, decoder)


class _Sizes(NamedTuple):
    base_channels: int
    multipliers: list[int]
    blocks: int
    attention: list[int]  # numbers of the maps, from the largest, that have it


def _sizes(part: Mapping[str, Tensor]) -> _Sizes:
    """What the encoder's names and shapes say.

    Raises:
        ValueError: they are no encoder's.
    """
    first = "encoder.conv_in.weight", "quant_conv.weight"
    if missing := [name for name in first if name not in part or part[name].ndim != 4]:
        raise ValueError(f"this state holds no VQModel: {', '.join(missing)} is not there")
    base = part[first[0]].shape[0]
    widths = list(_run_of(part, "encoder.down.{}.block.0.conv1.weight"))
    blocks = list(_run_of(part, "encoder.down.0.block.{}.conv1.weight"))
    if not widths or min(widths) < base or any(width % base for width in widths):
        raise ValueError(f"maps of {widths} channels: must be multiples of the first layer's {base}")
    if base % 32:  # their norms have 32 groups
        raise ValueError(f"maps of {base} channels: a VQModel's are multiples of 32")
    attention = [level for level in range(len(widths)) if f"encoder.down.{level}.attn.0.norm.weight" in part]
    return _Sizes(base, [width // base for width in widths], len(blocks), attention)


def _run_of(part: Mapping[str, Tensor], name: str) -> Iterator[int]:
    """Numbers of outputs of the layers whose names have 0, 1, 2, ... in them, as far as they go."""
    number = 0
    while (weight := part.get(name.format(number))) is not None:
        yield weight.shape[0] if weight.ndim else 0
        number += 1


def _stage(name: str, level: int, blocks: int, sizes: _Sizes) -> list[str]:
    """Their names of the blocks at one map, in our order: attention behind the block that it follows."""
    kinds = ("block", "attn") if level in sizes.attention else ("block",)
    return [f"{name}.{level}.{kind}.{block}" for block in range(blocks) for kind in kinds]


_MIDDLE = ("mid.block_1", "mid.attn_1", "mid.block_2")


def _encoder_names(sizes: _Sizes) -> list[str]:
    """Their names of our encoder's layers that have weights, in our order."""
    names = ["conv_in"]
    for level in range(len(sizes.multipliers)):
        names += [f"down.{level - 1}.downsample"] if level else []
        names += _stage("down", level, sizes.blocks, sizes)
    names += [*_MIDDLE, "norm_out", "conv_out"]
    return [*(f"encoder.{name}" for name in names), "quant_conv"]


def _decoder_names(sizes: _Sizes) -> list[str]:
    """Likewise, of our decoder."""
    last = len(sizes.multipliers) - 1
    names = ["conv_in", *_MIDDLE]
    for level in range(last, -1, -1):
        names += [f"up.{level + 1}.upsample"] if level < last else []
        names += _stage("up", level, sizes.blocks + 1, sizes)
    return ["post_quant_conv", *(f"decoder.{name}" for name in (*names, "norm_out", "conv_out"))]


def _fill(layers: nn.Sequential, names: list[str], part: Mapping[str, Tensor]) -> set[str]:
    """Loads layers from the tensors of the names; those that were taken.

    Raises:
        ValueError: one is not there, has another shape, or is not finite.
    """
    state: dict[str, Tensor] = {}
    taken = set()
    with_weights = [(number, layer) for number, layer in enumerate(layers) if list(layer.parameters())]
    for (number, layer), name in zip(with_weights, names, strict=True):
        for key, own in layer.state_dict().items():
            first, _, rest = key.partition(".")
            theirs = f"{name}.{_NAMES.get(first, first)}{'.' if rest else ''}{rest}"
            if theirs not in part:
                raise ValueError(f"this VQModel lacks {theirs}")
            value = part[theirs]
            if value.shape != own.shape:
                raise ValueError(f"{theirs} of shape {list(value.shape)}: must be {list(own.shape)}")
            if not bool(value.isfinite().all()):
                raise ValueError(f"{theirs} holds numbers that are NaN or infinite")
            state[f"{number}.{key}"] = value
            taken.add(theirs)
    layers.load_state_dict(state)
    return taken
