"""``ganvas``: chooses the command, and keeps the contract of errors. Nothing heavy is imported here."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganvas.cli.commands import COMMANDS, module_of
from ganvas.errors import OutputError
from ganvas.files.folders import current_folder
from ganvas.files.read import NotRegularError, TooLargeError
from ganvas.files.text import one_line, say, say_page
from ganvas.run.process.signals import Terminated, raise_terminated
from ganvas.run.process.streams import drop_output, flush, is_reader_gone, lost_output, prepare_streams

if TYPE_CHECKING:
    from ganvas.errors import OptionError

_LAST_WORDS = 30.0  # seconds for which a rank outlives the first one's, unless its launcher ends it
_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.ESTALE)
_LONGEST = 4000  # letters of an error; a list of what there is may be long

_HELP = """ganvas: experiments with GANs and vector-quantized autoencoders

usage: ganvas COMMAND ...

{commands}

ganvas COMMAND --help says more. First steps:
  ganvas train                                     a small GAN on scanned digits
  ganvas train model=mlp_vqvae                     a small VQ-VAE on the same
  ganvas train model=dcgan data=fashion_mnist      other options of the groups
  ganvas train -m seed=1,2 model=mlp_gan,mlp_vqvae a sweep of four jobs
  ganvas sample latest --out samples.png           a grid of samples
  ganvas compare 'outputs/train/*_mlp_gan-*'        which is better, and how sure that is
  ganvas plot latest --out curves.png              losses and metrics against examples
A RUN is a folder, the unique beginning of its name, or latest.
Tab completion: eval "$(ganvas completion bash)"; ganvas completion --help says how in zsh and fish
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 our fault or numbers that diverged, 2 an option's,
    128 + a signal's number: stopped by it."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return flush(lambda: _main(argv))
    except OSError as error:
        if error is not lost_output():
            raise
        drop_output()
        if is_reader_gone(error):
            return 141
        say(f"stdout: cannot be written ({error.strerror}); send it elsewhere", error=True)
        return 1
    except KeyboardInterrupt:  # before its command ran, or as it wrote its last words
        return _interrupted()
    except Terminated as ended:  # what it had begun to write is gone
        say(f"ended by {ended.name}", error=True)
        return ended.code


def _interrupted() -> int:
    say("interrupted", error=True)
    return 130


def _main(argv: list[str]) -> int:
    if argv and argv[0] in ("-sc", "--shell-completion"):
        argv = ["completion", *argv[1:]]
    if not argv or argv[0] in ("-h", "--help", "help"):
        say_page(_HELP.format(commands="\n".join(f"  {name:12} {text}" for name, text in COMMANDS.items())))
        return 0
    if "--version" in argv:
        from ganvas.version import __version__

        say(__version__)
        return 0
    if argv[0] not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(argv[0], COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(COMMANDS)
        say(f"command={argv[0]}: there is no such command; {hint}", error=True)
        return 2
    try:
        return _guarded(argv[0], argv[1:])
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG or "--debug" in argv:
            raise
        name = one_line(os.fsdecode(error.filename or ""), 100)
        say(f"name={name}: is longer than a file's name can be; give a shorter one", error=True)
        return 2


def _guarded(command: str, argv: list[str]) -> int:
    """The contract of errors: an option's error is one line and exit code 2; --debug shows the traceback."""
    from ganvas.run.folder.redact import remember_words
    from ganvas.run.process.lean_import import keep_torchmetrics_lean

    keep_torchmetrics_lean()
    remember_words(argv)
    from ganvas.run.process.child import debugging

    words = [word for word in argv if word != "--debug"]
    with debugging("--debug" in argv) as debug:
        return _run(command, words, debug=debug)


def _run(command: str, argv: list[str], *, debug: bool) -> int:
    """One command, its errors told; with ``debug`` by tracebacks."""
    from ganvas.errors import NonFiniteError, OptionError, RankError
    from ganvas.run.folder.redact import scrub

    try:
        if not _has_ranks(command):
            return 0
        if not {"-h", "--help"} & set(argv):
            current_folder()
        return int(importlib.import_module(module_of(command)).run(argv) or 0)
    except OptionError as error:
        if debug:
            import traceback

            say_page(scrub(traceback.format_exc()), error=True)
            return 2
        if not _is_told_by_another(error):
            # It may quote a file of anyone's: nothing in it moves a terminal's cursor.
            text = f"{error}{_how_for_a_run(command, error)}"
            say(one_line(" ".join(scrub(text).split()), _LONGEST), error=True)
        return 2
    except (NonFiniteError, RankError) as error:
        if debug:
            import traceback

            traceback.print_exc()
            return 1
        if isinstance(error, RankError) or not _is_told_by_another(error):
            say(scrub(" ".join(str(error).split())), error=True)
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        told = _of_the_machine(command, error)
        if debug or told is None:
            raise
        say(one_line(scrub(" ".join(told.split())), _LONGEST), error=True)
        return 1
    except KeyboardInterrupt:
        return _interrupted()


def _of_the_machine(command: str, error: Exception) -> str | None:
    """One line for a disk, a file or the memory that failed; None for what is ours."""
    if isinstance(error, OSError):
        return None if error is lost_output() or not _is_of_a_disk(error) else _said_of(error)
    from ganvas.functional.memory import memory_error

    told = memory_error(error, _how_for_memory(command))
    return None if told is None else str(told)


def _how_for_memory(command: str) -> str:
    if command in ("train", "resume", "job", "check"):
        return "take a smaller data.batch_size, fewer or smaller samples, or smaller networks"
    return "take fewer samples, or a smaller --batch-size"


def _is_of_a_disk(error: OSError) -> bool:
    """Whether a disk or a file failed, which is not ours; what else a system call says may be."""
    ours = (OutputError, NotRegularError, TooLargeError)
    return isinstance(error, ours) or error.errno in _OF_A_DISK


def _said_of(error: OSError) -> str:
    if isinstance(error, OutputError):
        return str(error)
    where = "a file" if error.filename is None else os.fsdecode(error.filename)
    return (
        f"{where}: cannot be read or written ({error.strerror}); make room, or mend its disk or permissions"
    )


def _how_for_a_run(command: str, error: OptionError) -> str:
    """Where a run's data lie is the run's to know: the commands that read it back have no such option."""
    reads_a_run = command in ("evaluate", "neighbours", "reconstruct", "codes", "pictures", "plot")
    known = "; ganvas resume RUN data.root=FOLDER tells the run where they lie now"
    return known if reads_a_run and error.option == "data.root" else ""


def _is_told_by_another(error: Exception) -> bool:
    """Whether this is a rank, and the user reads the error once: on each machine, and not at each restart."""
    from ganvas.run.distributed.rank_info import find_rank

    try:
        info = find_rank()
    except ValueError:  # the error itself
        return False
    known = getattr(error, "is_known", info.restart > 0)
    return info.local_rank > 0 or (isinstance(error, ValueError) and bool(known))


def _has_ranks(command: str) -> bool:
    """Whether every rank runs a command; of the others the first one does all the work."""
    if command in ("train", "resume", "job"):
        return True
    from ganvas.errors import OptionError
    from ganvas.run.distributed.rank_info import find_rank

    try:
        return find_rank().is_first
    except OptionError:  # an environment that only ranks care for
        return True


def entry() -> None:
    """The console script."""
    try:
        code = _entry()
    except KeyboardInterrupt:
        code = _interrupted()
    except Terminated as ended:
        code = ended.code
    sys.exit(code)


def _entry() -> int:
    from ganvas.run.process.child import take_import_path_of_environment
    from ganvas.run.process.orphan import watch_parent
    from ganvas.run.process.spinning import bound_spinning

    prepare_streams(sys.argv[1] if sys.argv[1:] else None)
    if not _heeds_signals(sys.argv[1:]):
        raise_terminated()
    watch_parent()
    bound_spinning()
    take_import_path_of_environment()
    if "LOCAL_RANK" in os.environ:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a lost peer is one line, not torch's stacks
    code = main()
    lost = lost_output()
    if lost is not None and not is_reader_gone(lost) and code == 0:
        say(f"stdout: could not be written ({lost.strerror})", error=True)
        code = 1
    return _end_of_rank(code)


def _heeds_signals(argv: Sequence[str]) -> bool:
    """Whether a command handles SIGTERM itself: it saves its state, or hands the signal on."""
    return bool(argv) and (
        argv[0] in ("train", "resume", "job", "pipeline")
        or (argv[0] == "sweep" and argv[1:2] in (["run"], ["resume"], ["retry"]))
    )


def _end_of_rank(code: int) -> int:
    """A rank that stops or fails leaves the last words to the first one: launchers end all with the first
    that is gone. gloo's threads may abort the interpreter's own way out."""
    if code == 0:
        return 0
    from ganvas.run.distributed.rank_info import find_rank

    try:
        info = find_rank()
    except ValueError:
        return code
    if info.launcher is None:
        return code
    sys.stdout.flush()
    sys.stderr.flush()
    if not info.is_first:
        time.sleep(_LAST_WORDS)
    os._exit(code)


if __name__ == "__main__":
    entry()
