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

        if scope["type"] == "websocket" and not is_own(dict(scope["headers"])):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await self.app(scope, receive, send_guarded)


def is_own(headers: dict[bytes, bytes]) -> bool:
    """Whether a page of this server asks, as far as headers tell; what is no browser sends no origin."""
    origin = headers.get(b"origin")
    if origin is None:
        return True
    asking = urlsplit(origin.decode("latin-1"))
    return asking.netloc == headers.get(b"host", b"").decode("latin-1") or asking.hostname in named()


def named() -> set[str | None]:
    """Hosts that the lab names as its own, where a proxy passes another Host on. Streamlit checks them once more."""
    origins = [urlsplit(origin).hostname for origin in config.get_option("server.corsAllowedOrigins") or []]
    own = [config.get_option("browser.serverAddress")] if config.is_manually_set("browser.serverAddress") else []
    return {*origins, *own} - {None}
