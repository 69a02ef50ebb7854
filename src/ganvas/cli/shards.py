"""``ganvas shards data=... --out DIR``: any data set's images as .tar shards, for ``data=webdataset``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganvas.cli.arguments import Parser, add_own_code, check_new_folder, modules_and_overrides
from ganvas.cli.compose.folders import user_modules
from ganvas.errors import OptionError, require
from ganvas.files.text import say

_EPILOG = """examples:
  ganvas shards data=image_folder data.root=images data.image_size=64 --out shards
  ganvas train data=webdataset data.root=shards data.native_size=64

OVERRIDE is as in ganvas train; every split is written, at data.image_size, as PNG and .cls.
"""


def run(argv: Sequence[str]) -> int:
    """Composes the data, reads them and writes the shards."""
    import argparse

    parser = Parser(
        prog="ganvas shards",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="e.g. data=cifar10")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--images-per-shard", type=int, default=10_000, help="(10000)")
    add_own_code(parser)
    arguments = parser.parse_args(list(argv))
    modules, more = modules_and_overrides(arguments.allow_imports)
    check_new_folder(arguments.out)

    from ganvas.cli.compose.experiment import compose
    from ganvas.cli.compose.refuse_unread import check_hydra_overrides, refuse, written_unread
    from ganvas.data.datamodule import TensorDataModule
    from ganvas.data.shard.writer import write_shards
    from ganvas.run.config.build import build, check_targets
    from ganvas.run.folder.train_log import data_notes
    from ganvas.run.prepare import error_prefix

    words = [*arguments.overrides, *more]
    check_hydra_overrides(words, is_sweep=False)
    composed = compose(words, config_dir=arguments.config_dir)
    for key in written_unread(composed, roots=("data", "allow_imports")):
        refuse(key, composed)
    try:
        node = composed.config["data"]
        allowed = [*composed.allow_imports, *modules, *user_modules(arguments.config_dir)]
        check_targets({"data": node}, allowed)
        if "batch_size" in node:
            node = {**node, "batch_size": 1}  # shards have no batches: few images are no fault here
        data = build(node, "data")
        kind = isinstance(data, TensorDataModule)
        require(kind, "data._target_", node.get("_target_"), "is no data that can be read by rows")
        with error_prefix("data"), data_notes():
            data.prepare()
        written = write_shards(data, arguments.out, images_per_shard=arguments.images_per_shard)
    except OptionError as error:
        raise composed.named_as_written(error) from error
    say(f"{arguments.out}: " + ", ".join(f"{count} {name}" for name, count in written.items()) + " shards")
    return 0
