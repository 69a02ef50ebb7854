"""Where a study is kept: a journal file, in the sweep's folder or a shared one, or a database."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from ganvas.errors import OptionError, require
from ganvas.files.plain import parse_json
from ganvas.files.read import read_bytes
from ganvas.files.schema import is_count, is_text, misfit

OPTION = "hydra.sweeper.storage"
PRIVATE = "study.log"  # in the sweep's folder
_MOST = 1_000_000_000  # bytes of a journal
_LINE = {"op_code": is_count, "worker_id": is_text}
_BEGIN = b'{"op_code"'  # of each line of a journal
# Seconds after which a lock counts as left behind by a kill: a sweep's own journal has no other writer.
_PRIVATE_GRACE, _SHARED_GRACE = 5, 30
_ATTEMPTS = 10  # half a second apart, at a database that another process is just making
LOCK_SECONDS = 30.0  # to wait for a database that another process holds

optuna.logging.set_verbosity(optuna.logging.ERROR)


def absolute(storage: str | None) -> str | None:
    """The same storage, from any folder.

    Raises:
        OptionError: it is none that lasts.
    """
    if storage is None:
        return None
    if "://" not in storage:
        database = Path(storage).suffix in (".db", ".sqlite", ".sqlite3")
        require(not database, OPTION, storage, f"looks like a database; write sqlite:///{storage}")
        return str(Path(storage).resolve())
    kind, _, rest = storage.partition("://")
    if not kind.startswith("sqlite"):
        return storage
    path = rest.removeprefix("/")
    lasts = path not in ("", ":memory:") and rest.startswith("/")
    require(lasts, OPTION, storage, "is gone with the process; write sqlite:///search.db")
    return f"{kind}:///{Path(path).resolve()}"


def open_storage(storage: str | None, folder: Path) -> BaseStorage:
    """The storage at :func:`absolute`'s answer; ``folder`` is the sweep's.

    Raises:
        OptionError: it is locked, unreadable, or of another version of Optuna.
    """
    with storage_errors(storage or str(folder / PRIVATE)):
        if storage is not None and "://" in storage:
            return _database(storage)
        path = folder / PRIVATE if storage is None else Path(storage)
        require(path.parent.is_dir(), OPTION, path, "its folder is not there; make it first")
        lock = JournalFileSymlinkLock(str(path), _PRIVATE_GRACE if storage is None else _SHARED_GRACE)
        if path.exists():
            _mend(path, lock)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _database(url: str) -> BaseStorage:
    """A database, made where it is not there; two machines may be about it at once."""
    options = {"connect_args": {"timeout": LOCK_SECONDS}} if url.startswith("sqlite") else {}
    for attempt in range(_ATTEMPTS):
        try:
            return get_storage(RDBStorage(url, engine_kwargs=options))
        except Exception as error:
            text = f"{error} {error.__cause__}"
            racing = any(
                word in text for word in ("already exists", "UNIQUE", "no such table", "IntegrityError")
            )
            if not racing or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.5)
    raise AssertionError("unreachable")


def is_there(storage: str) -> bool:
    """Whether something is kept there already; of a server's database: always."""
    if "://" not in storage or storage.startswith("sqlite"):
        path = Path(storage.partition(":///")[2] or storage)
        return path.exists() and (not path.is_file() or path.stat().st_size > 0)
    return True


@contextmanager
def storage_errors(storage: str, *, running: bool = False) -> Iterator[None]:
    """Turns whatever a storage raises inside into one OptionError that says how to mend it.

    Args:
        running: there is more inside than opening it: only what is a storage's own error.
    """
    shown = hidden(storage)
    try:
        yield
    except OptionError:
        raise
    except Exception as error:
        own = isinstance(error, OSError | StorageInternalError) or type(error).__module__.startswith(
            "sqlalchemy"
        )
        if running and not own:
            raise
        text = " ".join(str(error.__cause__ or error).split())
        if "locked" in text:
            reason = "is locked by another process; end that, or name another storage"
        elif (
            "no longer compatible" in text or "Should not reach" in text or isinstance(error, AssertionError)
        ):
            reason = (
                f"is of another version of Optuna than this one ({optuna.__version__}); a database is "
                "changed by: optuna storage upgrade --storage URL; or name another storage"
            )
        elif isinstance(error, ImportError):
            reason = f"needs a package that is not there ({text}); install it, or name a file"
        else:
            kind = type(error).__name__
            reason = f"cannot be used ({kind}: {text[:200]}); mend it, or name another storage"
        raise OptionError(OPTION, shown, reason.replace(storage, shown)) from error


def hidden(storage: str) -> str:
    """The storage as it may be shown: without the password of a database."""
    head, sign, place = storage.rpartition("@")
    kind, slashes, user = head.partition("://")
    is_server = sign and slashes and not kind.startswith("sqlite")
    return f"{kind}://{user.partition(':')[0]}:***@{place}" if is_server else storage


def _mend(path: Path, lock: JournalFileSymlinkLock) -> None:
    """Refuses a file that is no journal, and cuts off half a line that a kill left.

    Optuna opens either without a word, writes on behind it and loses what it wrote there.
    """
    require(path.is_file(), OPTION, path, "is no file; name a file, or sqlite:///search.db")
    lock.acquire()
    try:
        data = read_bytes(path, _MOST)
        begins = data.startswith(_BEGIN) or _BEGIN.startswith(data)
        require(begins, OPTION, path, "is no journal of Optuna's; name another file, or sqlite:///search.db")
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            logging.getLogger("ganvas").warning("%s: half a line at its end is dropped", path)
            os.truncate(path, whole)
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                wrong = misfit(parse_json(line), _LINE)
            except ValueError as error:
                wrong = str(error)
            require(wrong is None, OPTION, path, f"is damaged in line {number} ({wrong}); put a copy back")
    finally:
        lock.release()
