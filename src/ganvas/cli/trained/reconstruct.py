"""``ganvas reconstruct RUN``: originals beside reconstructions of a VQ-VAE, as an image or arrays."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import (
    check_num,
    check_out,
    check_sheet,
    check_split,
    named_run,
    run_parser,
    writing,
)
from ganvas.cli.trained.files.options import add_scale, check_scalable, check_scale, check_sheet_of
from ganvas.errors import OptionError, require
from ganvas.files.text import say
from ganvas.modality.drawing.files import IMAGES, save_image
from ganvas.run.folder.usable import NEEDS

if TYPE_CHECKING:
    from torch import Tensor


def run(argv: Sequence[str]) -> int:
    """Writes the first ``--num`` samples of a split and their reconstructions."""
    parser = run_parser("reconstruct", __doc__)
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--num", type=int, default=64)
    parser.add_argument(
        "--out",
        type=Path,
        help="F.png, F.webp, F.jpg: pairs; F.wav, F.txt: of sounds and texts each after its original; "
        "F.npz: images and originals uint8 [N, H, W, C], indices [N, levels, ...]",
    )
    parser.add_argument(
        "--codes", type=Path, help="F.png: originals, reconstructions and codes as colours, besides --out"
    )
    add_scale(parser)
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args(list(argv))
    check_num(arguments.num)
    check_num(arguments.batch_size, "--batch-size")
    folder, allow = named_run(arguments)
    name = folder.path / f"reconstructions-{arguments.split}-{arguments.num}"
    out = arguments.out or name.with_name(f"{name.name}.png")
    check_out(out, (out.suffix,) if out.suffix else (*IMAGES, ".npz"))
    check_scale(arguments.scale, (arguments.codes or out).suffix)
    if arguments.codes is not None:
        check_out(arguments.codes, IMAGES, "--codes")
        same = arguments.codes.resolve() == out.resolve()
        require(not same, "--codes", arguments.codes, "is the file of --out; name another")

    from ganvas.cli.trained.files.save import save_samples
    from ganvas.model.interface import Reconstructs
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not isinstance(model, Reconstructs):
        raise NEEDS["reconstruct"].refusal(folder)
    kind = data.modality
    if arguments.out is None:
        out = name.with_name(f"{name.name}{kind.sheets[0]}")
    check_sheet_of(kind, out.suffix, out)
    originals, images, indices = _reconstructed(model, data, arguments)
    scale = arguments.scale
    check_scalable(scale, kind, originals.shape[1:], 2 * len(originals))
    codes = None
    if arguments.codes is not None:
        try:
            codes = kind.draw_codes(originals, images, indices, model.codebook_sizes, scale=scale)
        except OptionError as error:
            raise OptionError("--scale", scale, error.reason) if error.option == "scale" else error from error
        check_sheet(arguments.codes, codes, "--codes")  # before anything is written
    samples = {kind.plural: images, "originals": originals}
    save_samples(
        out, kind, samples, lambda: kind.draw_pairs(originals, images, scale=scale), _by_name(indices)
    )
    if codes is not None:
        with writing(arguments.codes, "--codes"):
            save_image(arguments.codes, codes)
        say(arguments.codes)
    return 0


def _reconstructed(
    model: Any, data: Any, arguments: argparse.Namespace
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Originals and reconstructions [num, ...] on the CPU, and of each level the codes [num, *positions]."""
    import torch

    there = check_split(data, arguments.split, arguments.num)
    if there < arguments.num:
        raise OptionError("--num", arguments.num, f"the {arguments.split} split holds {there}; ask for fewer")
    batches = data.batches(arguments.split, arguments.batch_size, arguments.num)
    made = [(batch.x, *model.reconstruct(batch.x.to(model.device))) for batch in batches]
    originals, images = (torch.cat([part.cpu() for part in side]) for side in list(zip(*made))[:2])
    indices = [torch.cat([one.cpu() for one in level]) for level in zip(*(found for *_, found in made))]
    return originals, images, indices


def _by_name(indices: Sequence[Tensor]) -> dict[str, Tensor]:
    """Levels of one shape as ``indices`` [N, levels, *positions], others as ``indices_level_1`` and so on."""
    import torch

    if len({one.shape for one in indices}) == 1:
        return {"indices": torch.stack(list(indices), dim=1)}
    return {f"indices_level_{level}": one for level, one in enumerate(indices, 1)}
