"""No password is shown, whatever signs it holds and wherever it stands."""

import pytest
from sqlalchemy.engine import URL

from mmplat.store.engine import hidden
from mmplat.urls import masked, scrubbed, unclear

SIGNS = (
    "pa@ss",
    "pa/ss",
    "pa#ss",
    "pa?ss",
    "pa%ss",
    "pa:ss",
    "pa&ss",
    "pa=ss",
    "pa;ss",
    "pa ss",
    "@pass",
    "pass@",
    "p@a@ss",
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://lab:pass@host/db", "postgresql://lab:***@host/db"),
        ("postgresql://user:pa@ss@host", "postgresql://user:***@host"),
        ("postgresql://user:pa/ss@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user:pa#ss@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user:pa%40ss@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user:pa?ss@host/db", "postgresql://***"),
        ("postgresql://lab@host/db", "postgresql://lab@host/db"),
        ("postgresql://host/db?password=pass&sslmode=require", "postgresql://host/db?password=***&sslmode=require"),
        ("postgresql://host/db?sslpassword=pa&ss", "postgresql://host/db?sslpassword=***&***"),
        ("postgresql://host/db?pasword=pass", "postgresql://host/db?pasword=***"),
        ("postgresql://host:5432/db?password=pa@ss", "postgresql://***"),
        ("https://host/path?token=pass#pass", "https://host/path?token=***#***"),
        ("https://host/path#access_token=pass", "https://host/path#***"),
        ("sqlite:////home/a@b/c.db", "sqlite:////home/a@b/c.db"),
        ("./mlruns", "./mlruns"),
        ("lab:pass@host", "***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert masked(url) == shown


@pytest.mark.parametrize("password", SIGNS)
@pytest.mark.parametrize(
    "form", ["postgresql://lab:{}@host/db", "http://lab:{}@host:5000", "postgresql://h/db?password={}"]
)
def test_no_part_of_a_password_is_shown(password, form):
    pieces = [piece for piece in ("pa", "ss") if piece in password]
    shown = masked(form.format(password)).replace("password", "")
    assert not any(piece in shown for piece in pieces), shown


@pytest.mark.parametrize("password", SIGNS)
def test_a_url_of_the_store_is_shown_without_its_password(password):
    assert (
        hidden(URL.create("postgresql+psycopg", "lab", password, "host", 1, "db"))
        == "postgresql+psycopg://lab:***@host:1/db"
    )


def test_a_driver_that_repeats_the_url_or_the_password_is_scrubbed():
    url = "postgresql://lab:pa%40ss@host/db?sslpassword=hunter2"
    said = f'no login with "pa@ss" at {url}: hunter2, or pa%40ss?'
    assert scrubbed(said, url) == 'no login with "***" at postgresql://lab:***@host/db?sslpassword=***: ***, or ***?'


@pytest.mark.parametrize("password", ["pa@ss", "pa/ss", "pa?ss", "pa#ss"])
def test_a_sign_that_must_be_encoded_is_refused_without_repeating_it(password):
    reason = unclear(f"http://lab:{password}@host/path")
    assert reason is not None
    assert "@ as %40" in reason
    assert "pa" + password[2] not in reason
    assert (
        unclear("http://lab:pa%40ss@host/path") is unclear("sqlite:////home/a@b@c.db") is unclear("http://host") is None
    )
