"""STOI of Opus and Vorbis on held-out files of speech, beside their kbit/s with every byte counted.

    python benchmarks/sound_formats_stoi.py FOLDER --rate 8000

The files are those of ``ganvas evaluate RUN metric/perceptual=stoi --split test`` where RUN has the same
``data.root``, ``data.layout=flat`` and ``data.rate``.
"""

from __future__ import annotations

import argparse

from ganvas.data.sound_folder import SoundFolder
from ganvas.metric.perceptual.stoi import STOI
from ganvas.metric.rate_distortion.sound_codecs import CODECS, coded_again


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--rate", type=int, default=8000, help="samples a second")
    parser.add_argument("--extended", action="store_true", help="ESTOI")
    parser.add_argument("--levels", type=int, default=3, help="of each format, the smallest files first")
    asked = parser.parse_args()
    data = SoundFolder(root=asked.folder, layout="flat", rate=asked.rate, seed=1)
    data.prepare()
    kind = data.modality
    for codec in CODECS:
        if codec.rates is not None and asked.rate not in codec.rates:
            continue
        for level in codec.levels[: asked.levels]:
            stoi, size, length = STOI(extended=asked.extended), 0, 0
            stoi.check(data.facts())
            for batch in data.wholes("test", 1):
                made, taken = coded_again(kind.to_stored(batch.x)[0], asked.rate, codec, level)
                stoi.update(original=batch.x, reconstruction=kind.to_model(made[None]))
                size, length = size + taken, length + batch.x.shape[-1]
            value = float(stoi.compute()["stoi"])
            without = stoi.protocol["sounds_without_value"]
            rate = 8 * size / 1000 / (length / asked.rate)
            told = f"{rate:.2f} kbit/s, STOI {value:.3f}, {without} files without a value"
            print(f"{codec.name} level {level:g}: {told}")


if __name__ == "__main__":
    main()
