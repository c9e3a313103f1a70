"""Never spend more than allowed: reserve the worst case before a call, settle the truth after it.

One SQLite ledger per project (WAL, `synchronous=FULL`: a reservation is on the disk before the
request leaves). A check and its reservation are one transaction, so any number of processes share
a limit without exceeding it. A call whose outcome is unknown keeps its reservation. Money is
counted in whole nano-dollars, because sums of floats drift.
"""

import math
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.core.errors import BudgetError, IntegrityError, LockedError
from flows.core.project import Project

NANO = 1_000_000_000
BUSY_S = 30.0  # how long a process waits for another one's transaction of milliseconds
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    call_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, use_case TEXT NOT NULL, provider TEXT NOT NULL,
    model TEXT NOT NULL, at TEXT NOT NULL, reserved_nano INTEGER NOT NULL, settled_nano INTEGER,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'unknown'))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (scope TEXT PRIMARY KEY, nano INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Limits:
    """What may be spent in USD; None = no limit."""

    run_usd: float | None = None
    day_usd: float | None = None
    month_usd: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is any limit at all."""
        return any(limit is not None for limit in (self.run_usd, self.day_usd, self.month_usd))


class Ledger:
    """The project's ledger of reservations, as one run sees it; safe to use from several threads.

    Args:
        project: The project.
        run_id: The run whose own limit counts.
        use_case: Recorded with every entry.
        limits: What may be spent.
    """

    def __init__(self, project: Project, *, run_id: str, use_case: str, limits: Limits) -> None:
        self.run_id, self.use_case, self.limits = run_id, use_case, limits
        path = project.state("ledger.sqlite")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        with _readable():
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.executescript(_SCHEMA)

    def reserve(self, call_id: str, worst_usd: float, *, provider: str, model: str, now: datetime) -> None:
        """Set the worst case of a call aside.

        Raises:
            BudgetError: It does not fit; says what is spent, reserved and allowed, and how to go on.
        """
        nano = math.ceil(worst_usd * NANO)
        with self._transaction() as base:
            for scope, (what, limit) in self._scopes(now).items():
                if limit is not None and _total(base, scope) + nano > _nano(limit):
                    raise BudgetError(self._explain(base, what, limit, worst_usd))
            base.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 'reserved')",
                (call_id, self.run_id, self.use_case, provider, model, _utc(now).isoformat(), nano),
            )
            self._add(base, now, nano)

    def settle(self, call_id: str, usd: float | None) -> None:
        """Replace a reservation by what the call cost; None = unknown, so the reservation stays."""
        with self._transaction() as base:
            row = base.execute(
                "SELECT reserved_nano, at FROM entries WHERE call_id = ? AND state = 'reserved'", (call_id,)
            ).fetchone()
            if row is None:
                return
            spent = None if usd is None else round(usd * NANO)
            base.execute(
                "UPDATE entries SET settled_nano = ?, state = ? WHERE call_id = ?",
                (spent, "unknown" if spent is None else "settled", call_id),
            )
            if spent is not None:
                self._add(base, datetime.fromisoformat(row[1]), spent - row[0])

    def committed_usd(self) -> float:
        """Return what this run has spent and reserved, in USD."""
        with self._transaction() as base:
            return _total(base, f"run:{self.run_id}") / NANO

    def close(self) -> None:
        """Close the ledger."""
        self._base.close()

    def _scopes(self, now: datetime) -> Mapping[str, tuple[str, float | None]]:
        day = _utc(now).date().isoformat()
        return {
            f"run:{self.run_id}": ("this run", self.limits.run_usd),
            f"day:{day}": (f"the UTC day {day}", self.limits.day_usd),
            f"month:{day[:7]}": (f"the UTC month {day[:7]}", self.limits.month_usd),
        }

    def _add(self, base: sqlite3.Connection, now: datetime, nano: int) -> None:
        base.executemany(
            "INSERT INTO totals VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET nano = nano + excluded.nano",
            [(scope, nano) for scope in self._scopes(now)],
        )

    def _explain(self, base: sqlite3.Connection, what: str, limit: float, worst_usd: float) -> str:
        rows = base.execute(
            "SELECT SUM(COALESCE(settled_nano, 0)), SUM(CASE WHEN settled_nano IS NULL THEN reserved_nano ELSE 0 END)"
            " FROM entries WHERE run_id = ?",
            (self.run_id,),
        ).fetchone()
        spent, reserved = ((value or 0) / NANO for value in rows)
        return (
            f"the next call may cost {worst_usd:.6f} USD, which does not fit into the limit of {limit:.6f} USD for "
            f"{what}: this run has spent {spent:.6f} and reserved {reserved:.6f} USD. Finished work is kept: raise "
            "`--max-usd` or provider.budget_usd_per_* in params.yaml and run again to resume."
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _readable():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")


@contextmanager
def _readable() -> Iterator[None]:
    """Say what a ledger that cannot be used means: nothing may be spent."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LockedError(
            f"'.llmops/ledger.sqlite' could not be used for {BUSY_S:.0f} s ({error}), so nothing may be spent. "
            "Wait for the other run to end, or free disk space, and run again to resume."
        ) from None
    except sqlite3.DatabaseError as error:
        raise IntegrityError(
            f"'.llmops/ledger.sqlite' is damaged ({error}), so what was spent is unknown. Move it aside to start a new "
            "ledger; data/calls still holds every call."
        ) from None


def _total(base: sqlite3.Connection, scope: str) -> int:
    row = base.execute("SELECT nano FROM totals WHERE scope = ?", (scope,)).fetchone()
    return int(row[0]) if row else 0


def _nano(usd: float) -> int:
    return math.floor(usd * NANO + 1e-6)


def _utc(now: datetime) -> datetime:
    return now.astimezone(UTC)
