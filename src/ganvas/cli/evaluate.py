"""``ganvas evaluate RUN``: the figures of a run, with the protocol that makes them comparable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ganvas.cli.arguments import check_num, check_split, named_run, run_parser
from ganvas.errors import OptionError


def run(words: Sequence[str]) -> int:
    """Evaluates, prints, and appends to <run>/evaluations.jsonl."""
    parser = run_parser("evaluate", __doc__)
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument(
        "--num", type=int, default=10_000, help="generated samples (GANs); at most so many real ones"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--features", default="pixels", help="conf/metric/features: pixels, efficientnet_lite0 ..."
    )
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights instead of their average (EMA)"
    )
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    arguments = parser.parse_args(list(words))
    check_num(arguments.num)
    check_num(arguments.batch_size, "--batch-size")
    folder, allow = named_run(arguments)
    features = _features(arguments.features)

    from ganvas.callback.rows import Rows
    from ganvas.metric.evaluate import evaluate_reconstruction, evaluate_samples
    from ganvas.model.interface import Reconstructs, Samples
    from ganvas.runtime.load import load_run

    model, data, _ = load_run(folder, allow=allow)
    check_split(data, arguments.split, arguments.num, needed=2)  # a covariance of features
    batches = data.batches(arguments.split, arguments.batch_size, arguments.num)
    if isinstance(model, Samples):
        metrics, protocol = evaluate_samples(
            model, batches, features, num_samples=arguments.num, seed=arguments.seed,
            batch_size=arguments.batch_size, ema=not arguments.raw, split=arguments.split,
        )  # fmt: skip
    elif isinstance(model, Reconstructs):
        metrics, protocol = evaluate_reconstruction(model, batches, split=arguments.split, features=features)
    else:
        raise OptionError(
            "RUN", folder.path, "neither samples nor reconstructs; there is nothing to evaluate"
        )
    protocol |= {"images_seen": model.images_seen, "data": data.fingerprint()}
    result = {"run": folder.path.name, "metrics": metrics, "protocol": protocol}
    row = {"images": model.images_seen, "source": "evaluate", "figures": metrics, "protocol": protocol}
    Rows(folder.path / "evaluations.jsonl").append(json.loads(json.dumps(row)))
    if arguments.json:
        print(json.dumps(result))
    else:
        _print(result)
    return 0


def _features(name: str) -> Any:
    """The extractor that conf/metric/features/<name>.yaml describes."""
    from ganvas.cli.compose import packaged_conf
    from ganvas.runtime.build import build, nearest

    folder: Path = packaged_conf() / "metric" / "features"
    there = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in there:
        raise OptionError("--features", name, "there is no such extractor" + nearest(name, there))
    return build(yaml.safe_load((folder / f"{name}.yaml").read_text()), "features")


def _print(result: dict[str, Any]) -> None:
    print(result["run"])
    for name, value in sorted(result["metrics"].items()):
        print(f"  {name:20} {value:.6g}")
    print("protocol")
    for name, value in result["protocol"].items():
        print(f"  {name:20} {value}")
