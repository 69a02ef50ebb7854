"""What TensorBoard shows beside images: points as a mesh, what D tells apart, latents with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganvas.callback.drawing.codes import Codes
from ganvas.callback.drawing.projector import write_projector
from ganvas.functional.batch import Batch
from ganvas.modality.drawing.scatter import BLUE, GREY
from ganvas.modality.drawing.sheets import smaller
from ganvas.modality.interface import Modality
from ganvas.model.interface import Discriminates, FromLatents, has_codes

_SIDE = 64  # most pixels of a sprite
_POINT = 0.02  # of the plane from -1 to 1


class Views(NamedTuple):
    """On the CPU; what a recipe cannot give is None.

    Attributes:
        points: real and made points, [N, 2] and [M, 2].
        logits: the discriminator's of real and made samples, [N] and [M], finite.
        vectors: latents [K, D], finite.
        pictures: of each latent, uint8 [K, 1 or 3, H, W].
        table: columns of labels of the latents.
    """

    points: tuple[Tensor, Tensor] | None = None
    logits: tuple[Tensor, Tensor] | None = None
    vectors: Tensor | None = None
    pictures: Tensor | None = None
    table: Mapping[str, Sequence[object]] = {}


@torch.no_grad()
def look(recipe: Any, real: Batch, num: int, seed: int, device: torch.device, modality: Modality) -> Views:
    """The views of now; networks are in eval mode.

    Of a GAN, ``num`` samples of this seed beside the real ones, and their latents; of what encodes, the real
    samples' codes as the decoder gets them, their mean over positions.
    """
    x, label = real.x.to(device), None if real.label is None else real.label.to(device)
    if isinstance(recipe, FromLatents):
        return _of_a_gan(recipe, x, label, num, seed, modality)
    if has_codes(recipe) and modality.has_pictures:
        codes = Codes(recipe)
        try:
            vectors = codes.mean_vectors(codes.encode(x)).float().cpu()
        except ValueError:  # the encoder's numbers are not finite: the run that diverged goes on
            return Views()
        return _finite(Views(vectors=vectors, pictures=modality.pictures(x), table=_labels(len(x), label)))
    return Views()


def _of_a_gan(
    recipe: FromLatents, x: Tensor, label: Tensor | None, num: int, seed: int, modality: Modality
) -> Views:
    z, asked = recipe.latents(num, seed), recipe.sample_labels(num, seed)
    made = recipe.generate(z, asked)
    points = (x.float().cpu(), made.float().cpu()) if modality.together else None
    logits = None
    if isinstance(recipe, Discriminates):
        told = [recipe.discriminate(*side).flatten().float().cpu() for side in ((x, label), (made, asked))]
        logits = told[0], told[1]
    table = _labels(len(made), asked)
    if logits is not None:
        table["logit"] = [round(one, 4) for one in logits[1].tolist()]
    if not modality.has_pictures:
        return _finite(Views(points, logits))
    return _finite(Views(points, logits, z.float().cpu(), modality.pictures(made), table))


def _labels(count: int, label: Tensor | None) -> dict[str, list[Any]]:
    return {"sample": list(range(count)), "class": ["-"] * count if label is None else label.tolist()}


def _finite(views: Views) -> Views:
    """Without what a run that diverged makes."""
    logits, vectors = views.logits, views.vectors
    if logits is not None and not all(bool(one.isfinite().all()) for one in logits):
        views = views._replace(logits=None)
    if vectors is not None and not bool(vectors.isfinite().all()):
        views = views._replace(vectors=None)
    if views.points is not None:
        real, made = (one[one.isfinite().all(1)] for one in views.points)
        views = views._replace(points=(real, made))
    return views


def write_views(writer: Any, logs: Path, views: Views, examples: int) -> None:
    """Writes them to an event file (tabs MESH and PR CURVES) and beside it (tab PROJECTOR, the newest alone).

    The precision-recall curve is the discriminator's as one that finds real samples among as many made ones:
    where it cannot tell them apart, precision is the share of real samples at every recall. It depends on the
    order of the logits alone, whose scale differs between losses; so thresholds are of logits less their
    median, over their spread, squashed into [0, 1]. (Precision and recall of samples against data are one
    point, and scalars.)

    Raises:
        OSError: something cannot be written.
    """
    if views.points is not None:
        real, made = views.points
        flat = torch.cat([real, made])
        vertices = torch.cat([flat, torch.zeros(len(flat), 1)], 1)
        colours = torch.tensor([GREY] * len(real) + [BLUE] * len(made), dtype=torch.uint8)
        look = {"material": {"cls": "PointsMaterial", "size": _POINT}}
        writer.add_mesh("points", vertices[None], colours[None], config_dict=look, global_step=examples)
    if views.logits is not None:
        real, made = views.logits
        both = torch.cat([real, made])
        offset = both - both.median()
        squashed = (offset / offset.abs().mean().clamp(min=1e-12)).sigmoid()
        is_real = torch.cat([torch.ones(len(real)), torch.zeros(len(made))])
        writer.add_pr_curve("discriminator/real_among_generated", is_real, squashed, examples)
    if views.vectors is not None and views.pictures is not None:
        sprites = smaller(views.pictures, _SIDE)
        write_projector(logs, "latents", views.vectors, views.table, sprites)
