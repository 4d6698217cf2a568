"""Logging in at a real provider, in a real browser: nothing is shown before, and only a token that the provider signed counts."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import oidc_provider
import pytest
from oidc_provider import Provider

from mmplat.artifacts import Results

pytestmark = pytest.mark.browser
authlib = pytest.importorskip("authlib", reason="Authlib is not installed: pip install mmplat[auth]")
Serve = Callable[..., AbstractContextManager[str]]
SECRET = ("world-objects", "world-spurious", "posthoc-none", "lab/fake", "demo")
"""What the results hold, and a stranger must not learn."""


@pytest.fixture(scope="module")
def guarded(made: Results, tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[tuple[str, Provider]]:
    """(address of a dashboard that asks for a login, who is asked)"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    provider = Provider(f"http://127.0.0.1:{port}/oauth2callback", people={"Ann": "correct horse"})
    file = tmp_path_factory.mktemp("lab") / "login.toml"
    with oidc_provider.serving(provider):
        file.write_text(said_to_streamlit(provider), encoding="utf-8")
        with serve(made, port=port, STREAMLIT_SECRETS_FILES=str(file)) as address:
            yield address, provider


def said_to_streamlit(provider: Provider) -> str:
    said = {
        "redirect_uri": provider.redirect_uri, "cookie_secret": secrets.token_hex(), "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "server_metadata_url": f"{provider.url}/.well-known/openid-configuration",
    }  # fmt: skip
    return "[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items())


@pytest.fixture
def stranger(chromium: Any) -> Iterator[Any]:
    """A browser of its own, without cookies; `heard` is all that a server told it."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.heard = []
    page.on("websocket", lambda channel: channel.on("framereceived", lambda frame: page.heard.append(as_bytes(frame))))
    yield page
    context.close()


def as_bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def told(page: Any) -> list[str]:
    """What a reader of this page learnt of the results."""
    everything = b"".join(page.heard) + page.content().encode()
    return [word for word in SECRET if word.encode() in everything]


def log_in(page: Any, address: str, password: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Name").fill("Ann")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("path", ["/", "/samples?suite=world-objects", "/sql?sql=FROM+runs", "/review", "/run?run=f00"])
def test_before_the_login_no_page_tells_anything(stranger: Any, guarded: tuple[str, Provider], path: str) -> None:
    address, _ = guarded
    stranger.goto(address + path)
    stranger.get_by_role("button", name="Log in").wait_for()
    stranger.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    assert set(told(stranger)) <= {word for word in SECRET if word in path}
    assert "Leaderboard" not in stranger.inner_text("body")


def test_whoever_logs_in_sees_the_leaderboard_until_the_logout(
    stranger: Any, guarded: tuple[str, Provider], pictures: Path
) -> None:
    address, _ = guarded
    stranger.goto(address)
    stranger.get_by_role("button", name="Log in").wait_for()
    stranger.screenshot(path=str(pictures / "login-1280.png"))
    log_in(stranger, address, "correct horse")
    stranger.get_by_role("heading", name="Leaderboard").wait_for()
    stranger.wait_for_selector("[data-testid=stVegaLiteChart]")
    assert stranger.url.startswith(address)
    assert set(SECRET) - {"lab/fake"} <= set(told(stranger))
    stranger.screenshot(path=str(pictures / "logged-in-1280.png"))
    stranger.get_by_role("button", name="Log out").click()
    stranger.get_by_role("button", name="Log in").wait_for()
    assert stranger.get_by_role("heading", name="Leaderboard").count() == 0


def test_a_wrong_password_and_a_callback_that_nobody_asked_for_open_nothing(
    stranger: Any, guarded: tuple[str, Provider]
) -> None:
    address, _ = guarded
    log_in(stranger, address, "wrong")
    stranger.get_by_text("No such person.").wait_for()
    stranger.goto(f"{address}/oauth2callback?code=made+up&state=made+up")
    stranger.get_by_role("button", name="Log in").wait_for()
    assert told(stranger) == []


def test_a_token_that_somebody_else_signed_is_refused(
    stranger: Any, guarded: tuple[str, Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, provider = guarded
    monkeypatch.setattr(provider, "signs_with_its_own_key", False)
    log_in(stranger, address, "correct horse")
    stranger.wait_for_url(f"{address}/")
    stranger.get_by_role("button", name="Log in").wait_for()
    assert told(stranger) == []


@pytest.mark.parametrize("text", [None, "[other]\nkey = 1\n"], ids=["gone", "without auth"])
def test_a_file_of_secrets_that_cannot_be_used_lets_nobody_in(
    stranger: Any, made: Results, serve: Serve, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "login.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with serve(made, STREAMLIT_SECRETS_FILES=str(file)) as address:
        stranger.goto(address)
        stranger.get_by_text("Nobody is let in").wait_for()
        assert str(tmp_path) not in stranger.inner_text("body")
        assert told(stranger) == []
