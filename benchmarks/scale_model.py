"""What a training step sends between ranks, and how far that lets it scale: the tables of docs/scale.md.

    python benchmarks/scale_model.py                     markdown tables, seconds on a CPU
    python benchmarks/scale_model.py --step-ms 5 80      with step times of your own

Bytes are counted from the real networks, which the command line's own code composes and builds; a test holds
them against the collectives of two real ranks. Bandwidths, latencies and GPU step times are inputs: they are
assumed in INTERCONNECTS and --step-ms, and nobody measured them. The model's form is held against 1, 2 and 4
ranks of this machine by benchmarks/scale_check.py.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from ganvas.cli.compose.experiment import compose
from ganvas.model.classifier import Classifier
from ganvas.model.gan import GAN
from ganvas.model.quantizer.vq import VectorQuantizer
from ganvas.model.quantizer.vq_ema import EMAVectorQuantizer
from ganvas.model.training.recipe import Recipe, running_statistics
from ganvas.model.vqvae import VQVAE
from ganvas.run.config.build import build
from ganvas.run.prepare import build_model

_IMAGES = ("data=stacked_digits", "data.num_train=64", "data.num_val=0", "data.num_test=0")
RECIPES: dict[str, tuple[str, ...]] = {
    "mlp_gan, 1 x 28 x 28": ("model=mlp_gan", "data=digits", "data.image_size=28"),
    "dcgan, 3 x 32 x 32": ("model=dcgan", *_IMAGES, "data.image_size=32"),
    "dcgan, 3 x 64 x 64": ("model=dcgan", *_IMAGES, "data.image_size=64"),
    "dcgan, 3 x 128 x 128": ("model=dcgan", *_IMAGES, "data.image_size=128"),
    "dcgan, 3 x 128 x 128, base_channels=128": (
        "model=dcgan",
        *_IMAGES,
        "data.image_size=128",
        "model.generator.base_channels=128",
        "model.discriminator.base_channels=128",
    ),
    "mlp_vqvae, 1 x 28 x 28": ("model=mlp_vqvae", "data=digits", "data.image_size=28"),
    "vqvae (vq_ema), 3 x 32 x 32": ("model=vqvae", *_IMAGES, "data.image_size=32"),
    "vqvae (vq), 3 x 32 x 32": ("model=vqvae", "model/quantizer=vq", *_IMAGES, "data.image_size=32"),
    "vqvae (vq_ema), hidden_channels=512, 8192 codes": (
        "model=vqvae",
        *_IMAGES,
        "data.image_size=128",
        "model.num_embeddings=8192",
        "model.encoder.hidden_channels=512",
        "model.decoder.hidden_channels=512",
    ),
    "classifier, 1 x 28 x 28": ("model=classifier", "data=digits", "data.image_size=28"),
    "classifier, base_channels=128, blocks=4": (
        "model=classifier",
        "data=digits",
        "data.image_size=64",
        "model.network.base_channels=128",
        "model.network.blocks=4",
    ),
}


class Interconnect(NamedTuple):
    """A given machine room: bandwidths in bytes a second and direction, latencies in seconds.

    Attributes:
        inside: of one GPU to the others of its node.
        outside: of one node to the others, all its adapters together.
        inside_latency: of one message.
        outside_latency: likewise.
    """

    inside: float
    outside: float
    inside_latency: float
    outside_latency: float


# Given: NVLink's 900 GB/s of a GPU are both ways together, so 450 each; adapters say bits. Latencies are
# assumed.
INTERCONNECTS = {
    "NVLink 900 GB/s + InfiniBand 400 Gb/s": Interconnect(450e9, 50e9, 3e-6, 5e-6),
    "NVLink 900 GB/s + Ethernet 100 Gb/s": Interconnect(450e9, 12.5e9, 3e-6, 25e-6),
}
GPUS = 8  # of a node


def model_of(words: Sequence[str]) -> Recipe:
    """The recipe that overrides compose, with its initial weights."""
    with tempfile.TemporaryDirectory() as folder:
        config = compose([*words, f"paths.output_dir={folder}", "data.batch_size=8"]).config
    data: Any = build(config["data"], "data")
    data.prepare()
    return build_model(config, data)


def size_of(*networks: nn.Module) -> int:
    """Bytes of the parameters that are trained."""
    return sum(p.numel() * p.element_size() for net in networks for p in net.parameters() if p.requires_grad)


def statistics_of(*networks: nn.Module) -> int:
    """Bytes of BatchNorm's running statistics and their like."""
    buffers = [buffer for network in networks for buffer in running_statistics(network)]
    return sum(buffer.numel() * buffer.element_size() for buffer in buffers)


def batch_norms(network: nn.Module, passes: int, ranks: int) -> list[int]:
    """Bytes of accelerator.sync_batchnorm's all-reduces: mean and variance of every rank, [ranks, 2, C]."""
    layers = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    return [4 * ranks * 2 * layer.num_features for layer in layers] * passes


def all_reduces(model: Recipe, *, ranks: int, restarts: bool = False) -> dict[str, list[int]]:
    """Bytes of the all-reduces of one training step, by what they are for, without those of a log.

    A GAN's are of a step that moves both networks. With the gradients that an optimizer takes go the running
    statistics and the loss, as one tensor. In all of them are 8 bytes by which the ranks agree on a stop, and
    8 by which they agree that callback.checkpoint.every_minutes are over.

    Args:
        ranks: how many there are.
        restarts: whether codes restart in this step; on a GPU the collective is made in every step.
    """
    agree = {"stop": [8], "clock": [8]}
    if isinstance(model, GAN):
        both = statistics_of(model.generator, model.discriminator)
        # The generator runs once; the discriminator on real, on fake, and on fake in the generator's step.
        normed = batch_norms(model.generator, 2, ranks) + batch_norms(model.discriminator, 6, ranks)
        return {
            "discriminator": [size_of(model.discriminator) + statistics_of(model.discriminator) + 4],
            "generator": [size_of(model.generator) + both + 4],
            "batch norms": normed,
        } | agree
    networks = model.networks.values()
    found = {"gradients": [size_of(*networks) + statistics_of(*networks) + 4]} | agree
    if isinstance(model, Classifier):
        return found | {"batch norms": batch_norms(model.network, 2, ranks)}
    assert isinstance(model, VQVAE)
    normed = [batch_norms(net, 2, ranks) for net in (model.encoder, model.decoder)]
    quantizer: Any = model.quantizer
    codes = sum(quantizer.codebook_sizes)
    width = quantizer.embedding_dim + 1 if isinstance(quantizer, EMAVectorQuantizer) else 1
    found |= {"batch norms": [size for sizes in normed for size in sizes], "codes": [4 * codes * width]}
    if restarts and isinstance(quantizer, EMAVectorQuantizer | VectorQuantizer):
        found["restarted codes"] = [8, 4 * codes * quantizer.embedding_dim]
    return found


def total(sizes: dict[str, list[int]]) -> int:
    return sum(map(sum, sizes.values()))


def ring(size: float, ranks: int, bandwidth: float, latency: float) -> float:
    """Seconds of a ring all-reduce: each rank sends 2 (n - 1) / n of the bytes in 2 (n - 1) messages."""
    return 2 * (ranks - 1) / ranks * size / bandwidth + 2 * (ranks - 1) * latency


def two_levels(size: float, nodes: int, given: Interconnect) -> float:
    """Seconds of an all-reduce over the GPUs of nodes: a ring inside, and a tree's latency between nodes.

    Between nodes each byte crosses the adapters of a node 2 (m - 1) / m times.
    """
    inside = ring(size, GPUS, given.inside, given.inside_latency)
    if nodes == 1:
        return inside
    messages = 2 * math.ceil(math.log2(nodes))
    return inside + 2 * (nodes - 1) / nodes * size / given.outside + messages * given.outside_latency


def seconds_of(model: Recipe, nodes: int, given: Interconnect) -> float:
    """Of all the all-reduces of a step, one after the other."""
    sizes = all_reduces(model, ranks=nodes * GPUS, restarts=True).values()
    return sum(two_levels(size, nodes, given) for part in sizes for size in part)


def efficiency(step: float, communication: float) -> float:
    """Of weak scaling without overlap: the share of the time that is computation."""
    return step / (step + communication)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *rows)]
    return "\n".join(lines)


def traffic_table(models: dict[str, Recipe]) -> str:
    """Megabytes of a step: what any number of ranks sends, and BatchNorm's statistics, which grow with it."""
    rows = []
    for name, model in models.items():
        few, many = (all_reduces(model, ranks=ranks, restarts=True) for ranks in (GPUS, 64 * GPUS))
        normed = [sum(sizes["batch norms"]) for sizes in (few, many)]
        parts = "; ".join(f"{part} {sum(found):,}" for part, found in few.items() if part != "batch norms")
        count = sum(map(len, few.values()))
        rows.append(
            [
                name,
                f"{(total(few) - normed[0]) / 1e6:.2f}",
                *(f"{size / 1e6:.2f}" for size in normed),
                str(count),
                parts,
            ]
        )
    head = ["recipe", "MB a step", "BatchNorm, 8 ranks", "BatchNorm, 512 ranks", "all-reduces", "bytes"]
    return markdown(head, rows)


def columns() -> list[tuple[str, int, Interconnect]]:
    """One node, where what lies between nodes does not matter, then 8 and 64 over each network."""
    (_, first), *_ = INTERCONNECTS.items()
    outside = [(label.partition(" + ")[2], given) for label, given in INTERCONNECTS.items()]
    return [("1 node", 1, first)] + [
        (f"{nodes} nodes, {label}", nodes, given) for label, given in outside for nodes in (8, 64)
    ]


def limit_table(models: dict[str, Recipe]) -> str:
    """Milliseconds of a step's collectives, and the shortest step of which they take a tenth."""
    rows = []
    for name, model in models.items():
        times = [1e3 * seconds_of(model, nodes, given) for _, nodes, given in columns()]
        rows.append([name, *(f"{ms:.2f}; {9 * ms:.0f}" for ms in times)])
    return markdown(["ms; ms for 90 %", *(label for label, _, _ in columns())], rows)


def efficiency_table(models: dict[str, Recipe], steps_ms: Sequence[float]) -> str:
    rows = []
    for name, model in models.items():
        for step in steps_ms:
            times = [seconds_of(model, nodes, given) for _, nodes, given in columns()]
            rows.append([f"{name}, {step:g} ms", *(f"{efficiency(step / 1e3, time):.1%}" for time in times)])
    return markdown(["recipe, assumed step", *(label for label, _, _ in columns())], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes and times of the collectives of a step.")
    parser.add_argument("--step-ms", type=float, nargs="+", default=[5, 50], help="assumed GPU step times")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    models = {name: model_of(words) for name, words in RECIPES.items()}
    print(traffic_table(models), end="\n\n")
    print(limit_table(models), end="\n\n")
    print(efficiency_table(models, arguments.step_ms))


if __name__ == "__main__":
    main()
