"""The model card of an exported folder: README.md, with the YAML in front that huggingface_hub reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganvas.files.plain import dump_plain

_UNCONDITIONAL = "unconditional-image-generation"


def card(
    facts: Mapping[str, Any],
    evaluations: Sequence[Mapping[str, Any]],
    *,
    license: str,
    name: str,
    picture: str | None,
) -> str:
    """The text of README.md.

    Args:
        facts: of :func:`ganvas.exporting.write.describe`.
        evaluations: rows of evaluations.jsonl, oldest first; the newest is what the card reports.
        license: of the weights, a word of the hub's list.
        name: of the run.
        picture: a file beside it that shows samples.
    """
    newest = evaluations[-1] if evaluations else {"metrics": {}, "protocol": {}}
    metrics = {key: value for key, value in newest["metrics"].items() if _is_number(value)}
    data = str(facts["data"]["name"])
    shape = list(facts["data"].get("splits", {}).get("train", {}).get("shape", []))
    generates = len(shape) == 3 and facts["recipe"] not in ("VQVAE", "VQVAE2", "VQGAN", "Classifier")
    head: dict[str, Any] = {
        "license": license,
        "library_name": "ganvas",
        "tags": ["ganvas", str(facts["recipe"]).lower(), data.lower()],
        **({"pipeline_tag": _UNCONDITIONAL} if generates else {}),
        **({"metrics": sorted(metrics)} if metrics else {}),
    }
    seen = f"{facts['examples_seen']:,}"
    lines = [
        f"# {name}",
        "",
        f"The recipe {facts['recipe']} of ganvas {facts['ganvas']}, trained on {data} for {seen} examples.",
        "",
    ]
    if picture:
        lines += [f"![samples]({picture})", ""]
    lines += ["## Use", "", "```python", "import ganvas", "", 'run = ganvas.load("this folder")']
    lines += [_call(str(facts["recipe"])), "```", "", "## Data", "", *_data(facts, data, shape), ""]
    lines += ["## Metrics", "", *_metrics(metrics, newest), ""]
    lines += ["## Files", ""]
    lines += [
        "`model.safetensors`: the weights of all networks and of their averages, without a pickle; "
        "its sha256 is in `model.safetensors.sha256` and `config.json`, and is checked when it is loaded.",
        "`config.json`: the networks' options; `run.yaml`: the whole config of the training.",
        "",
        f"License of the weights: {license}.",
    ]
    return f"---\n{dump_plain(head)}---\n\n" + "\n".join(lines) + "\n"


def _call(recipe: str) -> str:
    if recipe == "Classifier":
        return "found = run.model.classify(x)  # logits and features of x float32 [N, ...] in [-1, 1]"
    if recipe == "TextVQVAE":
        return "found = run.reconstruct(x)  # x int64 [N, T], numbers of symbols"
    if recipe in ("VQVAE", "VQVAE2", "VQGAN"):
        return "found = run.reconstruct(x)  # x float32 [N, ...] in [-1, 1]"
    return "samples = run.sample(16, seed=1)  # float32 [16, ...] in [-1, 1]"


def _data(facts: Mapping[str, Any], data: str, shape: Sequence[Any]) -> list[str]:
    splits = facts["data"].get("splits", {})
    counts = ", ".join(f"{key} {value['count']:,}" for key, value in splits.items())
    lines = [f"{data}{f' ({counts})' if counts else ''}, samples {list(shape)}: {facts['normalization']}."]
    if facts["class_names"]:
        lines.append(
            "Classes: " + ", ".join(f"{i} {one}" for i, one in enumerate(facts["class_names"])) + "."
        )
    elif facts["num_classes"]:
        lines.append(f"Classes: {facts['num_classes']}.")
    return lines


def _metrics(metrics: Mapping[str, float], newest: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return ["None were measured."]
    rows = [f"| {key} | {value:.6g} |" for key, value in sorted(metrics.items())]
    protocol = json.dumps(newest["protocol"], indent=2)
    told = f"Measured at {newest['examples']:,} examples, by this protocol:"
    return ["| metric | value |", "|---|---|", *rows, "", told, "", "```json", protocol, "```"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
