"""Tokens and money: a request is sent only where the cap holds even if it costs as much as the dearest one so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmplat.errors import ModelError
from mmplat.models.endpoint.replies import Ledger, Usage
from mmplat.models.endpoint.settings import Settings


class BudgetSpent(ModelError):
    """The next request could pass a cap. What was asked is kept."""


class Budget:
    """What one model of one endpoint may cost in all, over all runs below a results folder."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        self._changed = threading.Condition()
        self._open = 0
        self._known = not self._capped
        """What a request costs: until the first has told, requests go out one at a time."""
        self.tokens, self.cost = 0, 0.0
        self._dearest_tokens, self._dearest_cost = 0, 0.0
        self._count_news()

    @contextmanager
    def request(self) -> Iterator[Callable[[Usage | None], None]]:
        """Holds the price of one request; yields what to call with its usage. Raises BudgetSpent instead of sending it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or (self._known and self._passed() is None))
            passed = self._passed()
            if passed is not None:
                raise BudgetSpent(passed)
            self._open += 1
        try:
            yield self._pay
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def pay(self, usage: Usage | None) -> None:
        """Counts a request that needed no leave: the check before the first sample."""
        with self._changed:
            self._enter(usage)

    def _pay(self, usage: Usage | None) -> None:
        with self._changed:
            self._enter(usage)
            self._known = True

    def _enter(self, usage: Usage | None) -> None:
        if usage is None:
            if self._capped:
                raise ModelError(
                    f"{self._settings.url} does not say what a request used, so no cap can be kept. Remove max_tokens_spent "
                    "and max_cost from the model's params, or ask where usage is told."
                )
            return
        self._ledger.add(usage)
        self._count_news()

    def _count_news(self) -> None:
        for usage in self._ledger.news():
            tokens, cost = usage.prompt_tokens + usage.completion_tokens, self._price(usage)
            self.tokens += tokens
            self.cost += cost
            self._dearest_tokens = max(self._dearest_tokens, tokens)
            self._dearest_cost = max(self._dearest_cost, cost)

    def _price(self, usage: Usage) -> float:
        told, said = self._settings.price_in or 0.0, self._settings.price_out or 0.0
        return (usage.prompt_tokens * told + usage.completion_tokens * said) / 1e6

    @property
    def _capped(self) -> bool:
        return self._settings.max_tokens_spent is not None or self._settings.max_cost is not None

    def _passed(self) -> str | None:
        """Why one more request beside those on their way could pass a cap; None: it could not."""
        held = self._open + 1
        caps = (
            ("max_tokens_spent", self._settings.max_tokens_spent, self.tokens, self._dearest_tokens, ",.0f"),
            ("max_cost", self._settings.max_cost, self.cost, self._dearest_cost, ".6g"),
        )
        for name, cap, spent, dearest, shown in caps:
            if cap is not None and (spent >= cap or spent + held * dearest > cap):
                return (
                    f"{self._settings.model} at {self._settings.url}: {spent:{shown}} of {name} = {cap:{shown}} are spent (over "
                    f"all runs, counted in {self._ledger.path}), and the next request could take {dearest:{shown}}. What was "
                    f"asked is kept: raise {name} in the grid and run the same command again to go on."
                )
        return None
