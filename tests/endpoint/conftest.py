"""An endpoint on the loopback, and grids that name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chat_server import Endpoint, serving

from mmplat.models.endpoint import patience


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits before another try last milliseconds, and no key of whoever runs the tests is used."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.01)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(Endpoint()) as found:
        yield found


GRID = """
campaign: far
models: [{{name: gpt, family: endpoint, params: {params}}}]
suites: [{suites}]
decodings: [{decodings}]
methods: [{methods}]
limit: {limit}
"""


@pytest.fixture
def grid(endpoint: Endpoint) -> Callable[..., str]:
    """The text of a grid that asks the endpoint; keywords beyond the axes are params of the model."""

    def text(
        *,
        suites: str = "world-objects",
        decodings: str = "greedy",
        methods: str = "naive",
        limit: int = 12,
        **params: Any,
    ) -> str:
        return GRID.format(
            params={"url": endpoint.url, "model": "remote", **params},
            suites=suites,
            decodings=decodings,
            methods=methods,
            limit=limit,
        )

    return text
