"""Never spend more than allowed: reserve the worst case before a call, settle the truth after it.

A limit holds for a run, or for a UTC day or month, of all use cases or of one (`provider.budgets`, each with a name
and an owner: a soft limit warns, a hard one stops). One SQLite ledger per project (WAL, `synchronous=FULL`: a
reservation is on the disk before the request leaves). A check and its reservation are one transaction, so any number
of processes share a limit without exceeding it. A call whose outcome is unknown keeps its reservation. Money is
counted in whole nano-dollars, because sums of floats drift.
"""

import logging
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flows.core.errors import BudgetError, IntegrityError, LockedError
from flows.core.project import Project
from flows.provider.params import Budget

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
_VERSION = 1  # of the totals' scopes; an older ledger has its totals added up anew from its entries
_SCOPES = (
    "'run:' || run_id",
    "'day:' || substr(at, 1, 10)",
    "'month:' || substr(at, 1, 7)",
    "'day:' || substr(at, 1, 10) || ':' || use_case",
    "'month:' || substr(at, 1, 7) || ':' || use_case",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What may be spent in USD; None = no limit."""

    run_usd: float | None = None
    day_usd: float | None = None
    month_usd: float | None = None
    budgets: tuple[Budget, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything can stop a call."""
        hard = (self.run_usd, self.day_usd, self.month_usd, *(budget.hard_usd for budget in self.budgets))
        return any(limit is not None for limit in hard)


@dataclass(frozen=True)
class _Limit:
    """One limit as a reservation meets it; `scopes` name the totals whose sum it bounds."""

    scopes: tuple[str, ...]
    what: str
    hard_usd: float | None
    soft_usd: float | None = None


class Ledger:
    """The project's ledger of reservations, as one run sees it; safe to use from several threads.

    Args:
        project: The project.
        run_id: The run whose own limit counts.
        use_case: Recorded with every entry.
        limits: What may be spent.
    """

    def __init__(self, project: Project, *, run_id: str, use_case: str, limits: Limits) -> None:
        self.run_id, self.use_case = run_id, use_case
        self.limits = replace(limits, budgets=tuple(b for b in limits.budgets if b.covers(use_case)))
        self._warned: set[str] = set()
        path = project.state("ledger.sqlite")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        with readable():
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.executescript(_SCHEMA)
        self._bring_up_to_date()

    def reserve(self, call_id: str, worst_usd: float, *, provider: str, model: str, now: datetime) -> None:
        """Set the worst case of a call aside.

        Raises:
            BudgetError: It does not fit; says what is spent, reserved and allowed, and how to go on.
        """
        nano, crossed = math.ceil(worst_usd * NANO), []
        with self._transaction() as base:
            for limit in self._limits(now):
                total = _total(base, *limit.scopes) + nano
                if limit.hard_usd is not None and total > _nano(limit.hard_usd):
                    raise BudgetError(self._explain(base, limit, worst_usd))
                if limit.soft_usd is not None and total > _nano(limit.soft_usd):
                    crossed.append((limit, total / NANO))
            base.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 'reserved')",
                (call_id, self.run_id, self.use_case, provider, model, _utc(now).isoformat(), nano),
            )
            self._add(base, now, nano)
        for limit, total_usd in crossed:
            self._warn(limit, total_usd)

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

    def _limits(self, now: datetime) -> Iterator[_Limit]:
        day = _utc(now).date().isoformat()
        yield _Limit((f"run:{self.run_id}",), "this run", self.limits.run_usd)
        yield _Limit((f"day:{day}",), f"the UTC day {day}", self.limits.day_usd)
        yield _Limit((f"month:{day[:7]}",), f"the UTC month {day[:7]}", self.limits.month_usd)
        for budget in self.limits.budgets:
            period = f"{budget.period}:{budget.since(now)}"
            scopes = tuple(f"{period}:{use_case}" for use_case in budget.use_cases) or (period,)
            what = f"budget {budget.name!r} of {budget.owner} in the UTC {budget.period} {budget.since(now)}"
            yield _Limit(scopes, what, budget.hard_usd, budget.soft_usd)

    def _add(self, base: sqlite3.Connection, now: datetime, nano: int) -> None:
        day = _utc(now).date().isoformat()
        periods = (f"day:{day}", f"month:{day[:7]}")
        scopes = (f"run:{self.run_id}", *periods, *(f"{period}:{self.use_case}" for period in periods))
        base.executemany(
            "INSERT INTO totals VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET nano = nano + excluded.nano",
            [(scope, nano) for scope in scopes],
        )

    def _warn(self, limit: _Limit, total_usd: float) -> None:
        """Say once that a soft limit is passed; the call goes on."""
        if limit.what not in self._warned:
            self._warned.add(limit.what)
            _log.warning(
                "%s: %.6f USD are spent or reserved, beyond its soft limit of %.6f USD. See `llmops cost budgets`.",
                limit.what, total_usd, limit.soft_usd,
            )  # fmt: skip

    def _explain(self, base: sqlite3.Connection, limit: _Limit, worst_usd: float) -> str:
        rows = base.execute(
            "SELECT SUM(COALESCE(settled_nano, 0)), SUM(CASE WHEN settled_nano IS NULL THEN reserved_nano ELSE 0 END)"
            " FROM entries WHERE run_id = ?",
            (self.run_id,),
        ).fetchone()
        spent, reserved = ((value or 0) / NANO for value in rows)
        return (
            f"the next call may cost {worst_usd:.6f} USD, which does not fit into the limit of {limit.hard_usd:.6f} "
            f"USD for {limit.what}: {_total(base, *limit.scopes) / NANO:.6f} USD of it are taken; this run has spent "
            f"{spent:.6f} and reserved {reserved:.6f} USD. Finished work is kept: raise `--max-usd`, "
            "provider.budget_usd_per_* or provider.budgets in params.yaml and run again to resume."
        )

    def _bring_up_to_date(self) -> None:
        with self._transaction() as base:
            if base.execute("PRAGMA user_version").fetchone()[0] >= _VERSION:
                return
            base.execute("DELETE FROM totals")
            for scope in _SCOPES:
                base.execute(
                    f"INSERT INTO totals SELECT {scope}, SUM(COALESCE(settled_nano, reserved_nano)) "  # noqa: S608
                    "FROM entries GROUP BY 1"  # the scopes are our own words
                )
            base.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, readable():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")


@contextmanager
def readable() -> Iterator[None]:
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


def _total(base: sqlite3.Connection, *scopes: str) -> int:
    found = (base.execute("SELECT nano FROM totals WHERE scope = ?", (scope,)).fetchone() for scope in scopes)
    return sum(int(row[0]) for row in found if row)


def _nano(usd: float) -> int:
    return math.floor(usd * NANO + 1e-6)


def _utc(now: datetime) -> datetime:
    return now.astimezone(UTC)
