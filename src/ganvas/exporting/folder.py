"""A folder to hand on: weights, config and model card, without a pickle; it is a RUN, and a model of the hub.

``model.safetensors``, ``config.json`` and ``README.md`` are the names that huggingface_hub's
``save_pretrained``, ``from_pretrained`` and ``upload_folder`` go by; run.yaml and status.json make it a RUN.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from ganvas.callback.writing.rows import is_evaluation, read_rows
from ganvas.errors import OptionError
from ganvas.exporting.card import card
from ganvas.exporting.programs import samples
from ganvas.exporting.write import describe
from ganvas.files.plain import dump_plain
from ganvas.files.write import Workshop, new_folder
from ganvas.modality.drawing.files import save_into, to_image
from ganvas.model.interface import DrawsCodes, Reconstructs, Samples
from ganvas.model.latent_generator import LatentGenerator
from ganvas.model.symbols import Symbols
from ganvas.run.checkpoint.weights_file import weights_file
from ganvas.run.folder.run_folder import TOKENIZER, WEIGHTS, RunFolder
from ganvas.version import __version__

PICTURE = "samples.png"
_TOLD = ("version", "choices", "created", "git", "python", "packages", "environment")  # of run.yaml's ganvas
_STATUS = ("state", "examples_seen", "seconds", "started", "metrics", "protocols", "abilities", "choices")
_PICTURES = 16


def write_folder(
    out: Path, run: RunFolder, model: Any, data: Any, record: dict[str, Any], *, license: str
) -> None:
    """Writes a run as such a folder, all of it or nothing; a prior's holds its tokenizer.

    What run.yaml says of the machine (its name, folders, the command line) stays behind: of a folder on it
    the name alone is kept.

    Args:
        run: the folder that the rest was read from.
        model, data, record: see ``ganvas.run.load.load_run``.
        license: of the weights, a word of the hub's list, e.g. ``apache-2.0``.

    Raises:
        OSError: the folder cannot be written.
    """
    facts = describe(model, data, record)
    picture = _picture(model, data)
    rows = [row for row in read_rows(run.path / "evaluations.jsonl") if is_evaluation(row)]
    with new_folder(out) as place:
        _write_run(place, "", run, model, facts)
        tokenizer = getattr(model, "tokenizer", None)
        if isinstance(model, LatentGenerator) and model.space is not None:
            tokenizer = model.space.tokenizer
        if tokenizer is not None and not isinstance(tokenizer, Symbols):
            own = RunFolder(Path(tokenizer.place))
            told = describe(tokenizer.recipe, tokenizer.data, own.read_run())
            _write_run(place, f"{TOKENIZER}/", own, tokenizer.recipe, told)
        if picture is not None:
            place.write(PICTURE, picture)
        text = card(
            facts,
            rows,
            license=license,
            name=run.path.resolve().name,
            picture=None if picture is None else PICTURE,
        )
        place.write("README.md", text.encode())


def _write_run(place: Workshop, under: str, run: RunFolder, model: Any, facts: dict[str, Any]) -> None:
    record, status = run.read_run(), run.read_status()
    content = weights_file(model, __version__)
    sha256 = hashlib.sha256(content).hexdigest()
    told = record["ganvas"] if isinstance(record.get("ganvas"), dict) else {}
    config = _without_places(record["config"])
    if config["data"].get("tokenizer") is not None and not _is_of_symbols(model):
        config["data"]["tokenizer"] = TOKENIZER
    kept = {"ganvas": {key: told[key] for key in _TOLD if key in told}, "config": config}
    run_yaml = dump_plain(kept).encode()
    noted = {key: status[key] for key in _STATUS if key in status} | {"run_yaml_bytes": len(run_yaml)}
    described = {"library_name": "ganvas"} | facts | {"sha256": {WEIGHTS: sha256}, "model": config["model"]}
    for name, bytes_ in {
        WEIGHTS: content,
        f"{WEIGHTS}.sha256": f"{sha256}  {WEIGHTS}\n".encode(),
        "run.yaml": run_yaml,
        "status.json": _json(noted),
        "config.json": _json(described),
    }.items():
        place.write(f"{under}{name}", bytes_)
    evaluations = [row for row in read_rows(run.path / "evaluations.jsonl") if is_evaluation(row)]
    if evaluations:
        lines = "".join(json.dumps(_without_places(row)) + "\n" for row in evaluations)
        place.write(f"{under}evaluations.jsonl", lines.encode())


def _is_of_symbols(model: Any) -> bool:
    """Whether a tokenizer in its data is one of texts, a file, and no run."""
    return isinstance(getattr(model, "tokenizer", None), Symbols)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _without_places(tree: Any) -> Any:
    """A copy in which of each absolute path the last name alone is left."""
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_without_places(value) for value in tree]
    if isinstance(tree, str) and tree.startswith(("/", "~")):
        return f"./{Path(tree).name}"
    return tree


def _picture(model: Any, data: Any) -> bytes | None:
    """A PNG of samples, or of test samples and reconstructions; None where there is nothing to be seen."""
    if isinstance(model, Samples):
        image = data.modality.draw(model.sample(_PICTURES, 1)) if data.modality.has_pictures else None
    elif isinstance(model, Reconstructs) and not isinstance(model, DrawsCodes):
        try:
            x = samples(data, _PICTURES // 2)
        except (OptionError, OSError):  # the data are not there
            return None
        made = model.reconstruct(x.to(model.device)).x  # type: ignore[attr-defined]
        image = data.modality.draw_pairs(x, made) if data.modality.has_pictures else None
    else:
        image = None
    if image is None:
        return None
    file = io.BytesIO()
    save_into(file, ".png", to_image(image))
    return file.getvalue()
