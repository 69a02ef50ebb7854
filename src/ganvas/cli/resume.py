"""``ganvas resume RUN [overrides]``: continue in the run's own folder from its newest valid checkpoint."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ganvas.errors import OptionError


def run(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="ganvas resume", description=__doc__)
    parser.add_argument("run", help="a run's folder, the unique beginning of its name, or latest")
    parser.add_argument("overrides", nargs="*", help="keys to change, e.g. trainer.max_images=2000000")
    parser.add_argument("--output-dir", default="outputs", help="where runs are looked for")
    parser.add_argument("--config-dir", "-cd", help="where your own parts lie")
    arguments = parser.parse_args(list(words))
    return resume(arguments.run, arguments.overrides, Path(arguments.output_dir), arguments.config_dir)


def resume(name: str, overrides: Sequence[str], output_dir: Path, config_dir: str | None = None) -> int:
    """Continues a run; its stored config with ``overrides`` on existing keys.

    Raises:
        OptionError: no such run, or no valid checkpoint in it.
    """
    from ganvas.cli.train import _own_modules, report
    from ganvas.runtime.run_folder import find_run

    folder = find_run(name, output_dir)
    if folder.newest_checkpoint() is None:
        raise OptionError("RUN", folder.path, "holds no valid checkpoint to resume from; train anew")
    run = folder.read_run()
    config = run["config"]
    for override in overrides:
        _override(config, override)
    config["paths"]["run_dir"] = str(folder.path)
    if config_dir is not None:
        from ganvas.cli.compose import make_importable

        make_importable(Path(config_dir).resolve())
    # Only what the user allows on this command line counts: the run's own word is data.
    config["allow_imports"] = _own_modules(config_dir)
    from ganvas.runtime.life import train

    os.environ["GANVAS_RESUME"] = "1"  # read by the ranks that Lightning starts
    try:
        return report(train(run, resume=folder))
    finally:
        os.environ.pop("GANVAS_RESUME", None)


def _override(config: dict, override: str) -> None:
    import yaml

    from ganvas.runtime.build import nearest

    key, sign, value = override.partition("=")
    *path, last = key.split(".")
    node = config
    for part in [*path, last]:
        if not sign or not isinstance(node, dict) or part not in node:
            known = list(node) if isinstance(node, dict) else []
            raise OptionError(key, value, "is no key of this run's config" + nearest(part, known))
        parent, node = node, node[part]
    parent[last] = yaml.safe_load(value)
