"""Which metric ranks, and whether more or less of it is better."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ganvas.compare.rows import Row
from ganvas.errors import require

# In the order in which a comparison prefers them, with their better way: evaluations say it themselves
# (``better``), and what they say goes before this.
BETTER = {
    "fid": "min",
    "kid": "min",
    "rfid": "min",
    "lpips": "min",
    "stoi": "max",
    "psnr": "max",
    "ms_ssim": "max",
    "ssim": "max",
    "mse": "min",
    "nmse": "min",
    "accuracy": "max",
    "bits_per_dim": "min",
}


def mode_of(metric: str, rows: Sequence[Row]) -> str | None:
    """``min`` or ``max``, whichever is better; None where it is not known, or said both ways."""
    said = {row.better[metric] for row in rows if metric in row.better}
    return said.pop() if len(said) == 1 else None if said else BETTER.get(metric)


def preferred(metrics: Sequence[str]) -> list[str]:
    """In the order in which a comparison looks at them."""
    order = list(BETTER)
    return sorted(metrics, key=lambda name: (order.index(name) if name in order else len(order), name))


def check_by(by: str, there: Sequence[str]) -> None:
    """Raises OptionError (``--by``) for a metric that no run has."""
    near = difflib.get_close_matches(by, there, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(list(there)[:12]) or 'none'}"
    require(by in there, "--by", by, f"no run has this metric; {hint}")
