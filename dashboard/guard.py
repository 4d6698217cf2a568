"""What keeps pages of other origins away from the dashboard: they may not show it in a frame, nor open a channel to it.

Streamlit sends no header about frames, and takes a channel from any page of the same machine, whoever serves it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from streamlit import config

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HEADERS = [
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
HOST, ORIGIN = b"host", b"origin"
POLICY_VIOLATION = 1008


class SameOrigin:
    """ASGI: HEADERS with every answer, and no WebSocket for a page of another origin."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        if scope["type"] == "websocket" and (origin := dict(scope["headers"]).get(ORIGIN)) is not None:
            asking = urlsplit(origin.decode("latin-1"))
            host = asking.netloc.encode("latin-1")
            if asking.hostname in named():
                # Streamlit would ask Amazon for the address of this machine before it looks at the names that the lab gave.
                scope = {**scope, "headers": [*(pair for pair in scope["headers"] if pair[0] != HOST), (HOST, host)]}
            if host != dict(scope["headers"]).get(HOST):
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
                return
        await self.app(scope, receive, send_guarded)


def named() -> set[str | None]:
    """Hosts that the lab names as its own, for where a proxy passes another Host on."""
    origins = [urlsplit(origin).hostname for origin in config.get_option("server.corsAllowedOrigins") or []]
    own = [config.get_option("browser.serverAddress")] if config.is_manually_set("browser.serverAddress") else []
    return {*origins, *own} - {None}
