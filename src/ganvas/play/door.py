"""Who may come in: whoever asks by an address of this machine, elsewhere whoever has the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
_COOKIE = "ganvas_play"


class Door:
    """An ASGI application before another one.

    Args:
        app: the other one.
        hosts: names by which the server may be asked; None: any. A page of another site that gave its own
            name this machine's address (DNS rebinding) asks by that name.
        token: what must be known; it comes as ``?token=``, and is kept as a cookie. None: nothing must.
    """

    def __init__(self, app: Any, *, hosts: frozenset[str] | None, token: str | None) -> None:
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self.hosts is not None and _name(headers.get(b"host", "")) not in self.hosts:
            await _refuse(scope, send, "this server is asked by another name")
        elif self.token is None or self._matches(_cookie(headers.get(b"cookie", ""))):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and self._matches(_asked(scope)):
            await self._let_in(scope, send)
        else:
            await _refuse(scope, send, "open the address that ganvas play printed, with its token")

    def _matches(self, word: str) -> bool:
        return self.token is not None and hmac.compare_digest(word.encode(), self.token.encode())

    async def _let_in(self, scope: Scope, send: Callable[[Any], Awaitable[None]]) -> None:
        """Goes on without the token in the address, where it would be seen and stored."""
        cookie = f"{_COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", scope["path"].encode()), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, send: Callable[[Any], Awaitable[None]], why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})


def _name(host: str) -> str:
    """A host without its port."""
    return host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0].lower()


def _asked(scope: Scope) -> str:
    query: bytes = scope.get("query_string", b"")
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(_COOKIE)
    except CookieError:
        return ""
    return "" if found is None else str(found.value)
