"""Who may ask: the browser of whoever started the server, or who knows the token. Nobody else's page.

A page on the web could else talk to a server on this machine: by a name that it lets point here (the header
``Host`` tells), or by a WebSocket of its own (``Origin`` tells).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

COOKIE = "ganvas_play"
LOCAL = ("127.0.0.1", "localhost", "::1")
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; font-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
Scope = MutableMapping[str, Any]
Call = Callable[..., Awaitable[Any]]


class Guard:
    """ASGI middleware, of HTTP and of WebSockets.

    Args:
        app: what it guards.
        token: that a browser must have shown once, as ``?token=...``, and then as a cookie; None: nobody
            needs one, and only this machine's own names are answered.
    """

    def __init__(self, app: Call, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Call, send: Call) -> None:
        """Passes on what may be asked; else 403, or 401 where the token is missing."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        wrong = self._wrong_place(headers)
        if wrong is not None:
            await _refuse(scope, send, 403, wrong)
            return
        shown = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        if self.token is not None and not self._is_known(headers, shown):
            await _refuse(scope, send, 401, "open the address that ganvas play printed, with its token\n")
            return
        if self.token is not None and shown and scope["type"] == "http":
            await self._keep(scope, send)
            return

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self.app(scope, receive, answer)

    async def _keep(self, scope: Scope, send: Call) -> None:
        """The token becomes a cookie, and the address is without it from then on."""
        kept = [
            (key, one) for key, one in parse_qsl(scope["query_string"].decode("latin-1")) if key != "token"
        ]
        to = quote(scope.get("path", "/")) + (f"?{urlencode(kept)}" if kept else "")
        to = "/" + to.lstrip("/\\")  # of this server
        cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", to.encode()), (b"set-cookie", cookie.encode()), *_HEADERS]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _wrong_place(self, headers: dict[str, str]) -> str | None:
        """What is wrong with where the request comes from."""
        host = headers.get("host", "")
        if self.token is None and host_of(host) not in LOCAL:
            return "this server answers on this machine alone\n"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "this server answers its own pages alone\n"
        return None

    def _is_known(self, headers: dict[str, str], shown: Iterable[str]) -> bool:
        assert self.token is not None
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            kept = None
        given = [*shown, *([] if kept is None else [kept.value])]
        return any(secrets.compare_digest(one.encode(), self.token.encode()) for one in given)


def host_of(header: str) -> str:
    """The name in a header ``Host``, without its port and brackets."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


async def _refuse(scope: Scope, send: Call, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
