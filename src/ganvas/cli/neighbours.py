"""``ganvas neighbours RUN``: samples of a GAN, each beside the training images nearest to it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import as_array, check_num, check_out, check_split, named_run
from ganvas.cli.from_latents import check_common, generate, generator_parser, load_generator
from ganvas.errors import OptionError, require
from ganvas.run.folder.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor


def run(argv: Sequence[str]) -> int:
    """Writes a sheet: a row a sample, at its left end, then its neighbours by Euclidean distance.

    Training images are taken as they are: not augmented.
    """
    parser = generator_parser("neighbours", __doc__, 8, "samples")
    parser.add_argument("--k", type=int, default=5, help="neighbours of each sample (5)")
    parser.add_argument(
        "--features", help="distances in these of conf/metric/features; all pixels without the option"
    )
    parser.add_argument(
        "--out", type=Path,
        help="F.png: a sheet; F.npz: images, neighbours, numbers of these in the training split, distances",
    )  # fmt: skip
    arguments = parser.parse_args(list(argv))
    check_common(arguments)
    check_num(arguments.k, "--k")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"neighbours-{arguments.num}-seed{arguments.seed}.png"
    check_out(out)
    extractor = None if arguments.features is None else _extractor(folder, allow, arguments)
    model, data = load_generator(folder, allow, "find neighbours of")
    there = check_split(data, "train", arguments.num)
    require(
        arguments.k <= there, "--k", arguments.k, f"is more than the {there} training samples; ask for fewer"
    )
    shape = list(data.sample_shape)
    if len(shape) != 3:
        raise OptionError("RUN", folder.path, f"has samples of shape {shape}; neighbours are of images")

    from ganvas.callback.drawing.images import draw_neighbours, save_png
    from ganvas.functional.nearest_rows import nearest_rows

    if extractor is not None:
        _check_extractor(extractor, data, arguments.features)

    def features(x: Tensor) -> Tensor:
        return x.flatten(1) if extractor is None else extractor(x.to(model.device)).features.cpu()

    z = model.latents(arguments.num, arguments.seed, truncation=arguments.truncation)
    made = generate(model, z, model.sample_labels(arguments.num, arguments.seed), arguments)
    rows = (features(batch.x) for batch in data.batches("train", arguments.batch_size))
    distances, numbers = nearest_rows(features(made), rows, arguments.k)
    neighbours = _pick(data, numbers)  # [N, k, C, H, W]
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
        import numpy

        near = as_array(neighbours.flatten(0, 1))
        numpy.savez_compressed(
            out, images=as_array(made), neighbours=near.reshape(*numbers.shape, *near.shape[1:]),
            numbers=numbers.numpy(), distances=distances.numpy(),
        )  # fmt: skip
    else:
        save_png(out, draw_neighbours(made, neighbours))
    print(out)
    _print_distances(distances[:, 0], made[0].numel(), arguments.features)
    return 0


def _extractor(folder: RunFolder, allow: list[str], arguments: argparse.Namespace) -> Callable[..., Any]:
    from ganvas.cli.metric_choice import build_metrics, metric_node
    from ganvas.run.config.stored import read_stored

    chosen = [f"metric/features={arguments.features}"]
    try:
        node = metric_node(read_stored(folder, allow)["config"], chosen, arguments.config_dir)
    except OptionError as error:
        if error.option != "metric/features":
            raise
        raise OptionError("--features", error.value, error.reason) from error
    built = build_metrics({**node, "samples": None, "perceptual": None}, allow)
    features: Callable[..., Any] | None = built["features"]
    require(features is not None, "--features", arguments.features, "are no features; leave the option out")
    assert features is not None
    return features


def _check_extractor(extractor: Any, data: Any, name: str) -> None:
    try:
        extractor.check(data.facts())
    except OptionError as error:
        if error.option != "features":
            raise error.under("metric.features") from error
        raise OptionError("--features", name, error.reason) from error


def _print_distances(nearest: Tensor, num_values: int, features: str | None) -> None:
    """From the least to the largest distance of a sample to its nearest neighbour."""
    unit = f"Euclidean, features {features}"
    if features is None:
        nearest, unit = nearest / num_values**0.5 / 2, "root mean square of values in [0, 1]"
    print(f"nearest: {nearest.min():.3g} to {nearest.max():.3g} away ({unit})")


def _pick(data: Any, numbers: Tensor) -> Tensor:
    """Training images by their numbers int64 [N, k]: float32 [N, k, C, H, W] in [-1, 1]."""
    from ganvas.functional.images import to_float

    rows: Tensor = data.split("train").x[numbers.flatten()]
    images = rows if rows.is_floating_point() else to_float(rows)
    return images.reshape(*numbers.shape, *images.shape[1:])
