"""Whether torch makes a program of what runs, in which nothing that Python looks at can depend on numbers."""

from __future__ import annotations

import torch


def is_exporting() -> bool:
    """Whether it is to run elsewhere and on other inputs: torch.export's, or torch.jit.trace's."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()


def is_recording() -> bool:
    """Whether there is any program; also torch.compile's."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()
