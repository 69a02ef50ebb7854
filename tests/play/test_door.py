"""Who may come in, asked as a server is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ganvas.play.door import Door

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def asked(
    door: Door, *, host: str = "127.0.0.1:8780", query: str = "", cookie: str = "", kind: str = "http"
) -> list[dict[str, Any]]:
    """What the server answers."""
    sent: list[dict[str, Any]] = []
    headers = [(b"Host", host.encode()), (b"cookie", cookie.encode())]
    scope = {"type": kind, "path": "/codes/3", "query_string": query.encode(), "headers": headers}

    async def receive() -> dict[str, Any]:
        return {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(door(scope, receive, send))
    return sent


async def inside(_: Any, __: Any, send: Any) -> None:
    await send({"type": "inside"})


@pytest.mark.parametrize(
    ("host", "comes_in"),
    [
        ("127.0.0.1:8780", True),
        ("localhost:8780", True),
        ("LOCALHOST", True),
        ("[::1]:8780", True),
        ("evil.example:8780", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_by_another_name_nobody_comes_in(host: str, comes_in: bool, kind: str) -> None:
    first = asked(Door(inside, hosts=LOCAL, token=None), host=host, kind=kind)[0]
    assert (first["type"] == "inside") == comes_in
    if not comes_in:
        assert first.get("status", first.get("code")) in (403, 1008)


def test_a_token_opens_once_and_a_cookie_from_then_on() -> None:
    door = Door(inside, hosts=None, token="s3cret")
    assert asked(door)[0]["status"] == 403
    assert asked(door, query="token=s3cres")[0]["status"] == 403
    assert asked(door, query="token=s3cret", kind="websocket")[0]["type"] == "websocket.close"
    first = asked(door, query="token=s3cret")[0]
    headers = dict(first["headers"])
    assert first["status"] == 303
    assert headers[b"location"] == b"/codes/3"
    cookie = headers[b"set-cookie"].decode()
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    name = cookie.partition(";")[0]
    for kind in ("http", "websocket"):
        assert asked(door, cookie=name, kind=kind) == [{"type": "inside"}]
    assert asked(door, cookie=f"{name}x")[0]["status"] == 403
    assert asked(door, cookie='ganvas_play="; =;;')[0]["status"] == 403
