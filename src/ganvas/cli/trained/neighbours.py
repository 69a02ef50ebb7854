"""``ganvas neighbours RUN``: samples of a GAN, each beside the training images nearest to it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import check_num, check_out, check_split, named_run
from ganvas.cli.trained.files.options import add_scale, check_scalable, check_scale
from ganvas.cli.trained.from_latents import (
    check_common,
    check_memory,
    generate,
    generator_parser,
    load_generator,
)
from ganvas.cli.trained.options.labels import add_label, labels_of
from ganvas.cli.trained.options.metric_choice import build_metrics, chosen_by, metric_node
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.run.folder.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor


def run(argv: Sequence[str]) -> int:
    """Writes a sheet: a row a sample, at its left end, then its neighbours by Euclidean distance.

    Training images are taken as they are, not augmented, and of all classes whatever ``--label`` asks for.
    """
    parser = generator_parser("neighbours", __doc__, 8, "samples")
    parser.add_argument("--k", type=int, default=5, help="neighbours of each sample (5)")
    parser.add_argument(
        "--features", help="distances in these of conf/metric/features; all pixels without the option"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="F.png, F.webp, F.jpg: a sheet; F.npz: images, neighbours, numbers of these in the "
        "training split, distances",
    )
    add_label(parser)
    add_scale(parser)
    arguments = parser.parse_args(list(argv))
    check_common(arguments)
    check_num(arguments.k, "--k")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"neighbours-{arguments.num}-seed{arguments.seed}.png"
    check_out(out)
    check_scale(arguments.scale, out.suffix)
    extractor = None if arguments.features is None else _extractor(folder, allow, arguments)
    model, data = load_generator(folder, allow, arguments.command)
    there = check_split(data, "train", arguments.num)
    require(
        arguments.k <= there, "--k", arguments.k, f"is more than the {there} training samples; ask for fewer"
    )
    shape, kind = list(data.sample_shape), data.modality
    if not kind.has_pictures or kind.is_discrete:
        rule = "neighbours are of what can be drawn by itself, e.g. images"
        raise OptionError("RUN", folder.path, f"has samples of shape {shape}; {rule}")
    check_scalable(arguments.scale, kind, shape, arguments.num * (arguments.k + 1))

    from ganvas.cli.trained.files.save import save_samples
    from ganvas.functional.nearest_rows import nearest_rows

    if extractor is not None:
        with chosen_by(features="--features"):
            extractor.check(data.facts())

    def features(x: Tensor) -> Tensor:
        return x.flatten(1) if extractor is None else extractor(x.to(model.device)).features.cpu()

    check_memory(model, arguments, arguments.num * (arguments.k + 1))
    labels = labels_of(arguments, model, data, "samples")
    z = model.latents(arguments.num, arguments.seed, truncation=arguments.truncation)
    made = generate(model, z, labels, arguments)
    rows = (features(batch.x) for batch in data.batches("train", arguments.batch_size))
    distances, numbers = nearest_rows(features(made), rows, arguments.k)
    neighbours = _pick(data, numbers)  # [N, k, C, H, W]
    samples = {kind.plural: made, "neighbours": neighbours}
    others = {"numbers": numbers, "distances": distances}
    _print_distances(distances[:, 0], made[0].numel(), arguments.features)
    scale = arguments.scale
    save_samples(out, kind, samples, lambda: kind.draw_neighbours(made, neighbours, scale=scale), others)
    return 0


def _extractor(folder: RunFolder, allow: list[str], arguments: argparse.Namespace) -> Any:
    from ganvas.run.config.stored import read_stored

    chosen = [f"metric/features={arguments.features}"]
    with chosen_by(features="--features"):
        node = metric_node(read_stored(folder, allow)["config"], chosen, arguments.config_dir)
    built = build_metrics({**node, "samples": None, "perceptual": None}, allow)
    features: Callable[..., Any] | None = built["features"]
    require(features is not None, "--features", arguments.features, "are no features; leave the option out")
    assert features is not None
    return features


def _print_distances(nearest: Tensor, num_values: int, features: str | None) -> None:
    """From the least to the largest distance of a sample to its nearest neighbour."""
    unit = f"Euclidean, features {features}"
    if features is None:
        nearest, unit = nearest / num_values**0.5 / 2, "root mean square of values in [0, 1]"
    say(f"nearest: {nearest.min():.3g} to {nearest.max():.3g} away ({unit})")


def _pick(data: Any, numbers: Tensor) -> Tensor:
    """Training samples by their numbers int64 [N, k]: float32 [N, k, ...] in [-1, 1]."""
    rows: Tensor = data.modality.to_model(data.split("train").x[numbers.flatten()])
    return rows.reshape(*numbers.shape, *rows.shape[1:])
