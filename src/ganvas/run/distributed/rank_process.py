"""One rank of a run: launch.py starts ``python -m ganvas.run.distributed.rank_process REPORT [LISTENER]``.

What it trains comes over standard input, how it ended goes into the pipe REPORT (a file's number), a line of
JSON each.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict
from typing import Any

from ganvas.errors import NonFiniteError, OptionError, RankError
from ganvas.files.text import say_page
from ganvas.run.folder.redact import remember_secrets, scrub
from ganvas.run.folder.run_folder import RunFolder
from ganvas.run.process.child import DEBUG, take_import_path
from ganvas.run.process.lean_import import keep_torchmetrics_lean
from ganvas.run.process.orphan import watch_parent
from ganvas.run.process.streams import prepare_streams


def main(handles: list[int]) -> int:
    """Trains; the exit code is that of the command."""
    pipe = handles[0]
    for handle in handles:
        os.set_inheritable(handle, False)

    def tell(**values: Any) -> None:
        os.write(pipe, (json.dumps(values, default=str) + "\n").encode())

    task = json.loads(sys.stdin.buffer.read())
    take_import_path(task["path"])
    remember_secrets(task["secrets"])
    keep_torchmetrics_lean()
    from ganvas.run.distributed import rank_watchdog
    from ganvas.run.train_run import train

    rank_watchdog.report = lambda text: tell(lost=text)
    resume = None if task["resume"] is None else RunFolder(_path(task["resume"]))
    listener = handles[1] if len(handles) > 1 else None
    try:
        options = {"overrides": task["overrides"], "quiet": task["quiet"]}
        outcome = train(task["run"], resume=resume, listener=listener, **options)
    except OptionError as error:
        if os.environ.get(DEBUG) == "1":
            say_page(scrub(traceback.format_exc()), error=True, flush=True)
        tell(refused=[error.option, str(error.value), error.reason])
        return 2
    except NonFiniteError as error:
        tell(non_finite=[error.term, str(error).partition(": ")[2]])
        return 1
    except RankError as error:
        tell(failed=str(error))
        return 1
    except KeyboardInterrupt:  # before the run's own handlers were there
        return 130
    except Exception as error:
        say_page(scrub(traceback.format_exc()), error=True, flush=True)
        tell(failed=scrub(f"rank {os.environ['RANK']}: {type(error).__name__}: {error}"))
        return 1
    tell(outcome=asdict(outcome) | {"folder": str(outcome.folder.path)})
    return outcome.exit_code


def _path(text: str) -> Any:
    from pathlib import Path

    return Path(text)


if __name__ == "__main__":
    prepare_streams("train")
    watch_parent()
    try:
        code = main([int(word) for word in sys.argv[1:]])
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code) if code else sys.exit(0)
