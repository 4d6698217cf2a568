"""Suites under conditions, as a grid or a recipe names them: checked while it is read, with the place of each mistake."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from mmplat.conditions import bind as bind_condition
from mmplat.conditions import catalog as conditions
from mmplat.errors import ConfigError
from mmplat.numbers import Parameter
from mmplat.records import ConditionSpec, SuiteSpec
from mmplat.suites import catalog as suites


class ConditionEntry(BaseModel):
    """What is changed about the samples of a suite; `as` gives it another name."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), serialize_by_alias=True)

    name: str
    as_: str = Field("", alias="as")
    params: dict[str, Parameter] = Field(default_factory=dict)


def bind_for(
    suite: SuiteSpec, entry: str | ConditionEntry, *, contents: Mapping[str, str] | None = None, where: str = ""
) -> ConditionSpec:
    """The condition of an entry; refused where it would change what the suite's answers are found in."""
    entry = ConditionEntry(name=entry) if isinstance(entry, str) else entry
    condition = bind_condition(entry.name, entry.params, as_name=entry.as_, contents=contents, where=where)
    changes, allowed = conditions.get(condition.kind).changes, _allowed(suites.get(suite.kind).needs)
    if condition.kind not in allowed:
        raise ConfigError(
            f"Condition {entry.name!r}{where} changes the {changes}, and that is where the answers of suite {suite.name!r} are "
            f"found: other answers would be right. Allowed here: {', '.join(allowed) or 'none'}."
        )
    return condition


def _allowed(needs: str) -> list[str]:
    """Conditions that leave alone what a suite needs."""
    kept = ("image", "text") if needs == "both" else (needs,)
    return [name for name, condition in conditions.items() if condition.changes not in kept]
