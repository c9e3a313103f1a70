"""The one place that reads the clock; everything else takes `now` as an argument."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC, with its time zone attached."""
    return datetime.now(UTC)
