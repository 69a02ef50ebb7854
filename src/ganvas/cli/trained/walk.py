"""``ganvas walk RUN``: a round trip through latents as an animation (.gif, .png or .webp)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import check_num, check_out, check_sheet, named_run, writing
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
from ganvas.files.text import say


def run(argv: Sequence[str]) -> int:
    """Each image of a grid walks through ``--stops`` latents on arcs (slerp) and back to its first.

    At stop j the grid is ``ganvas sample``'s of samples j * num to (j + 1) * num - 1; where the generator has
    classes, each image keeps the class of its first stop, or the one that ``--label`` gives it.
    """
    parser = generator_parser("walk", __doc__, 9, "images that walk side by side")
    parser.add_argument("--stops", type=int, default=4, help="latents on a walk (4)")
    parser.add_argument(
        "--frames", type=int, default=60, help="of the whole round; a multiple of --stops (60)"
    )
    parser.add_argument("--fps", type=int, default=20, help="frames a second, at most 50 (20)")
    parser.add_argument("--columns", type=int, help="images in a row; a square without")
    parser.add_argument("--out", type=Path, help="F.gif, or F.png, F.webp with exact colours")
    add_label(parser, "images")
    add_scale(parser)
    arguments = parser.parse_args(list(argv))
    check_common(arguments)
    num, stops, frames = arguments.num, arguments.stops, arguments.frames
    require(stops >= 2, "--stops", stops, "must be at least 2; leave the option out for 4")
    near = max(1, round(frames / stops)) * stops
    rule = f"must be a multiple of the {stops} stops, so that each is a frame; {near}"
    require(frames == near, "--frames", frames, rule)
    check_num(arguments.columns, "--columns")
    folder, allow = named_run(arguments)
    out = arguments.out or folder.path / f"walk-{num}-seed{arguments.seed}.gif"
    from ganvas.modality.drawing.animation import ANIMATIONS, check_fps, save_animation

    check_out(out, ANIMATIONS)
    check_scale(arguments.scale, out.suffix)

    check_fps(arguments.fps, "--fps")
    model, data = load_generator(folder, allow, arguments.command)

    from ganvas.functional.slerp import closed_walk

    check_memory(model, arguments, num * frames)
    label = labels_of(arguments, model, data, "images")
    columns = arguments.columns
    if columns is None and arguments.label is not None and label is not None:
        columns = -(-num // len(label.unique()))  # a row a class
    latents = model.latents(stops * num, arguments.seed, truncation=arguments.truncation).cpu()
    z = closed_walk(latents.unflatten(0, (stops, num)), frames)  # [frames, N, D]
    classes = None if label is None else label.repeat(frames)
    made = generate(model, z.flatten(0, 1).to(model.device), classes, arguments).unflatten(0, (frames, num))
    check_scalable(arguments.scale, data.modality, made.shape[2:], frames * num)
    drawn = data.modality.draw_walk(made, columns=columns, scale=arguments.scale)
    check_sheet(out, drawn[0])
    with writing(out):
        save_animation(out, drawn, fps=arguments.fps)
    say(out)
    return 0
