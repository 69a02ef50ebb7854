"""``ganvas.evaluate``: the metrics of a run with their protocol, as ``ganvas evaluate`` computes them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

from ganvas.api.loading import code_of
from ganvas.api.run import Run
from ganvas.api.state import call
from ganvas.cli.trained.evaluate import evaluate as evaluate_run
from ganvas.cli.trained.evaluate import evaluate_parser
from ganvas.errors import require

_SPLITS = ("train", "val", "test")


@call
def evaluate(
    run: str | os.PathLike[str],
    *,
    metrics: Sequence[str] = (),
    features: str | None = None,
    overrides: Sequence[str] = (),
    split: str = "test",
    num: int | None = None,
    num_real: int | None = None,
    seed: int | None = None,
    raw: bool | None = None,
    truncation: float | None = None,
    floor: bool = False,
    batch_size: int = 256,
    output_dir: str | os.PathLike[str] = "outputs",
    config_dir: str | os.PathLike[str] | None = None,
    allow_imports: Sequence[str] = (),
    allow_places: bool = False,
) -> dict[str, Any]:
    """Evaluates a run, and appends metrics and protocol to its evaluations.jsonl (not with ``floor``).

    Where that file cannot be written, a RuntimeWarning says so, and the metrics are returned all the same.

    Args:
        run: a :class:`Run`, its folder, the unique beginning of its name, ``latest`` or ``latest:KIND``.
        metrics: names of metrics of samples, e.g. ``["fid", "kid"]``; none takes those of the run's config.
        features: what they look at, e.g. ``pixels`` or ``classifier``; None takes that of the run's config.
        overrides: further choices, e.g. ``["metric/perceptual=lpips"]``.
        split: of the data: ``train``, ``val`` or ``test``.
        num: generated samples (None: 10,000), or samples of the split of a VQ-VAE (None: all).
        num_real: real samples at most; None takes the whole split.
        seed: of the latents; None is 0.
        raw: the trained weights instead of their average; None goes by the run's ``weights``.
        truncation: largest latent value; None does not cut.
        floor: training samples in the place of generated ones.
        batch_size: samples at a time.
        output_dir: where runs are looked for by name.
        config_dir: the folder of your own config groups.
        allow_imports: modules of your own that the run may name.
        allow_places: it is your own run: folders to be written and addresses that it names may lie anywhere.

    Returns:
        ``run`` (its name), ``metrics`` (name -> value, None where it is not finite) and ``protocol``.

    Raises:
        OptionError: an argument, or metrics that do not fit the run.
    """
    require(split in _SPLITS, "split", split, f"must be one of {', '.join(_SPLITS)}")
    for name, words in (("metrics", metrics), ("overrides", overrides)):
        require(not isinstance(words, str), name, words, f'must be a list, e.g. ["{words}"]')
    groups, allow = code_of(run, config_dir, allow_imports)
    if raw is None:
        raw = isinstance(run, Run) and run.weights == "raw"
    arguments = evaluate_parser().parse_args([os.fspath(run)])
    vars(arguments).update(
        overrides=list(overrides),
        metrics=list(metrics) or None,
        features=features,
        split=split,
        num=num,
        num_real=num_real,
        seed=seed,
        raw=raw,
        truncation=truncation,
        floor=floor,
        batch_size=batch_size,
        output_dir=os.fspath(output_dir),
        config_dir=groups,
        allow_imports=allow,
        allow_places=allow_places or (isinstance(run, Run) and run.allows_places),
    )
    found = evaluate_run(arguments)
    try:
        found.record()
    except OSError as error:
        warnings.warn(f"{found.rows} cannot be written ({error.strerror})", RuntimeWarning, stacklevel=2)
    return found.result
