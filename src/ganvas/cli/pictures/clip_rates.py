"""``ganvas plot --rate-distortion`` of runs on samples without pixels: bits against the modality's distances.

Bits are told by the modality's first unit, of sounds kbit/s, and sounds lie beside Opus and Vorbis.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ganvas.cli.arguments import writing
from ganvas.cli.terminal import print_table
from ganvas.errors import OptionError, require
from ganvas.files.text import as_csv, say
from ganvas.files.write import write_text

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.functional.batch import DataFacts
    from ganvas.metric.rate_distortion.sound_codecs import ClipPoint
    from ganvas.modality.interface import Modality

_BATCH = 64


class ClipCurve(NamedTuple):
    """Points of a run or a format.

    Attributes:
        name: for people.
        kind: ``run`` or ``format``.
        points: from few bits to many.
    """

    name: str
    kind: str
    points: Sequence[ClipPoint]


def wholes_of(data: Any, split: str, num: int | None) -> list[Tensor]:
    """The first of a split, whole, as they are stored, [..., T] each."""
    return [data.modality.to_stored(batch.x)[0] for batch in data.wholes(split, 1, num)]


class Understood:
    """STOI of whole sounds beside what else is measured; a mean over sounds, those without a value left out.

    Args:
        facts: of the data; None: nothing is measured.

    Raises:
        OptionError: ``--stoi``: these samples have none, or pystoi is missing.
    """

    def __init__(self, facts: DataFacts | None) -> None:
        self._metric: Any = None
        if facts is None:
            return
        from ganvas.metric.perceptual.stoi import STOI

        self._metric, self._modality = STOI(), cast("Modality", facts.modality)
        try:
            self._metric.check(facts)
        except OptionError as error:
            reason = error.reason.replace("metric/perceptual=none leaves it out", "leave it out")
            raise OptionError("--stoi", True, reason) from error

    def take(self, clip: Tensor, made: Tensor) -> None:
        """A sound int16 [C, T], and what became of it."""
        if self._metric is None:
            return
        x, y = (self._modality.to_model(side[None].cpu()) for side in (clip, made))
        self._metric.update(original=x, reconstruction=y)

    def values(self) -> dict[str, float]:
        if self._metric is None:
            return {}
        value = float(self._metric.compute()["stoi"])
        rule = "is of speech, and none of these sounds holds 0.4 seconds of it; leave it out"
        require(not math.isnan(value), "--stoi", True, rule)
        return {"stoi": value}


def curve_of(
    recipe: Any, data: Any, place: Path, name: str, clips: Sequence[Tensor], *, stoi: bool = False
) -> ClipCurve:
    """A run's points: for each number of first levels its codes at fixed length; of a prior also under it.

    The recipe's networks become float64 ones, in place.

    Args:
        stoi: measures it too.
    """
    import torch

    from ganvas.cli.trained.coded.clips import code_clips
    from ganvas.cli.trained.coded.model import CodedModel
    from ganvas.metric.rate_distortion.codes import FIXED
    from ganvas.metric.rate_distortion.sound_codecs import ClipPoint

    model, points = CodedModel(recipe, data, place), []
    _, whole = unit_of(model.modality, clips)
    for levels in [model.num_levels] if model.has_prior else range(1, model.num_levels + 1):
        understood = Understood(data.facts() if stoi else None)
        coded = code_clips(model, clips, levels=levels, batch_size=_BATCH, also=understood.take)
        distances = coded.means() | understood.values()
        if model.has_prior:
            bits = 0.0
            for start in range(0, len(coded.codes), _BATCH):
                part = coded.codes[start : start + _BATCH].to(recipe.device)
                with torch.no_grad():
                    bits += math.fsum(recipe.bits(part, None, start=start).tolist())
            points.append(ClipPoint("under the prior", bits / whole, distances))
        fixed = len(coded.codes) * model.layouts[levels - 1].bits
        setting = FIXED if model.num_levels == 1 or model.has_prior else f"levels={levels}"
        points.append(ClipPoint(setting, fixed / whole, distances))
    return ClipCurve(name, "run", points)


def unit_of(modality: Modality, clips: Sequence[Tensor]) -> tuple[str, float]:
    """The name of the unit that bits are told by, and how many of it all clips are."""
    length = sum(one.shape[-1] for one in clips)
    units = modality.units([*clips[0].shape[:-1], length])
    return next(iter(units.items()), (f"bits_per_{modality.name}", float(len(clips))))


def formats_of(facts: DataFacts, clips: Sequence[Tensor], *, stoi: bool = False) -> list[ClipCurve]:
    """Of sounds the formats that take this rate, the others are told; of other kinds none.

    Args:
        facts: of the data.
        stoi: measures it too.
    """
    from ganvas.metric.rate_distortion.sound_codecs import CODECS, ClipPoint, measure
    from ganvas.modality.sound import Sound

    modality, curves = facts.modality, list[ClipCurve]()
    if not isinstance(modality, Sound):
        return curves
    for codec in CODECS:
        if codec.rates is not None and modality.rate not in codec.rates:
            say(f"{codec.name}: takes no sounds of {modality.rate:,} Hz; left out", error=True)
            continue
        points = []
        for level in codec.levels:
            understood = Understood(facts if stoi else None)
            point = measure(clips, modality, codec, level, understood.take)
            points.append(ClipPoint(point.setting, point.bits, point.distances | understood.values()))
        curves.append(ClipCurve(codec.name, "format", points))
    return curves


def tell(
    curves: Sequence[ClipCurve],
    table: Path | None,
    out: Path | None,
    *,
    unit: str,
    title: str,
    data: dict[str, Any],
) -> None:
    """Prints the points, and writes the table's file and the picture.

    Args:
        unit: of the points' bits, e.g. ``kilobits_per_second``.
    """
    names = list(curves[0].points[0].distances)
    told = "kbit/s" if unit == "kilobits_per_second" else unit.replace("_", " ")
    rows = [
        (curve.name, curve.kind, point.setting, point.bits, *(point.distances[one] for one in names))
        for curve in curves
        for point in curve.points
    ]
    shown = [
        [
            curve.name,
            point.setting,
            f"{point.bits:.3f}",
            *(f"{point.distances[one]:.3f}" for one in names),
        ]
        for curve in curves
        for point in curve.points
    ]
    print_table(("", "setting", told, *names), shown, fold=True)
    if table is not None:
        columns = ("curve", "kind", "setting", unit, *names)
        if table.suffix == ".csv":
            text = as_csv(columns, rows)
        else:
            how = "means over whole files, weighted by length (stoi: each file once); formats: a file each, "
            how += "every byte counted"
            points = [dict(zip(columns, row, strict=True)) for row in rows]
            text = json.dumps({"data": data, "distances": how, "points": points}, indent=1) + "\n"
        with writing(table, "--table"):
            write_text(table, text)
        say(table)
    if out is not None:
        from ganvas.compare.show.rate_distortion import DistanceCurve, draw_distances

        lines = [
            DistanceCurve(
                curve.name,
                curve.kind == "run",
                [point.bits for point in curve.points],
                {name: [point.distances[name] for point in curve.points] for name in names},
            )
            for curve in curves
        ]
        with writing(out):
            draw_distances(lines, out, unit=told, title=title)
        say(out)
