"""A small OpenID Connect provider on the loopback: a login page, one-time codes, PKCE, and tokens signed with a key of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

FORM = """<!doctype html><title>Who are you?</title><form method="post" action="/authorize?{query}">
<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>"""
ASKED = ("client_id", "redirect_uri", "nonce", "code_challenge", "state")


@dataclass
class Provider:
    """What it knows, and what it was asked for."""

    redirect_uri: str
    people: dict[str, str]
    """Name → password."""
    client_id: str = "mmplat"
    client_secret: str = field(default_factory=secrets.token_hex)
    signs_with_its_own_key: bool = True
    """False: tokens are signed with another key than the one that is published, as a forger's would be."""
    url: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Code → what was asked for when it was given; a code is good for one token."""

    def __post_init__(self) -> None:
        from joserfc.jwk import RSAKey

        self.key, self.other_key = (RSAKey.generate_key(2048, {"kid": "test"}) for _ in range(2))

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
        }  # fmt: skip

    def authorize(self, asked: dict[str, str], said: dict[str, str]) -> str | None:
        """Where the browser goes on with a code; None, where name and password do not fit."""
        name = said.get("name", "")
        if self.people.get(name) != said.get("password", ""):
            return None
        code = secrets.token_urlsafe()
        self.codes[code] = asked | {"name": name}
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, said: dict[str, str], client: tuple[str, str]) -> dict[str, Any] | None:
        """Tokens for a code; None, where the code, the client or the proof is not the one of the login."""
        login = self.codes.pop(said.get("code", ""), None)
        digest = hashlib.sha256(said.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = login is not None and client == (self.client_id, self.client_secret) and proof == login["code_challenge"]
        if login is None or not fits or said.get("redirect_uri") != self.redirect_uri:
            return None
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": self.id_token(login)}

    def id_token(self, login: dict[str, str]) -> str:
        from joserfc import jwt

        now = int(time.time())
        claims = {
            "iss": self.url, "aud": self.client_id, "sub": f"id of {login['name']}", "iat": now, "exp": now + 300,
            "nonce": login["nonce"], "name": login["name"], "email": f"{login['name'].lower()}@lab.example",
        }  # fmt: skip
        signing = self.key if self.signs_with_its_own_key else self.other_key
        return jwt.encode({"alg": "RS256", "kid": "test"}, claims, signing)


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/authorize":
                self.answer(200, FORM.format(query=escape(url.query)), "text/html")
            elif url.path == "/.well-known/openid-configuration":
                self.answer(200, json.dumps(provider.metadata()))
            elif url.path == "/keys":
                self.answer(200, json.dumps({"keys": [provider.key.as_dict(private=False)]}))
            else:
                self.answer(404, "{}")

        def do_POST(self) -> None:
            url, said = urlsplit(self.path), _flat(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if url.path == "/token":
                tokens = provider.token(said, self.client())
                self.answer(200 if tokens else 400, json.dumps(tokens or {"error": "invalid_grant"}))
                return
            asked = _flat(url.query)
            known = asked.get("client_id") == provider.client_id and asked.get("redirect_uri") == provider.redirect_uri
            to = provider.authorize({name: asked[name] for name in ASKED}, said) if known else None
            self.answer(302 if to else 401, "No such person." if to is None else "", "text/plain", to=to)

        def client(self) -> tuple[str, str]:
            pair = base64.b64decode(self.headers.get("Authorization", "Basic ").removeprefix("Basic ")).decode()
            name, _, secret = pair.partition(":")
            return unquote(name), unquote(secret)

        def answer(self, status: int, text: str, kind: str = "application/json", *, to: str | None = None) -> None:
            body = text.encode()
            self.send_response(status)
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Location", to)):
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """The tests' output stays theirs."""

    return Handler


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
