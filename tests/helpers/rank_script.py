"""``python -m rank_script RANK FOLDER``: runs FOLDER/source.py as one of two gloo ranks.

The source finds ``rank``, ``torch`` and ``dist``; its ``result`` is saved as FOLDER/RANK.pt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist


def main() -> None:
    torch.set_num_threads(1)
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    names = {
        "__name__": "__main__",
        "torch": torch,
        "dist": dist,
        "rank": rank,
        "sys": sys,
        "folder": str(folder),
    }
    exec(compile((folder / "source.py").read_text(), "source.py", "exec"), names)
    torch.save(names["result"], folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
