"""Bits a byte of a run of texts beside xz, zstd and brotli on the same held-out bytes.

    python benchmarks/text_compression.py RUN [--split val]

The others take all windows of the split as one stream, in which each sees all before it; a model sees a
window alone. Bytes that a document's last window repeats are in both. Rows of ids are decoded to bytes first.
"""

from __future__ import annotations

import argparse
import json
import lzma

import brotli
import zstandard

import ganvas
from ganvas.files.text import say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--split", default="val")
    arguments = parser.parse_args()
    run = ganvas.load(arguments.run)
    stored = run.data.split(arguments.split).x
    stream = b"".join(run.data.modality.content(row) for row in stored)
    found = ganvas.evaluate(arguments.run, split=arguments.split)["metrics"]
    rows = {
        "xz -9e": len(lzma.compress(stream, preset=9 | lzma.PRESET_EXTREME)),
        "zstd -19": len(zstandard.ZstdCompressor(level=19).compress(stream)),
        "brotli -q 11": len(brotli.compress(stream, quality=11)),
    }
    say(f"{len(stream):,} bytes of {len(stored):,} windows of {arguments.split}")
    bits = {name: 8 * size / len(stream) for name, size in rows.items()}
    bits |= {name: value for name, value in found.items() if name.endswith("bits_per_byte")}
    for name, value in bits.items():
        say(f"{name:24} {value:.3f} bits a byte")
    say(json.dumps({"bytes": len(stream), "bits_per_byte": bits}))


if __name__ == "__main__":
    main()
