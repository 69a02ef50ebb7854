"""``ganvas interpolate RUN``: rows of samples from one latent to another, as an image or an array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import check_out, named_run
from ganvas.cli.trained.files.options import add_scale, check_scalable, check_scale
from ganvas.cli.trained.from_latents import (
    check_common,
    check_memory,
    generate,
    generator_parser,
    load_generator,
)
from ganvas.cli.trained.options.labels import add_label, labels_of
from ganvas.errors import require


def run(argv: Sequence[str]) -> int:
    """Row i goes from sample i to sample num + i of ``ganvas sample`` with the same seed, on an arc (slerp).

    Where the generator has classes, a row keeps that of sample i, or the one that ``--label`` gives it.
    """
    parser = generator_parser("interpolate", __doc__, 8, "rows")
    parser.add_argument("--steps", type=int, default=8, help="samples in a row, both ends included (8)")
    parser.add_argument(
        "--out", type=Path, help="F.png, F.webp, F.jpg: a row each; F.npz: images uint8 [N, S, H, W, C]"
    )
    add_label(parser, "rows")
    add_scale(parser)
    arguments = parser.parse_args(list(argv))
    check_common(arguments)
    num, steps = arguments.num, arguments.steps
    require(steps >= 2, "--steps", steps, "must be at least 2, the ends; leave the option out for 8")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"interpolation-{num}-seed{arguments.seed}.png"
    check_out(out)
    check_scale(arguments.scale, out.suffix)
    model, data = load_generator(folder, allow, arguments.command)

    import torch

    from ganvas.cli.trained.files.save import save_samples
    from ganvas.functional.slerp import slerp

    check_memory(model, arguments, num * steps)
    label = labels_of(arguments, model, data, "rows")
    ends = model.latents(2 * num, arguments.seed, truncation=arguments.truncation).cpu()
    t = torch.arange(steps, dtype=torch.float64) / (steps - 1)  # 0 and 1 are exact
    z = slerp(ends[:num, None], ends[num:, None], t)  # [N, S, D]
    rows = None if label is None else label.repeat_interleave(steps)
    made = generate(model, z.flatten(0, 1).to(model.device), rows, arguments).unflatten(0, (num, steps))
    kind = data.modality
    check_scalable(arguments.scale, kind, made.shape[2:], num * steps)
    save_samples(out, kind, {kind.plural: made}, lambda: kind.draw_rows(made, scale=arguments.scale))
    return 0
