"""A real HTTP server on the loopback that speaks the chat-completions protocol, well or as badly as a script says."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from mmplat.ids import seed_from

Told = list[tuple[str, float]]
Behaviour = Callable[["Handler", dict[str, Any]], bool]
"""Does something to a request instead of answering it; False: answers it after all."""
HELLO = "Is snow white"


def text_of(body: dict[str, Any]) -> str:
    return next(part["text"] for part in body["messages"][-1]["content"] if part["type"] == "text")


def pictures_of(body: dict[str, Any]) -> list[np.ndarray]:
    urls = [part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    raw = [base64.b64decode(url.removeprefix("data:image/png;base64,")) for url in urls]
    return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in raw]


def made_up(body: dict[str, Any]) -> Told:
    """A model without weights: seeded by what it is shown, normalised over 40 tokens, likes to say yes."""
    pictures = [seed_from(p.tobytes().hex()) for p in pictures_of(body)]
    rng = np.random.default_rng(seed_from(text_of(body), pictures))
    tokens = [" yes", "Yes", "no", " No", "A", " B", " C", "D", *(f" w{i}" for i in range(32))]
    logits = rng.normal(0, 1, len(tokens)) + np.array([5.0, 3.0, 4.5, 2.0, 4.0, 4.0, 4.0, 4.0, *[-2.0] * 32])
    logprobs = logits - np.logaddexp.reduce(logits)
    return sorted(zip(tokens, logprobs.tolist(), strict=True), key=lambda pair: -pair[1])


@dataclass
class Endpoint:
    """What the server is, and what was asked of it."""

    told: Callable[[dict[str, Any]], Told] = made_up
    most: int = 20
    """Log-probabilities of one token at most; 0: it tells none."""
    served: str = "remote-2026-01-01"
    key: str | None = None
    """Asked for where it is given."""
    usage: dict[str, int] | None = field(default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 1})
    script: deque[Behaviour] = field(default_factory=deque)
    """What happens to the next questions about samples, one entry each."""
    always: Behaviour | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Answered questions about samples."""
    times: list[float] = field(default_factory=list)
    """When questions about samples came, answered or not."""
    headers: list[dict[str, str]] = field(default_factory=list)
    busiest: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0

    def next(self) -> Behaviour | None:
        with self.lock:
            return self.script.popleft() if self.script else self.always

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        told = self.told(body)
        tells = body.get("logprobs") and self.most
        shown = [{"token": t, "logprob": p, "bytes": None} for t, p in told[: body.get("top_logprobs", 0)]]
        choice = {
            "index": 0,
            "finish_reason": "length",
            "message": {"role": "assistant", "content": told[0][0] if tells else self.draw(body, told)},
            "logprobs": {"content": [{**shown[0], "top_logprobs": shown}]} if tells else None,
        }
        return {"id": "x", "object": "chat.completion", "created": 0, "model": self.served, "choices": [choice],
                "usage": self.usage}  # fmt: skip

    def draw(self, body: dict[str, Any], told: Told) -> str:
        if not body["temperature"]:
            return told[0][0]
        probs = np.exp(np.array([p for _, p in told]) / body["temperature"])
        rng = np.random.default_rng(body.get("seed", 0))
        return f"{told[rng.choice(len(told), p=probs / probs.sum())][0]}."


class Handler(BaseHTTPRequestHandler):
    server: Any
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        endpoint: Endpoint = self.server.endpoint
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with endpoint.lock:
            endpoint.busy += 1
            endpoint.busiest = max(endpoint.busiest, endpoint.busy)
        try:
            self.serve(endpoint, body)
        finally:
            with endpoint.lock:
                endpoint.busy -= 1

    def serve(self, endpoint: Endpoint, body: dict[str, Any]) -> None:
        endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self.path != "/v1/chat/completions":
            return self.error(404, f"no such path {self.path}")
        if endpoint.key and self.headers["Authorization"] != f"Bearer {endpoint.key}":
            return self.error(401, f"Incorrect API key provided: {self.headers['Authorization']}")
        if endpoint.most and body.get("top_logprobs", 0) > endpoint.most:
            return self.error(400, f"top_logprobs must be at most {endpoint.most}")
        if not text_of(body).startswith(HELLO):
            endpoint.times.append(time.monotonic())
            misbehave = endpoint.next()
            if misbehave is not None and misbehave(self, body):
                return None
            endpoint.bodies.append(body)
        return self.send(200, json.dumps(endpoint.reply(body)))

    def error(self, status: int, message: str, **headers: str) -> None:
        self.send(status, json.dumps({"error": {"message": message, "type": "x", "code": None}}), **headers)

    def send(self, status: int, text: str, **headers: str) -> None:
        raw = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(raw)


# Behaviours, for scripts.


def fails(status: int, message: str = "no", **headers: str) -> Behaviour:
    def behave(handler: Handler, body: dict[str, Any]) -> bool:
        handler.error(status, message, **headers)
        return True

    return behave


def says(text: str) -> Behaviour:
    def behave(handler: Handler, body: dict[str, Any]) -> bool:
        handler.send(200, text)
        return True

    return behave


def cut_off(handler: Handler, body: dict[str, Any]) -> bool:
    """Promises more than it sends, and hangs up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.connection.close()
    handler.close_connection = True
    return True


def slowly(seconds: float) -> Behaviour:
    def behave(handler: Handler, body: dict[str, Any]) -> bool:
        time.sleep(seconds)
        return False

    return behave


def well(handler: Handler, body: dict[str, Any]) -> bool:
    return False


def where(condition: Callable[[dict[str, Any]], bool], behaviour: Behaviour) -> Behaviour:
    return lambda handler, body: condition(body) and behaviour(handler, body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hung up after its timeout is part of the play


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    server = Server(("127.0.0.1", 0), Handler)
    server.endpoint = endpoint  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def probability(told: Told, *tokens: str) -> float:
    return sum(math.exp(p) for t, p in told if t in tokens)
