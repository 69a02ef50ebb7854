"""Who is answered: by the names in a request, its origin and the token."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ganvas.play.guard import COOKIE, Guard, host_of


def asked(
    token: str | None, *, host: str, query: str = "", kind: str = "http", **headers: str
) -> tuple[int, dict[str, str]]:
    """The status that a request gets (1008: a WebSocket's refusal), and the answer's headers."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    named = {"host": host, **{key.replace("_", "-"): value for key, value in headers.items()}}
    scope = {
        "type": kind,
        "path": "/codes",
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode()) for key, value in named.items()],
    }
    asyncio.run(Guard(app, token)(scope, None, send))
    first = sent[0]
    status = first.get("status") or (200 if first["type"] == "websocket.accept" else first["code"])
    return status, {key.decode(): value.decode() for key, value in first.get("headers", [])}


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:1", "[::1]:8090", "localhost"])
def test_this_machines_own_names_are_answered(host: str) -> None:
    status, headers = asked(None, host=host)
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8090", "", "192.0.2.1:8090", "[::"])
def test_a_name_that_was_made_to_point_here_is_not(host: str) -> None:
    assert asked(None, host=host)[0] == 403


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_page_of_another_site_is_not_answered(kind: str) -> None:
    refused = 403 if kind == "http" else 1008
    assert asked(None, host="localhost:8090", kind=kind, origin="http://evil.example")[0] == refused
    assert asked(None, host="localhost:8090", kind=kind, origin="http://localhost:9999")[0] == refused
    assert asked(None, host="localhost:8090", kind=kind, origin="null")[0] == refused
    assert asked(None, host="localhost:8090", kind=kind, origin="http://localhost:8090")[0] == 200


def test_the_token_is_shown_once_and_kept_as_a_cookie() -> None:
    host = "192.0.2.1:8090"  # with a token any name will do
    assert asked("secret-token", host=host)[0] == 401
    assert asked("secret-token", host=host, query="token=secret-toke")[0] == 401
    assert asked("secret-token", host=host, query="token=sécret")[0] == 401
    assert asked("secret-token", host=host, query="token=secret-token", kind="websocket")[0] == 200
    status, headers = asked("secret-token", host=host, query="run=x&token=secret-token")
    assert status == 303
    assert headers["location"] == "/codes?run=x"
    assert headers["set-cookie"].startswith(f"{COOKIE}=secret-token; HttpOnly; SameSite=Strict")
    status, headers = asked("secret-token", host=host, cookie=f"a=b; {COOKIE}=secret-token")
    assert status == 200
    assert "set-cookie" not in headers
    assert asked("secret-token", host=host, cookie=f"{COOKIE}=other")[0] == 401
    assert asked("secret-token", host=host, kind="websocket")[0] == 1008
    assert asked("secret-token", host=host, kind="websocket", cookie=f"{COOKIE}=secret-token")[0] == 200


def test_hosts_of_headers() -> None:
    assert [host_of(one) for one in ("a.b:80", "[::1]:9", "A.B", "x@y", "[")] == [
        "a.b",
        "::1",
        "a.b",
        "y",
        "",
    ]
