"""The one place that reads the clock, or a day that somebody typed; everything else takes `now` as an argument."""

import argparse
from collections.abc import Callable
from datetime import UTC, date, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC, with its time zone attached."""
    return datetime.now(UTC)


def utc_day(text: str) -> date:
    """Return an option's day; the message says how a day is written."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a day is written like 2026-11-01, not {text!r}") from None
