"""``ganvas sample RUN``: samples of a GAN as an image (.png) or an array (.npz)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import check_num, check_out, named_run, save_samples
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

    import torch

    from ganvas.callback.drawing.images import draw
    from ganvas.model.interface import FromLatents, Samples
    from ganvas.run.load import load_run

    model, _, _ = load_run(folder, allow=allow)
    if not isinstance(model, Samples):
        raise OptionError(
            "RUN", folder.path, "makes no samples from nothing; ganvas reconstruct takes VQ-VAEs"
        )
    made = torch.cat(
        [
            model.sample(
                min(arguments.batch_size, arguments.num - i),
                arguments.seed,
                ema=not arguments.raw,
                start=i,
                truncation=arguments.truncation,
            ).cpu()
            for i in range(0, arguments.num, arguments.batch_size)
        ]
    )
    label = model.sample_labels(arguments.num, arguments.seed) if isinstance(model, FromLatents) else None
    save_samples(out, {"images": made, "labels": label}, lambda: draw(made, columns=arguments.columns))
    return 0
