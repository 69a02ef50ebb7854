"""``ganvas plot --rate-distortion RUN ...``: bits an image against PSNR, beside image files; of what
has no pixels :mod:`ganvas.cli.pictures.clip_rates`."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ganvas.cli.arguments import check_num, check_out, check_split, writing
from ganvas.cli.compose.folders import check_config_dir, make_importable, user_modules
from ganvas.cli.pictures.clip_rates import ClipCurve, curve_of, formats_of, tell, unit_of, wholes_of
from ganvas.cli.terminal import print_table
from ganvas.errors import OptionError, require
from ganvas.files.text import as_csv, one_line, say
from ganvas.files.write import write_text

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.metric.rate_distortion.point import Point
    from ganvas.run.folder.run_folder import RunFolder

_BATCH = 256
_COLUMNS = ("curve", "kind", "setting", "bits_per_image", "bits_per_pixel", "psnr")


class _Curve(NamedTuple):
    name: str
    kind: str  # run or format
    points: Sequence[Point]


def plot_rates(arguments: argparse.Namespace) -> int:
    """Prints the table, and writes the picture and the table's file.

    All images of the split lie on one sheet for the formats of image files, so that these are not judged by
    their headers.
    """
    split, num = arguments.split or "test", arguments.num
    check_num(num)
    table, out = _places(arguments)

    from ganvas.compare.find import find_runs
    from ganvas.compare.show.plot import require_matplotlib
    from ganvas.run.folder.usable import NEEDS

    if out is not None:
        require_matplotlib(("command", "plot"))
    need = NEEDS["plot --rate-distortion"]
    folders = find_runs(arguments.run, Path(arguments.output_dir), need=need)
    if arguments.config_dir is not None:
        make_importable(check_config_dir(arguments.config_dir))
    allow = [*arguments.allow_imports, *user_modules(arguments.config_dir)]
    images: Tensor | None = None
    seen: tuple[str, dict[str, Any]] | None = None
    curves = []
    of_clips = _Clips(arguments.stoi)
    for found in folders:
        folder = replace(found, allows_places=arguments.allow_places)
        model, data = _load(folder, allow, split, num)
        described = data.describe_split(split, num)
        if seen is not None and described["sha256"] != seen[1]["sha256"]:
            rule = (
                f"its {split} split holds other samples than {seen[0]}'s; draw runs of one data set together"
            )
            raise OptionError("RUN", folder.path, rule)
        seen = seen or (folder.path.name, described)
        if not data.modality.has_pixels:
            of_clips.add(model, data, folder, split, num)
            continue
        rule = f"is of speech, and {folder.path.name} has {data.modality.plural}; leave it out"
        require(not arguments.stoi, "--stoi", True, rule)
        if images is None:
            images = _images(data, split, num)
        curves.append(_Curve(_name(folder), "run", _points(model, data, split, num, folder)))
    assert seen is not None
    if images is None:
        of_clips.tell(split, seen[1], table, out)
        return 0
    curves += _formats(images)
    height, width = images.shape[2:]
    pixels = height * width
    _print(curves, pixels)
    title = f"{len(images):,} {split} images of {seen[1]['name']}, {height} x {width}"
    if table is not None:
        with writing(table, "--table"):
            write_text(table, _as_text(table, curves, pixels, seen[1]))
        say(table)
    if out is not None:
        _draw(curves, out, pixels, title)
        say(out)
    return 0


def _places(arguments: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Where the table goes, and the picture."""
    table = None if arguments.table is None else Path(arguments.table)
    if table is not None:
        check_out(table, (".csv", ".json"), "--table")
    asked = arguments.out or (None if table else "rate_distortion.png")
    out = None if asked is None else Path(asked)
    if out is not None:
        check_out(out, (".png", ".pdf", ".svg"))
    return table, out


class _Clips:
    """Curves of runs on the same samples without pixels."""

    def __init__(self, stoi: bool) -> None:
        self.stoi = stoi
        self.clips: list[Tensor] = []
        self.curves: list[ClipCurve] = []
        self.facts: Any = None

    def add(self, model: Any, data: Any, folder: RunFolder, split: str, num: int | None) -> None:
        self.clips = self.clips or wholes_of(data, split, num)
        self.facts = data.facts()
        curve = curve_of(model, data, folder.path, _name(folder), self.clips, stoi=self.stoi)
        self.curves.append(curve)

    def tell(self, split: str, about: dict[str, Any], table: Path | None, out: Path | None) -> None:
        curves = [*self.curves, *formats_of(self.facts, self.clips, stoi=self.stoi)]
        modality = self.facts.modality
        unit, _ = unit_of(modality, self.clips)
        title = f"{len(self.clips):,} {split} {modality.plural} of {about['name']}"
        tell(curves, table, out, unit=unit, title=title, data=about)


def _load(folder: RunFolder, allow: Sequence[str], split: str, num: int | None) -> tuple[Any, Any]:
    """The recipe, which has codes or a prior over them, and its data.

    Raises:
        OptionError: it has neither, its samples are no images, or the split holds less than ``num``.
    """
    from ganvas.functional.memory import require_memory
    from ganvas.model.interface import DrawsCodes, has_codes
    from ganvas.run.folder.usable import NEEDS
    from ganvas.run.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    if not (has_codes(model) or isinstance(model, DrawsCodes)):
        raise OptionError("RUN", folder.path, NEEDS["plot --rate-distortion"].reason)
    there = check_split(data, split, num or 1)
    if num is not None and num > there:
        raise OptionError("--num", num, f"the {split} split holds {there}; ask for fewer")
    shape = list(data.sample_shape)
    if not data.modality.has_pixels:
        rule = f"of {data.modality.plural} {shape} no distance is known; take another run"
        require(bool(data.modality.measures(shape)), "RUN", folder.path, rule)
        return model, data
    rule = f"its samples have shape {shape}, and files of images have 1 or 3 channels; take another run"
    require(shape[0] in (1, 3), "RUN", folder.path, rule)
    count = num or there
    require_memory("--num", count, 4 * count * math.prod(shape), f"{count:,} images of {shape}")
    return model, data


def _images(data: Any, split: str, num: int | None) -> Tensor:
    """uint8 [N, C, H, W]."""
    import torch

    from ganvas.functional.images import to_uint8

    return torch.cat([to_uint8(batch.x) for batch in data.batches(split, _BATCH, num)])


def _points(model: Any, data: Any, split: str, num: int | None, folder: RunFolder) -> Sequence[Point]:
    from ganvas.callback.drawing.codes import Codes
    from ganvas.metric.rate_distortion.codes import points_of_codes, points_of_prior
    from ganvas.model.interface import DrawsCodes

    batches, device = data.batches(split, _BATCH, num), model.device
    if isinstance(model, DrawsCodes):
        pairs = zip(data.codes(split, _BATCH, num), batches, strict=True)
        return points_of_prior(model, pairs, device)
    try:
        return points_of_codes(Codes(model), batches, device)
    except OptionError:
        raise
    except ValueError as error:
        reason = "its encoder makes numbers that are not finite, which have no codes; take another run"
        raise OptionError("RUN", folder.path, reason) from error


def _formats(images: Tensor) -> list[_Curve]:
    """The formats that the installed Pillow writes; the others are told."""
    from ganvas.metric.rate_distortion.image_codecs import CODECS, is_writable, measure

    curves = []
    for codec in CODECS:
        if is_writable(codec):
            points = [measure(images, how, setting) for setting, how in codec.settings.items()]
            curves.append(_Curve(codec.name, "format", points))
        else:
            say(f"{codec.name}: the Pillow that is installed does not write it; left out", error=True)
    return curves


def _name(folder: RunFolder) -> str:
    """A tokenizer inside a prior's run is told by that run."""
    path = folder.path.resolve()
    return f"{path.parent.name}/{path.name}" if path.name == "tokenizer" else path.name


def _rows(curves: Sequence[_Curve], pixels: int) -> list[tuple[Any, ...]]:
    return [
        (curve.name, curve.kind, point.setting, point.bits, point.bits / pixels, point.psnr)
        for curve in curves
        for point in curve.points
    ]


def _print(curves: Sequence[_Curve], pixels: int) -> None:
    rows = [
        (name, setting, f"{bits:.1f}", f"{of_pixel:.4f}", f"{psnr:.2f}")
        for name, _, setting, bits, of_pixel, psnr in _rows(curves, pixels)
    ]
    print_table(("", "setting", "bits an image", "bits a pixel", "PSNR, dB"), rows, fold=True)


def _as_text(table: Path, curves: Sequence[_Curve], pixels: int, data: dict[str, Any]) -> str:
    rows = _rows(curves, pixels)
    if table.suffix == ".csv":
        return as_csv(_COLUMNS, rows)
    points = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    finite = [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in one.items()
        }
        for one in points
    ]
    how = "of the error pooled over all images, as uint8; formats on sheets of all images, headers shared"
    return json.dumps({"data": data, "psnr": how, "points": finite}, indent=1) + "\n"


def _draw(curves: Sequence[_Curve], out: Path, pixels: int, title: str) -> None:
    from ganvas.compare.show.rate_distortion import RateCurve, draw_rates

    shown = []
    for curve in curves:
        points = [point for point in curve.points if math.isfinite(point.bits) and math.isfinite(point.psnr)]
        if len(points) < len(curve.points):
            left_out = len(curve.points) - len(points)
            say(one_line(f"{curve.name}: {left_out} points are not finite and not drawn"), error=True)
        if points:
            bits, psnr = [point.bits for point in points], [point.psnr for point in points]
            shown.append(RateCurve(curve.name, curve.kind == "run", bits, psnr))
    with writing(out):
        draw_rates(shown, out, pixels=pixels, title=title)
