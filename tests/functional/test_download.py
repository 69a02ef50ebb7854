from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ganvas.errors import OptionError
from ganvas.functional.download import RemoteFile, download, require_mirrors

CONTENT = bytes(range(256)) * 4000  # above one block
FILE = RemoteFile("a.bin", hashlib.sha256(CONTENT).hexdigest(), 2_000_000)
Reply = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, body: bytes, *, length: int | None = None) -> Reply:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class Server(ThreadingHTTPServer):
    """Answers by the first folder of the path, and keeps the paths asked for."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_) -> None:
        """A client that hangs up is part of the tests."""

    def mirror(self, name: str, answer: Reply) -> str:
        self.replies[name] = answer
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.replies[self.path.split("/")[1]](self)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_success(server, tmp_path):
    mirror = server.mirror("good", reply(200, CONTENT))
    (path,) = download([FILE], folder=tmp_path / "new" / "folder", mirrors=[mirror + "/"])
    assert path == tmp_path / "new" / "folder" / "a.bin"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["a.bin"]
    assert server.asked == ["/good/a.bin"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_gzipped_content_is_checked_and_kept_as_sent(server, tmp_path):
    body = gzip.compress(CONTENT, compresslevel=1, mtime=123)  # whoever packed it
    file = RemoteFile("a.gz", FILE.sha256, FILE.max_bytes, gzipped=True)
    (path,) = download([file], folder=tmp_path, mirrors=[server.mirror("good", reply(200, body))])
    assert path.read_bytes() == body


BAD = {
    "wrong hash": (reply(200, CONTENT[:-1] + b"x"), "wrong content"),
    "broken connection": (reply(200, CONTENT[:-5], length=len(CONTENT)), "broke off after"),
    "not found": (reply(404, b"no"), "HTTP 404"),
    "server error": (reply(500, CONTENT), "HTTP 500"),
    "too large": (reply(200, CONTENT * 3), "more than 2000000 bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_the_next_mirror_is_tried(server, tmp_path, case):
    mirrors = [server.mirror("bad", BAD[case][0]), server.mirror("good", reply(200, CONTENT))]
    (path,) = download([FILE], folder=tmp_path, mirrors=mirrors)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]
    assert server.asked == ["/bad/a.bin", "/good/a.bin"]


@pytest.mark.parametrize("case", BAD)
def test_all_mirrors_failing_is_one_error_and_leaves_no_file(server, tmp_path, case):
    answer, reason = BAD[case]
    other = RemoteFile("b.bin", FILE.sha256, 1)
    with pytest.raises(OptionError, match=reason) as caught:
        download([FILE, other], folder=tmp_path, mirrors=[server.mirror("bad", answer)])
    assert caught.value.option == "root"
    assert f"put the files a.bin, b.bin by hand into {tmp_path}" in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "reason"), [(b"hello", "no gzip"), (gzip.compress(bytes(3_000_000)), "unpacks to more than")]
)
def test_a_bad_gzip(server, tmp_path, body, reason):
    file = RemoteFile("a.gz", FILE.sha256, FILE.max_bytes, gzipped=True)
    with pytest.raises(OptionError, match=reason):
        download([file], folder=tmp_path, mirrors=[server.mirror("bad", reply(200, body))])
    assert names(tmp_path) == []


def test_a_silent_mirror_is_given_up(server, tmp_path):
    release = threading.Event()
    silent = server.mirror("silent", lambda handler: release.wait(20))
    good = server.mirror("good", reply(200, CONTENT))
    try:
        (path,) = download([FILE], folder=tmp_path, mirrors=[silent, good], timeout=0.2)
    finally:
        release.set()
    assert path.read_bytes() == CONTENT


def test_nothing_reachable(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(OptionError, match="no mirror could be reached"):
        download([FILE], folder=tmp_path / "new", mirrors=["http://127.0.0.1:9", "http://127.0.0.1:10"])
    assert not (tmp_path / "new").exists()
    with pytest.raises(OptionError, match=r"mirrors=\[\]; put the files a.bin"):
        download([FILE], folder=tmp_path / "new", mirrors=[])


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="cannot be written"):
        download([FILE], folder=tmp_path / "file" / "x", mirrors=[server.mirror("good", reply(200, CONTENT))])


def test_mirrors_are_http():
    require_mirrors(["http://a", "https://b/c"])
    with pytest.raises(OptionError, match="mirrors=file:///etc"):
        require_mirrors(["http://a", "file:///etc"])
