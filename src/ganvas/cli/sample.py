"""``ganvas sample RUN``: samples of a GAN as a picture (.png) or an array (.npz)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import as_array, check_num, check_out, named_run, run_parser
from ganvas.errors import OptionError


def run(words: Sequence[str]) -> int:
    """Writes ``--num`` samples; sample number i is a function of (--seed, i) and the weights alone."""
    parser = run_parser("sample", __doc__)
    parser.add_argument("--num", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="F.png: a grid; F.npz: images uint8 [N, H, W, C]")
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args(list(words))
    check_num(arguments.num)
    check_num(arguments.batch_size, "--batch-size")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"samples-{arguments.num}-seed{arguments.seed}.png"
    check_out(out)

    import torch

    from ganvas.callback.pictures import draw, save_png
    from ganvas.model.interface import Samples
    from ganvas.runtime.load import load_run

    model, _, _ = load_run(folder, allow=allow)
    if not isinstance(model, Samples):
        raise OptionError("RUN", folder.path, "makes no samples from nothing; ganvas reconstruct takes it")
    made = torch.cat(
        [
            model.sample(
                min(arguments.batch_size, arguments.num - i), arguments.seed, ema=not arguments.raw, start=i
            ).cpu()
            for i in range(0, arguments.num, arguments.batch_size)
        ]
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
        import numpy

        numpy.savez_compressed(out, images=as_array(made))
    else:
        save_png(out, draw(made))
    print(out)
    return 0
