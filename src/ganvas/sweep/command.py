"""How a job is started: one command line and a clean environment, the same for every engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ganvas.run.process.child import python_module
from ganvas.run.process.session import clean_environment, start_session
from ganvas.sweep.records import Record

SECRETS = "GANVAS_SECRETS"  # JSON, key -> value: what sweep.json does not hold


@dataclass(frozen=True)
class JobCommand:
    """Makes the command lines of one sweep's jobs.

    Attributes:
        sweep: its folder.
        config_dir: the user's own config groups and parts; their modules may be imported.
        secrets: job index -> key -> value, for keys that sweep.json hides.
        allow: the user's other modules that a job's config may name.
        allows_places: whether the places and addresses in sweep.json are the user's own: this command line's.
    """

    sweep: Path
    config_dir: str | None = None
    secrets: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    allows_places: bool = False

    def argv(self, index: int) -> list[str]:
        """``python -m ganvas job SWEEP INDEX ...``"""
        own = ["--config-dir", str(Path(self.config_dir).resolve())] if self.config_dir else []
        own += ["--allow-places"] if self.allows_places else []
        own += ["--allow-imports", *self.allow] if self.allow else []
        return python_module("ganvas", "job", str(self.sweep.resolve()), str(index), *own)

    def environment(self, index: int, *, visible: Sequence[str] | None = None) -> dict[str, str]:
        """This process's environment without the traces of a rank, and with its import path.

        Args:
            visible: the devices that the job may see (CUDA_VISIBLE_DEVICES); None: as this process.
        """
        clean = clean_environment()
        if visible is not None:
            clean["CUDA_VISIBLE_DEVICES"] = ",".join(visible)
        if self.secrets.get(index):
            clean[SECRETS] = json.dumps(dict(self.secrets[index]))
        return clean

    def start(
        self, index: int, environment: Mapping[str, str], *, folder: str | None = None
    ) -> subprocess.Popen[bytes]:
        """The job as a process in a session of its own; it ends soon after this process, however that ends.

        Args:
            folder: where relative paths begin; None: here.
        """
        with Record(self.sweep, index).log.open("ab") as log:
            return start_session(self.argv(index), environment, output=log, folder=folder)
