"""Who writes files: ``ganvas.files.write``, and the few that this page names with their reasons."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"

# (file, what it calls) -> why it does not go through files/write.py
ALLOWED = {
    (
        "modality/drawing/files.py",
        "image.save",
    ): "to a file that its caller opened by WholeFile, or in memory",
    ("callback/writing/rows.py", "os.open"): "metrics.jsonl and evaluations.jsonl grow, whole after each row",
    ("cli/trained/files/arrays.py", "self._archive.open"): "an entry of a zip in a WholeFile",
    ("cli/trained/files/folder.py", "os.rename"): "of a new folder that is full, the Workshop's",
    ("cli/trained/files/folder.py", "(self._shop.path / f'{i}{self.ending}').replace"): "from a Workshop",
    ("data/files/array_cache.py", "np.memmap"): "for reading; what is changed stays in memory",
    ("exporting/tools.py", "torch.export.save"): "to memory",
    ("exporting/weights.py", "save"): "safetensors': gives bytes",
    ("files/remove.py", "os.fspath(error.filename).replace"): "of a text",
    ("files/remove.py", "os.rename"): "takes a folder's name away, or gives it back",
    (
        "logger/process/aim.py",
        "noted.write_text",
    ): "a tracker's process may be another Python, without ganvas",
    ("logger/process/serve.py", "tracker.open"): "no file: the adapter",
    ("logger/process/serve.py", "os.fdopen"): "the line to the run",
    ("logger/process/serve.py", "part.write_text"): "what a service was given, for a process without ganvas",
    ("logger/process/serve.py", "shutil.move"): "the same",
    ("logger/process/serve.py", "os.open"): "its lock, and a file of what the tracker prints, which grows",
    (
        "logger/process/serve.py",
        "path.write_bytes",
    ): "a file of its own for the tracker, gone with the process",
    ("logger/process/serve.py", "tempfile.mkdtemp"): "for these, and for sockets, whose paths must be short",
    ("metric/classifiers.py", "save"): "safetensors': gives bytes",
    ("metric/feature_cache.py", "save"): "safetensors': gives bytes",
    ("model/quantizer/conformance/state.py", "torch.save"): "to memory, as a checkpoint is read",
    ("play/pages/parts.py", "self._others[kind].move"): "of an element of a page",
    ("run/checkpoint/io.py", "FileIO"): "hashes and syncs a checkpoint while it is on its way to the disk",
    ("run/checkpoint/io.py", "os.replace"): "gives that checkpoint its name, after its hash has one",
    ("run/checkpoint/io.py", "torch.save"): "to that file",
    ("run/checkpoint/resume_plan.py", "path.rename"): "sets a damaged checkpoint aside",
    ("run/checkpoint/weights_file.py", "save"): "safetensors': gives bytes",
    ("run/checkpoint/resume_plan.py", "sidecar(path).rename"): "the same of its hash",
    ("run/folder/journal.py", "os.truncate"): "cuts what came after a checkpoint off TensorBoard's files",
    ("run/folder/lock.py", "os.open"): "a lock is one file for all processes; it says who holds it",
    ("run/folder/train_log.py", "logging.FileHandler"): "train.log grows",
    ("run/process/streams.py", "io.FileIO"): "standard output and error",
    ("run/process/streams.py", "os.open"): "/dev/null",
    ("sweep/command.py", "Record(self.sweep, index).log.open"): "a job's output grows",
    ("sweep/engine/node.py", "Record(self.command.sweep, self.index).log.open"): "the same on another node",
    ("sweep/engine/ray.py", "self._running[index].stop.touch"): "an empty file is a message",
    ("sweep/engine/ray.py", "tempfile.mkdtemp"): "sockets of a Ray of its own, gone with it",
    ("sweep/engine/slurm.py", "stop_file(task.batch, task.number).touch"): "an empty file is a message",
    ("sweep/search/storage.py", "os.truncate"): "cuts half a line off a study's log",
}

_ALWAYS = {  # calls that write, or make a place to write to, whatever their arguments are
    *("write_text", "write_bytes", "touch", "rename", "renames", "link", "hardlink_to", "truncate"),
    *("savefig", "to_csv", "to_json", "to_parquet", "to_excel", "tofile", "savetxt", "save_file"),
    *(
        "mkstemp",
        "mkdtemp",
        "NamedTemporaryFile",
        "TemporaryFile",
        "TemporaryDirectory",
        "SpooledTemporaryFile",
    ),
    *("copyfile", "copy", "copy2", "copytree", "move", "FileHandler", "open_memmap", "memmap"),
}
_INTO = {"save", "savez", "savez_compressed", "savefig"}  # write into what their first argument is
_OURS = {"WholeFile", "BytesIO"}


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, str]]:
    """Each call, the whole name that is called, and its last part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            yield node, name, name.rpartition(".")[2]


def scopes(tree: ast.Module) -> Iterator[ast.AST]:
    """Functions and methods, each for itself, and what stands outside of them."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.ClassDef) else [node]


def made_here(tree: ast.AST) -> set[str]:
    """Names of files that are open by WholeFile, and of buffers in memory."""
    names = {"self._file.file", "self._whole.file"}
    for node in ast.walk(tree):
        if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call) and node.optional_vars:
            source, target = node.context_expr, node.optional_vars
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            source, target = node.value, node.targets[0]
        else:
            continue
        if ast.unparse(source.func).rpartition(".")[2] in _OURS:
            names.add(ast.unparse(target))
    return names


def mode_of(call: ast.Call, place: int) -> str:
    """The mode that a file is opened with; what cannot be read off the text counts as writing."""
    given = next((word.value for word in call.keywords if word.arg == "mode"), None)
    if given is None and len(call.args) > place:
        given = call.args[place]
    if given is None:
        return "r"
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else "w"


def writes(call: ast.Call, name: str, last: str, ours: set[str]) -> bool:
    first = ast.unparse(call.args[0]) if call.args else ""
    target = next(
        (ast.unparse(word.value) for word in call.keywords if word.arg in ("fileobj", "file")), first
    )
    if last in _INTO and name != "self.save":
        return bool(call.args) and first not in ours
    if name in ("write_text", "write_bytes"):  # those of ganvas.files.write
        return False
    if last in _ALWAYS:
        return last != "copy" or name.startswith("shutil.")
    if last == "replace":  # of texts it has two arguments, of dataclasses keywords
        return name.startswith("os.") or (len(call.args) == 1 and not call.keywords)
    if name == "os.open":
        return any(flag in ast.unparse(call) for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))
    if name in ("Image.open", "group.open"):
        return False
    if last in ("open", "fdopen", "FileIO", "ZipFile", "TarFile", "GzipFile"):
        is_method = last == "open" and not name.startswith(("io.", "gzip.", "tarfile.")) and "." in name
        mode = mode_of(call, 0 if is_method and not first.startswith(("f'", 'f"')) else 1)
        return not set(mode).isdisjoint("wax+") and target not in ours
    return False


def writers(text: str) -> set[str]:
    tree = ast.parse(text)
    found = set()
    for part in scopes(tree):
        ours = made_here(part)
        found |= {name for call, name, last in calls(part) if writes(call, name, last, ours)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):  # one's own kind of file
            bases = {ast.unparse(base) for base in node.bases}
            found |= {base for base in bases if base.rpartition(".")[2] in ("FileHandler", "FileIO")}
    return found


def test_every_writer_goes_through_one_place() -> None:
    found = {
        (path.relative_to(SOURCE).as_posix(), name)
        for path in SOURCE.rglob("*.py")
        if path != SOURCE / "files" / "write.py"
        for name in writers(path.read_text())
    }
    assert sorted(found - ALLOWED.keys()) == [], "write it by ganvas.files.write"
    assert sorted(ALLOWED.keys() - found) == [], "is named here and writes no more"


def test_what_writes_is_seen() -> None:
    for text in (
        "open(path, 'w')",
        "open(path, mode)",
        "open(path, mode='ab')",
        "path.open('r+b')",
        "io.open(path, 'x')",
        "gzip.open(path, 'wb')",
        "tarfile.open(path, 'w')",
        "zipfile.ZipFile(path, mode='a')",
        "FileIO(path, 'wb')",
        "os.open(path, os.O_CREAT)",
        "path.write_text('x')",
        "(a / b).write_bytes(b'x')",
        "os.replace(a, b)",
        "path.replace(target)",
        "path.rename(target)",
        "shutil.copyfile(a, b)",
        "tempfile.mkstemp()",
        "np.save(path, x)",
        "numpy.savez_compressed(str(path), **arrays)",
        "torch.save(x, path)",
        "image.save(path)",
        "figure.savefig(out)",
        "frame.to_csv(out)",
        "save_file(tensors, path)",
        "class Log(logging.FileHandler): ...",
        "def f():\n with WholeFile(path) as file: ...\ndef g(file):\n np.save(file, x)",
    ):
        assert writers(text), text
    for text in (
        "open(path)",
        "path.open('rb')",
        "text.replace('a', 'b')",
        "dataclasses.replace(x, a=1)",
        "zipfile.ZipFile(path)",
        "def f():\n with WholeFile(path) as file:\n  np.save(file, x)",
        "def f():\n file = io.BytesIO()\n image.save(file, 'png')",
        "x = y.copy()",
    ):
        assert not writers(text), text
