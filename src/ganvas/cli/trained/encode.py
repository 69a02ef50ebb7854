"""``ganvas encode RUN FILES... --out F.gvq``: pictures, sounds or texts as a file of codes.

The codes are coded under the prior of RUN; where RUN is a VQ-VAE, under counts that adapt to them. Pictures
of any size, and sounds and texts of any length, are cut into pieces as large as the samples that the VQ-VAE
was trained on.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import Parser, check_num, check_out, check_split, named_run, run_parser, writing
from ganvas.errors import OptionError, require
from ganvas.files.text import say, with_article

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.cli.trained.coded.clips import CodedClips
    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.cli.trained.coded.pictures import Coded
    from ganvas.codec.container import Container

_SPLITS = ("train", "val", "test")


def run(argv: Sequence[str]) -> int:
    """Writes the file, and says what it takes: bits an image (a second, a byte), bits/dim, and how near what
    it decodes to comes."""
    arguments = encode_parser().parse_args(list(argv))
    found = encode(arguments)
    count, name, plural = found[found["modality"].plural], found["modality"].name, found["modality"].plural
    each = {part: found[part] for part in ("codes", "residual", "header") if found[part]}
    parts = ", ".join(f"{part} {8 * size / count:.2f}" for part, size in each.items())
    said = f"{count:,} {plural}{_sizes(found['sizes'])} in {found['bytes']:,} bytes"
    say(f"{said}, {found['header']} of header")
    units = [f"{found[f'bits_per_{name}']:.2f} bits {with_article(name)} ({parts})"]
    units += [f"{found['bits_per_dim']:.4f} bits/dim"]
    for unit in found["units"]:
        told = "kbit/s" if unit == "kilobits_per_second" else unit.replace("_", " ")
        units.append(f"{found[unit]:.4g} {told}")
    say(", ".join(units))
    if "psnr" in found:
        psnr = "without limit" if found["psnr"] == math.inf else f"{found['psnr']:.2f} dB"
        what = "lossless; PSNR of the codes alone" if arguments.lossless else "PSNR of what it decodes to"
        say(f"{what}: {psnr}")
    else:
        say(", ".join(f"{key} {value:.4g}" for key, value in found["measures"].items()))
    say(arguments.out)
    return 0


def encode_parser() -> Parser:
    """The command's arguments; ``ganvas.encode`` fills them in itself."""
    parser = run_parser("encode", __doc__)
    parser.add_argument("files", metavar="FILES", nargs="*", help="files, and folders of them")
    parser.add_argument("--split", choices=_SPLITS, help="instead of FILES, those of the run's data")
    parser.add_argument("--num", type=int, help="of --split, the first ones (all)")
    parser.add_argument(
        "--labels", action="store_true", help="of --split: a prior with classes is told them; the file too"
    )
    parser.add_argument("--lossless", action="store_true", help="every bit of pictures, not of codes alone")
    parser.add_argument("--level", type=int, help="the first levels of the codes alone, so many (all)")
    parser.add_argument("--out", type=Path, required=True, help="F.gvq")
    parser.add_argument("--overwrite", action="store_true", help="write over a file that is there")
    parser.add_argument("--batch-size", type=int, default=256, help="tiles that are encoded at a time")
    return parser


def encode(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the file.

    Returns:
        ``modality``, ``images`` (or ``sounds`` ...: how many), ``sizes`` (height and width of each; a sound
        or a text has height 1), ``bytes`` of the file, of these ``header``, ``codes`` and ``residual``,
        ``bits_per_image`` (or of what there is), ``bits_per_dim``, and by each of the modality's ``units``
        that are named, of sounds ``kilobits_per_second``; of what the codes decode to ``psnr``, infinite
        where that is the original, or ``measures``.
    """
    _check(arguments)
    folder, allow = named_run(arguments)

    from ganvas.cli.trained.coded.clips import find_clips
    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.cli.trained.coded.pictures import find_pictures
    from ganvas.codec.coder import require_constriction
    from ganvas.run.load import load_run

    require_constriction(("command", "encode"))
    for word in arguments.files:
        require(Path(word).exists(), "FILES", word, "is no file and no folder; name some")
    recipe, data, _ = load_run(folder, allow=allow)
    model = CodedModel(recipe, data, folder.path)
    has_pixels = model.modality.has_pixels
    rule = f"is of pictures, and the run's samples are {model.modality.plural}; leave it out"
    require(has_pixels or not arguments.lossless, "--lossless", True, rule)
    paths = find_pictures(arguments.files) if has_pixels else find_clips(arguments.files, model.modality)
    levels = _levels(arguments.level, model)
    _require_prior(model)
    if model.is_by_class and not arguments.labels:
        text = "the prior has learnt codes by class alone (model.label_dropout=0), and is told none"
        say(f"{text}: they take more bits; --split with --labels tells it", error=True)
    num = 0
    if arguments.split is not None:
        there = check_split(model.data, arguments.split, arguments.num or 1)
        num = there if arguments.num is None else arguments.num
        rule = f"the {arguments.split} split holds {there}; ask for fewer"
        require(num <= there, "--num", num, rule)
    label = None if arguments.split is None else _labels(arguments, model, num)
    coded = _coded(model, arguments, paths, levels, num)
    file = contain(model, coded, levels=levels, label=label)
    _write(arguments.out, file)
    return _figures(file, coded, model)


def _coded(
    model: CodedModel, arguments: argparse.Namespace, paths: Sequence[Path], levels: int, num: int
) -> Coded | CodedClips:
    """The codes of the files, or of the split where one is asked for."""
    from ganvas.cli.trained.coded.clips import clips_of, code_clips, read_clips
    from ganvas.cli.trained.coded.pictures import code_pictures, pictures_of, read_pictures

    split, batch_size = arguments.split, arguments.batch_size
    if not model.modality.has_pixels:
        clips = read_clips(paths, model.modality) if split is None else clips_of(model.data, split, num)
        return code_clips(model, clips, levels=levels, batch_size=batch_size)
    channels = model.channels
    rule = f"takes images of {channels} channels, which no picture has; --split takes those of its data"
    require(split is not None or channels in (1, 3), "RUN", model.place, rule)
    pictures = read_pictures(paths, channels) if split is None else pictures_of(model.data, split, num)
    return code_pictures(model, pictures, levels=levels, keep=arguments.lossless, batch_size=batch_size)


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
            require(not value, f"--{name}", value, "is of --split, and FILES are named; leave it out")
        rule = "names no files; name some, or folders, or --split test for those of the run's data"
        require(bool(arguments.files), "FILES", "", rule)
    else:
        named = " ".join(arguments.files)
        require(not named, "FILES", named, "are named, and --split too; leave one of them out")


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


def contain(
    model: CodedModel, coded: Coded | CodedClips, *, levels: int, label: Tensor | None = None
) -> Container:
    """The content of the file.

    Raises:
        OptionError: ``RUN``: what it makes of them cannot be coded.
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
            channels=model.channels,
            prior=model.prior,
            label=label,
            images=getattr(coded, "originals", None),
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


def _figures(file: Container, coded: Coded | CodedClips, model: CodedModel) -> dict[str, Any]:
    from ganvas.codec.account import account

    spent, kind = account(file), model.modality
    bits = spent.header + spent.codes + spent.residual
    found: dict[str, Any] = {
        "modality": kind,
        kind.plural: spent.images,
        "sizes": coded.sizes,
        "bytes": bits // 8,
        "header": spent.header // 8,
        "codes": spent.codes // 8,
        "residual": spent.residual // 8,
        f"bits_per_{kind.name}": spent.bits_per_image,
        "bits_per_dim": spent.bits_per_dim,
    }
    if hasattr(coded, "squared_error"):
        mean = coded.squared_error / spent.dimensions
        return found | {"units": [], "psnr": 10 * math.log10(255**2 / mean) if mean else math.inf}
    length = sum(width for _, width in coded.sizes)
    units = kind.units([*model.shape[:-1], length])
    found |= {name: bits / whole for name, whole in units.items()}
    return found | {"units": list(units), "measures": coded.means()}


def _sizes(sizes: Sequence[Any]) -> str:
    least, most = min(sizes), max(sizes)
    if most[0] == 1:
        return f" of {least[1]:,}" + (f" to {most[1]:,}" if least != most else "") + " samples"
    return f" of {least[0]} x {least[1]}" + (f" to {most[0]} x {most[1]}" if least != most else "")
