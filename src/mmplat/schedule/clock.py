"""Cron expressions: when a campaign is due. Local time without a zone, as cron itself reckons."""

from __future__ import annotations

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from mmplat.errors import ConfigError


def check(expression: str) -> None:
    """Refuses what is no cron expression, and what only some programs would understand."""
    if len(expression.split()) != 5 or set("L#") & set(expression.upper().replace("JUL", "")):
        raise _bad(expression, "five fields of numbers, names, `*`, `,`, `-` and `/` are what every cron reads")
    try:
        next(CronSim(expression, datetime.now()))
    except CronSimError as error:
        raise _bad(expression, str(error).lower()) from None
    except (StopIteration, RuntimeError):
        raise _bad(expression, "no such day comes within fifty years") from None


def _bad(expression: str, why: str) -> ConfigError:
    return ConfigError(
        f"{expression!r} is no cron expression: {why}. Write minute, hour, day of the month, month and day of the week: "
        "`0 2 * * *` is every night at two, `30 18 * * 5` every Friday at half past six."
    )


def explain(expression: str) -> str:
    """The expression in words."""
    return CronSim(expression, datetime.now()).explain()


def latest(expression: str, now: datetime) -> datetime:
    """The last minute, up to this one, at which the expression was due."""
    return next(CronSim(expression, now.replace(microsecond=0) + timedelta(seconds=1), reverse=True))


def upcoming(expression: str, now: datetime) -> datetime:
    return next(CronSim(expression, now))
