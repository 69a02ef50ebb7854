"""What an augmentation costs of a DCGAN's training step: `ganvas train` with it against the same without.

    OMP_NUM_THREADS=1 python benchmarks/augment.py
    OMP_NUM_THREADS=1 python benchmarks/augment.py --data stacked_digits    # three channels

Two runs in one process take turns of a few steps, by the protocol of training_step.py: 32 px, batch 64, one
thread. In a step three batches are augmented: real and generated ones for the discriminator, and generated
ones with gradients for the generator. What is printed is the share (with - without) : without, in CPU time of
the process, of the medians over the blocks, in brackets the quartiles of the blocks' own. p is fixed; the
smaller it is, the fewer samples are resampled.

    goal: ADA's pipeline at most 0.25
"""

from __future__ import annotations

import argparse
import os
import statistics

import torch

from training_step import OtherRun, Stopwatch, run

OPTIONS = {
    "ada, bgc": ["model/augment=ada"],
    "ada, bgcfnc": ["model/augment=ada", "model.augment.pipeline=bgcfnc"],
    "ada, r3gan": ["model/augment=ada", "model.augment.pipeline=r3gan"],
    "diffaugment": ["model/augment=diffaugment"],
    "apa": ["model/augment=apa"],
}
TURN, TURNS = 2, 4  # steps of a turn, turns of a block


def main() -> None:
    parser = argparse.ArgumentParser(description="A DCGAN's step with augmentation against one without.")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--p", type=float, default=0.5)
    parser.add_argument("--data", default="fashion_mnist", help="of images")
    parser.add_argument("--root", default=None, help="folder of the data")
    parser.add_argument("--only", default="", help="options whose name holds this text")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    words = ["model=dcgan", f"data={arguments.data}", "data.image_size=32"]
    words += [f"data.root={arguments.root}"] if arguments.root else []
    print(f"torch {torch.__version__} threads 1 load average {os.getloadavg()[0]:.1f} p {arguments.p}")
    for name, chosen in OPTIONS.items():
        if arguments.only not in name:
            continue
        fixed = (
            [] if name == "diffaugment" else [f"model.augment.p={arguments.p}", "model.augment.adapt=false"]
        )
        other = OtherRun([*words, *chosen, *fixed])
        watch = Stopwatch(other, TURN, TURNS, arguments.blocks, warm_up=TURN * TURNS)
        run(words, watch)
        other.close()
        plain, _, augmented, _ = zip(*watch.blocks)
        shares = [more / less - 1 for more, less in zip(augmented, plain)]
        low, _, high = statistics.quantiles(shares, n=4)
        share = statistics.median(augmented) / statistics.median(plain) - 1
        times = " / ".join(f"{1000 * statistics.median(one):.1f}" for one in (augmented, plain))
        goal = "  goal 0.25" if name.startswith("ada") else ""
        print(f"{name:14} {share:6.3f} [{low:.3f}, {high:.3f}]  {times} ms cpu{goal}", flush=True)


if __name__ == "__main__":
    main()
