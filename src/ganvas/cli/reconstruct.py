"""``ganvas reconstruct RUN``: originals beside reconstructions of a VQ-VAE, as a picture or arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import as_array, check_num, check_out, check_split, named_run, run_parser
from ganvas.errors import OptionError


def run(words: Sequence[str]) -> int:
    """Writes the first ``--num`` samples of a split and their reconstructions."""
    parser = run_parser("reconstruct", __doc__)
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--num", type=int, default=64)
    parser.add_argument(
        "--out", type=Path, help="F.png: pairs; F.npz: images and originals uint8 [N, H, W, C]"
    )
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args(list(words))
    check_num(arguments.num)
    check_num(arguments.batch_size, "--batch-size")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"reconstructions-{arguments.split}-{arguments.num}.png"
    check_out(out)

    import torch

    from ganvas.callback.pictures import draw_pairs, save_png
    from ganvas.model.interface import Reconstructs
    from ganvas.runtime.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not isinstance(model, Reconstructs):
        raise OptionError("RUN", folder.path, "reconstructs nothing; ganvas sample takes it")
    there = check_split(data, arguments.split, arguments.num)
    if there < arguments.num:
        raise OptionError("--num", arguments.num, f"the {arguments.split} split holds {there}; ask for fewer")
    batches = data.batches(arguments.split, arguments.batch_size, arguments.num)
    pairs = [(batch.x, model.reconstruct(batch.x.to(model.device)).x.cpu()) for batch in batches]
    originals, images = (torch.cat(side) for side in zip(*pairs, strict=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
        import numpy

        numpy.savez_compressed(out, images=as_array(images), originals=as_array(originals))
    else:
        save_png(out, draw_pairs(originals, images))
    print(out)
    return 0
