"""``ganvas sample RUN``: samples of a GAN as an image (.png) or an array (.npz)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganvas.cli.arguments import check_num, check_out, named_run, writing
from ganvas.cli.trained.from_latents import check_common, generator_parser
from ganvas.errors import OptionError, require


def run(argv: Sequence[str]) -> int:
    """Writes ``--num`` samples; sample number i is a function of (--seed, i) and the weights alone."""
    parser = generator_parser("sample", __doc__, 64, "samples")
    parser.add_argument("--columns", type=int, help="images in a row of the grid; a square without")
    parser.add_argument(
        "--out",
        type=Path,
        help="F.png: a grid; F.npz: images uint8 [N, H, W, C], and labels int64 [N] of conditional GANs",
    )
    arguments = parser.parse_args(list(argv))
    check_common(arguments)
    check_num(1 if arguments.columns is None else arguments.columns, "--columns")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"samples-{arguments.num}-seed{arguments.seed}.png"
    check_out(out)
    is_grid = out.suffix == ".png" or arguments.columns is None
    require(
        is_grid, "--columns", arguments.columns, "is of a grid (.png), and --out is an array; leave it out"
    )

    from ganvas.cli.trained.sample_files import open_samples
    from ganvas.model.interface import FromLatents, Samples
    from ganvas.run.load import load_run

    model, _, _ = load_run(folder, allow=allow)
    if not isinstance(model, Samples):
        raise OptionError(
            "RUN", folder.path, "makes no samples from nothing; ganvas reconstruct takes VQ-VAEs"
        )
    with writing(out), open_samples(out, arguments.num, columns=arguments.columns) as file:
        for start in range(0, arguments.num, arguments.batch_size):
            count = min(arguments.batch_size, arguments.num - start)
            options: Any = {"ema": not arguments.raw, "start": start, "truncation": arguments.truncation}
            made = model.sample(count, arguments.seed, **options)
            label = None
            if isinstance(model, FromLatents):
                label = model.sample_labels(count, arguments.seed, start=start)
            file.append(made, label)
    print(out)
    return 0
