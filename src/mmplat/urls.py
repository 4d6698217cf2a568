"""URLs as messages, logs and files may show them: no password, and no part of one.

A password may stand before the host or among the parameters, and may hold any sign, encoded or not. Whoever prints a URL, or
what a driver says of one, passes it through here.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

HIDDEN = "***"
SHOWN = {
    "application_name", "charset", "connect_timeout", "driver", "host", "immutable", "mode", "port", "sslmode",
    "target_session_attrs", "uri",
}  # fmt: skip
"""Parameters whose values are shown. Any other may be a secret, also by a slip in its name."""
ENCODE = "@ as %40, / as %2F, ? as %3F, # as %23, % as %25"


def masked(url: str) -> str:
    """The URL without its secrets; nothing but its scheme where its secrets cannot be found."""
    scheme, sign, rest = url.partition("://")
    if not sign:
        return url if "@" not in url else HIDDEN
    place, question, query = rest.partition("?")
    if rest.startswith("/"):  # a path: nobody logs in to it
        return f"{scheme}{sign}{place}{question}{_masked_query(query)}"
    if "@" in query:
        return f"{scheme}{sign}{HIDDEN}"
    who, at, where = place.rpartition("@")
    where, fragment, _ = where.partition("#")
    shown = f"{_masked_login(who)}{at}{where}{fragment and f'#{HIDDEN}'}"
    return f"{scheme}{sign}{shown}{question}{_masked_query(query)}"


def _masked_login(who: str) -> str:
    """user:password; a password may hold every sign, a user name that holds one of them may be a piece of a password."""
    user, colon, _ = who.partition(":")
    if re.search(r"[@/#]", user):
        return HIDDEN
    return f"{user}:{HIDDEN}" if colon else user


def _masked_query(query: str) -> str:
    def one(piece: str) -> str:
        name, equals, _ = piece.partition("=")
        if not piece or (equals and name in SHOWN):
            return piece
        return f"{name}={HIDDEN}" if equals else HIDDEN

    return "".join(part if part in "&;#" else one(part) for part in re.split(r"([&;#])", query))


def scrubbed(text: str, url: str) -> str:
    """What a driver says, without the URL and the secrets that it was given, as they were written and as they are read."""
    text = text.replace(url, masked(url))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        for spelling in (secret, unquote(secret), quote(unquote(secret), safe="")):
            text = text.replace(spelling, HIDDEN)
    return text


def _secrets(url: str) -> set[str]:
    place, _, query = url.partition("://")[2].partition("?")
    found = {place.rpartition("@")[0].partition(":")[2]} if not place.startswith("/") else set()
    for piece in re.split(r"[&;#]", query):
        name, _, value = piece.partition("=")
        found |= {value} if name not in SHOWN else set()
    return found - {""}


def unclear(url: str, *, signs: str = "/?#") -> str | None:
    """Why the end of the password in a URL is ambiguous, for a message, which must not repeat it; None: it is not.

    `signs` are those that end the host for whoever reads the URL.
    """
    rest = url.partition("://")[2]
    if rest.startswith("/") or "@" not in rest:
        return None
    login = rest.partition("@")[0]
    if rest.count("@") > 1 or any(sign in login for sign in signs):
        return (
            "it holds a sign that must be encoded in a user name, a password or a parameter, so it cannot be told where "
            f"the password ends (it is not repeated here). Write {ENCODE}"
        )
    return None
