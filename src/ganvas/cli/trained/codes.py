"""``ganvas codes RUN``: what each code of a VQ-VAE decodes to, by use; or two images that swap codes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.arguments import (
    check_num,
    check_out,
    check_split,
    named_run,
    run_parser,
    whole_number,
    writing,
)
from ganvas.cli.trained.files.options import add_scale, check_scalable, check_scale
from ganvas.errors import OptionError, require
from ganvas.files.text import as_csv, say
from ganvas.files.write import write_text
from ganvas.modality.drawing.files import IMAGES
from ganvas.run.folder.usable import NEEDS

if TYPE_CHECKING:
    from torch import Tensor

_USUAL = {"num": 1000, "level": 1, "sort": "usage", "most": 256}  # of the sheet
_STEPS = 8
_MOST_STEPS = 1000


def run(argv: Sequence[str]) -> int:
    """A sheet of codes, each as what the decoder makes of it where it stands at every position.

    Levels before the code's hold their most used code; those after it are left out where the quantizer can
    be cut there, and hold theirs else. With --swap: sample I with the codes of J at more and more positions,
    row by row, from I's reconstruction to J's; where the codes have several levels, below it with more and
    more of J's later levels.
    """
    parser = run_parser("codes", __doc__)
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--num", type=int, help="samples whose codes are counted (1000, or all there are)")
    parser.add_argument("--level", type=int, help="of the codes, from 1 (1)")
    parser.add_argument(
        "--sort", choices=("usage", "index"), help="the most used first, or by their indices (usage)"
    )
    parser.add_argument("--most", type=int, help="codes that are shown: the first of that order (256)")
    parser.add_argument(
        "--swap", metavar="I,J", help="instead, two samples of the split by their numbers, from 0"
    )
    parser.add_argument("--steps", type=int, help=f"of a swap, both ends included ({_STEPS})")
    parser.add_argument("--columns", type=int, help="images in a row of the sheet; about the square root")
    parser.add_argument(
        "--out",
        type=Path,
        help="F.png, F.webp, F.jpg: images; F.csv: code, count, share; F.npz: images uint8 [M, H, W, C], "
        "codes and counts int64 [M]; of a swap images [rows, S, H, W, C] and indices [rows, S, levels, ...]",
    )
    add_scale(parser)
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args(list(argv))
    pair = _check(arguments)
    folder, allow = named_run(arguments)
    split, level = arguments.split, arguments.level or 1
    name = f"codes-{split}-level{level}" if pair is None else f"codes-{split}-swap-{pair[0]}-{pair[1]}"
    out = arguments.out or folder.path / f"{name}.png"
    check_out(out, (*IMAGES, ".npz", *([".csv"] if pair is None else [])))
    if out.suffix == ".csv":
        rule = "is of images, and --out is a table; leave it out"
        require(arguments.scale is None, "--scale", arguments.scale, rule)
    check_scale(arguments.scale, out.suffix)

    from ganvas.model.interface import has_codes
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not has_codes(model):
        raise NEEDS["codes"].refusal(folder)
    if pair is None:
        _write_sheet(model, data, arguments, out)
    else:
        _write_swap(model, data, arguments, pair, out)
    return 0


def _check(arguments: argparse.Namespace) -> tuple[int, int] | None:
    """The samples that swap codes; raises OptionError where options do not fit each other or their ranges."""
    for name in ("num", "level", "most", "columns", "batch_size"):
        check_num(getattr(arguments, name), f"--{name.replace('_', '-')}")
    if arguments.swap is None:
        require(arguments.steps is None, "--steps", arguments.steps, "is of --swap; leave it out")
        return None
    for name in (*_USUAL, "columns"):
        value = getattr(arguments, name)
        require(value is None, f"--{name}", value, "is of the sheet of codes, not of --swap; leave it out")
    steps = arguments.steps
    fits = steps is None or 2 <= steps <= _MOST_STEPS
    require(fits, "--steps", steps, f"must be from 2 to {_MOST_STEPS}; leave the option out for {_STEPS}")
    words = arguments.swap.split(",")
    rule = "must be two numbers of samples from 0, as in 3,8"
    require(len(words) == 2, "--swap", arguments.swap, rule)
    first, second = (whole_number(word, "--swap") for word in words)
    require(first >= 0 and second >= 0, "--swap", arguments.swap, rule)
    return first, second


def _write_sheet(model: Any, data: Any, arguments: argparse.Namespace, out: Path) -> None:
    from ganvas.callback.drawing.codes import Codes, decode_codes, measure_use
    from ganvas.cli.trained.files.save import save_samples
    from ganvas.functional.code_choice import by_use, first_by_index
    from ganvas.functional.code_usage import usage
    from ganvas.functional.memory import require_memory

    wanted: dict[str, Any] = {name: getattr(arguments, name) or usual for name, usual in _USUAL.items()}
    level, sizes = wanted["level"], model.codebook_sizes
    levels = f"has {len(sizes)} levels of codes" if len(sizes) > 1 else "has one level of codes"
    require(level <= len(sizes), "--level", level, f"the run {levels}; take one from 1 to {len(sizes)}")
    there = check_split(data, arguments.split, wanted["num"])
    num = min(there, wanted["num"])
    if arguments.num is not None and arguments.num > there:
        raise OptionError("--num", arguments.num, f"the {arguments.split} split holds {there}; ask for fewer")
    shown = min(wanted["most"], sizes[level - 1])
    values = shown * math.prod(data.sample_shape)
    require_memory("--most", wanted["most"], 2 * 4 * values, f"{shown:,} images of {list(data.sample_shape)}")
    check_scalable(arguments.scale, data.modality, data.sample_shape, shown)
    batches = data.batches(arguments.split, arguments.batch_size, num)
    with _encoding(arguments):
        use = measure_use(Codes(model), batches, model.device)
    counts = use.counts[level - 1]
    codes, number = (by_use if wanted["sort"] == "usage" else first_by_index)(counts, shown)
    numbers = {name: value.item() for name, value in usage(counts).items()}
    where = f"level {level} of {len(sizes)}: " if len(sizes) > 1 else ""
    used = f"{numbers['codes_used']:.0f} of {sizes[level - 1]:,} codes in use"
    of = f"by {num:,} {arguments.split} samples"
    told = f"{where}{used} {of}, perplexity {numbers['perplexity']:.1f}; {shown:,} shown"
    if out.suffix == ".csv":
        say(told)
        share = (number / counts.sum().item()).tolist()
        with writing(out):
            write_text(out, as_csv(("code", "count", "share"), zip(codes.tolist(), number.tolist(), share)))
        say(out)
        return
    made = decode_codes(Codes(model), use, level - 1, codes, batch_size=arguments.batch_size).x
    say(told)
    kind, columns = data.modality, arguments.columns
    others = {"codes": codes, "counts": number}
    save_samples(
        out,
        kind,
        {kind.plural: made},
        lambda: kind.draw(made, columns=columns, scale=arguments.scale),
        others,
    )


def _write_swap(
    model: Any, data: Any, arguments: argparse.Namespace, pair: tuple[int, int], out: Path
) -> None:
    import torch

    from ganvas.callback.drawing.codes import Codes
    from ganvas.cli.trained.files.save import save_samples
    from ganvas.functional.code_choice import swap_levels, swap_positions

    there = check_split(data, arguments.split, 1)
    rule = f"the {arguments.split} split holds {there} samples; take numbers from 0 to {there - 1}"
    require(max(pair) < there, "--swap", arguments.swap, rule)
    steps, codes = arguments.steps or _STEPS, Codes(model)
    check_scalable(
        arguments.scale, data.modality, data.sample_shape, steps * (2 if codes.num_cuts > 1 else 1)
    )
    x = torch.stack([_sample(data, arguments.split, number) for number in pair])
    with _encoding(arguments):
        found = codes.encode(x.to(model.device))
    own, other = (tuple(size[i] for size in found) for i in range(2))  # [levels, *positions] each
    rows = [tuple(swap_positions(*sizes, steps) for sizes in zip(own, other, strict=True))]
    if codes.num_cuts > 1:
        rows.append(swap_levels(own, other, steps, cut=codes.cut, num_cuts=codes.num_cuts))
    indices = tuple(torch.stack(size) for size in zip(*rows, strict=True))  # [rows, S, levels, *positions]
    parts = zip(*(size.flatten(0, 1).split(arguments.batch_size) for size in indices), strict=True)
    made = torch.cat([codes.decode(part).cpu() for part in parts]).unflatten(0, (len(rows), steps))
    kind = data.modality
    sheet = {kind.plural: made}
    save_samples(out, kind, sheet, lambda: kind.draw_rows(made, scale=arguments.scale), _by_name(indices))


def _by_name(indices: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Codes of one size as ``indices``; of several, [rows, S, *positions] of every level by its number."""
    if len(indices) == 1:
        return {"indices": indices[0]}
    every = [level for size in indices for level in size.unbind(2)]
    return {f"indices_level_{number}": level for number, level in enumerate(every, 1)}


@contextmanager
def _encoding(arguments: argparse.Namespace) -> Iterator[None]:
    """Makes one line of what an encoder does that makes numbers of samples that are not finite."""
    try:
        yield
    except OptionError:
        raise
    except ValueError as error:
        reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
        raise OptionError("RUN", arguments.run, reason) from error


def _sample(data: Any, split: str, number: int) -> Tensor:
    """One sample of a split, [...]."""
    for batch in data.batches(split, 256, number + 1):
        if number < len(batch.x):
            found: Tensor = batch.x[number]
            return found
        number -= len(batch.x)
    raise AssertionError("the split holds it")
