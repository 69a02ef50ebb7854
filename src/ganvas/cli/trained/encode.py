"""``ganvas encode RUN PICTURES... --out F.gvq``: pictures as a file of codes, by a VQ-VAE and its prior.

The codes are coded under the prior of RUN; where RUN is a VQ-VAE, under counts that adapt to them. Pictures
of any size are cut into tiles as large as the samples that the VQ-VAE was trained on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import Parser, check_num, check_out, check_split, named_run, run_parser, writing
from ganvas.errors import OptionError, require
from ganvas.files.text import say

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.cli.trained.coded.pictures import Coded
    from ganvas.codec.container import Container

_SPLITS = ("train", "val", "test")


def run(argv: Sequence[str]) -> int:
    """Writes the file, and says what it takes: bits an image, bits/dim, PSNR of what it decodes to."""
    arguments = encode_parser().parse_args(list(argv))
    found = encode(arguments)
    each = {name: found[name] for name in ("codes", "residual", "header") if found[name]}
    parts = ", ".join(f"{name} {8 * size / found['images']:.2f}" for name, size in each.items())
    psnr = "without limit" if found["psnr"] == math.inf else f"{found['psnr']:.2f} dB"
    what = "lossless; PSNR of the codes alone" if arguments.lossless else "PSNR of what it decodes to"
    said = f"{found['images']:,} images{_sizes(found['sizes'])} in {found['bytes']:,} bytes"
    say(f"{said}, {found['header']} of header")
    say(f"{found['bits_per_image']:.2f} bits an image ({parts}), {found['bits_per_dim']:.4f} bits/dim")
    say(f"{what}: {psnr}")
    say(arguments.out)
    return 0


def encode_parser() -> Parser:
    """The command's arguments; ``ganvas.encode`` fills them in itself."""
    parser = run_parser("encode", __doc__)
    parser.add_argument("pictures", metavar="PICTURES", nargs="*", help="files, and folders of them")
    parser.add_argument("--split", choices=_SPLITS, help="instead of PICTURES, those of the run's data")
    parser.add_argument("--num", type=int, help="of --split, the first ones (all)")
    parser.add_argument(
        "--labels", action="store_true", help="of --split: a prior with classes is told them; the file too"
    )
    parser.add_argument(
        "--lossless", action="store_true", help="every bit of the pictures, not of codes alone"
    )
    parser.add_argument("--level", type=int, help="the first levels of the codes alone, so many (all)")
    parser.add_argument("--out", type=Path, required=True, help="F.gvq")
    parser.add_argument("--overwrite", action="store_true", help="write over a file that is there")
    parser.add_argument("--batch-size", type=int, default=256, help="tiles that are encoded at a time")
    return parser


def encode(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the file.

    Returns:
        ``images``, ``sizes`` (height and width of each), ``bytes`` of the file, of these ``header``,
        ``codes`` and ``residual``, ``bits_per_image``, ``bits_per_dim``, and ``psnr`` of what the codes
        decode to, infinite where that is the original.
    """
    _check(arguments)
    folder, allow = named_run(arguments)

    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.cli.trained.coded.pictures import code_pictures, find_pictures, pictures_of, read_pictures
    from ganvas.codec.coder import require_constriction
    from ganvas.run.load import load_run

    require_constriction()
    paths = find_pictures(arguments.pictures)
    recipe, data, _ = load_run(folder, allow=allow)
    model = CodedModel(recipe, data, folder.path)
    levels = _levels(arguments.level, model)
    _require_prior(model)
    label = None
    if arguments.split is None:
        channels = model.shape[0]
        rule = f"takes images of {channels} channels, which no picture has; --split takes those of its data"
        require(channels in (1, 3), "RUN", folder.path, rule)
        pictures = read_pictures(paths, channels)
    else:
        there = check_split(model.data, arguments.split, arguments.num or 1)
        num = there if arguments.num is None else arguments.num
        rule = f"the {arguments.split} split holds {there}; ask for fewer"
        require(num <= there, "--num", num, rule)
        pictures = pictures_of(model.data, arguments.split, num)
        label = _labels(arguments, model, num)
    coded = code_pictures(
        model, pictures, levels=levels, keep=arguments.lossless, batch_size=arguments.batch_size
    )
    file = contain(model, coded, levels=levels, label=label)
    _write(arguments.out, file)
    return _figures(file, coded)


def _check(arguments: argparse.Namespace) -> None:
    """Raises OptionError where options do not fit each other or their ranges."""
    for name in ("num", "level", "batch_size"):
        check_num(getattr(arguments, name), f"--{name.replace('_', '-')}")
    check_out(arguments.out, (".gvq",))
    rule = "is there already; --overwrite writes over it, or name another"
    require(arguments.overwrite or not arguments.out.exists(), "--out", arguments.out, rule)
    if arguments.split is None:
        for name in ("num", "labels"):
            value = getattr(arguments, name)
            require(not value, f"--{name}", value, "is of --split, and PICTURES are named; leave it out")
        rule = "names no pictures; name files or folders, or --split test for those of the run's data"
        require(bool(arguments.pictures), "PICTURES", "", rule)
    else:
        named = " ".join(arguments.pictures)
        require(not named, "PICTURES", named, "are named, and --split too; leave one of them out")


def _levels(level: int | None, model: CodedModel) -> int:
    """How many first levels are coded."""
    levels, most = level or model.num_levels, model.num_levels
    rule = f"the run has codes of {most} levels; take from 1 to {most}" if most > 1 else "it has one level"
    require(levels <= most, "--level", level, f"{rule}; leave it out for all")
    rule = f"a prior codes all {most} levels together; ganvas encode {model.place}/tokenizer takes fewer"
    require(levels == most or not model.has_prior, "--level", level, rule)
    return levels


def _require_prior(model: CodedModel) -> None:
    rule = (
        "sees all codes of an image at once, and says none from those before it; model=autoregressive does, "
        f"and ganvas encode {model.place}/tokenizer counts"
    )
    require(model.prior is not None or not model.has_prior, "RUN", model.place, rule)


def _labels(arguments: argparse.Namespace, model: CodedModel, num: int) -> Tensor | None:
    """The classes int64 [num] that the prior is told."""
    if not arguments.labels:
        return None
    has_classes = model.prior is not None and model.prior.num_classes is not None
    require(has_classes, "--labels", True, "the run has no prior with classes to tell them; leave it out")
    label: Tensor | None = model.data.split(arguments.split).label
    assert label is not None, "a prior has classes where its data have labels"
    return label[:num]


def contain(model: CodedModel, coded: Coded, *, levels: int, label: Tensor | None = None) -> Container:
    """The content of the file.

    Raises:
        OptionError: ``RUN``: what it makes of pictures cannot be coded.
    """
    from ganvas.codec.codes import encode_codes

    digest = model.hash if model.prior is None else model.hash_with_prior
    assert digest is not None
    try:
        return encode_codes(
            coded.codes,
            layout=model.layouts[levels - 1],
            model=digest,
            sizes=coded.sizes,
            channels=model.shape[0],
            prior=model.prior,
            label=label,
            images=coded.originals,
            reconstruct=model.decode,
            tile=model.tile,
        )
    except OptionError:
        raise
    except ValueError as error:
        raise OptionError("RUN", model.place, f"cannot code them: {error}; take another run") from error


def _write(out: Path, file: Container) -> None:
    from ganvas.codec.container import write_container

    with writing(out):
        write_container(out, file)


def _figures(file: Container, coded: Coded) -> dict[str, Any]:
    from ganvas.codec.account import account

    spent = account(file)
    mean = coded.squared_error / spent.dimensions
    return {
        "images": spent.images,
        "sizes": coded.sizes,
        "bytes": (spent.header + spent.codes + spent.residual) // 8,
        "header": spent.header // 8,
        "codes": spent.codes // 8,
        "residual": spent.residual // 8,
        "bits_per_image": spent.bits_per_image,
        "bits_per_dim": spent.bits_per_dim,
        "psnr": 10 * math.log10(255**2 / mean) if mean else math.inf,
    }


def _sizes(sizes: Sequence[Any]) -> str:
    least, most = min(sizes), max(sizes)
    return f" of {least[0]} x {least[1]}" + (f" to {most[0]} x {most[1]}" if least != most else "")
