"""Every attack by a RUN, a checkpoint, an archive or a name: ``CASES``, each judged by ``complaint``."""

from __future__ import annotations

import hostile_archives
import hostile_checkpoints
import hostile_configs
import hostile_folders
import hostile_numbers
from hostile_case import Case, complaint, warm

__all__ = ["CASES", "Case", "complaint", "warm"]

CASES: list[Case] = [
    *hostile_configs.CASES,
    *hostile_folders.CASES,
    *hostile_checkpoints.CASES,
    *hostile_numbers.CASES,
    *hostile_archives.CASES,
]
