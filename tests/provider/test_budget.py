"""A limit holds for any number of threads and processes, and unknown outcomes stay set aside."""

import re
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.core.errors import BudgetError, IntegrityError, ParamsError
from flows.core.project import STAGES, Project
from flows.core.scope import current_run, one_run
from flows.provider import budget
from flows.provider.budget import Ledger, Limits
from flows.provider.params import USE_CASES, Budget, ProviderParams
from flows.provider.session import _limits

NOW = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
RACER = """
import sys
from datetime import datetime, UTC
from uuid import uuid4
from flows.core.errors import BudgetError
from flows.core.project import Project
from flows.provider.budget import Ledger, Limits
ledger = Ledger(Project.open(sys.argv[1]), run_id="shared", use_case="x", limits=Limits(run_usd=1.0))
won = 0
for _ in range(30):
    call = uuid4().hex
    try:
        ledger.reserve(call, 0.03, provider="p", model="m", now=datetime(2026, 11, 1, tzinfo=UTC))
    except BudgetError:
        continue
    won += 1
    ledger.settle(call, 0.02)
print(won)
"""


def ledger(project, run="run", **limits) -> Ledger:
    return Ledger(project, run_id=run, use_case="evaluation", limits=Limits(**limits))


def reserve(book, usd, call=None, now=NOW) -> str:
    call = call or uuid4().hex
    book.reserve(call, usd, provider="p", model="m", now=now)
    return call


def test_a_reservation_that_does_not_fit_is_refused_with_every_number(project):
    book = ledger(project, run_usd=1.0)
    book.settle(reserve(book, 0.5), 0.25)
    reserve(book, 0.5)
    with pytest.raises(BudgetError) as caught:
        reserve(book, 0.3)
    for part in ("0.300000", "1.000000", "spent 0.250000", "reserved 0.500000", "--max-usd", "resume"):
        assert part in str(caught.value)
    reserve(book, 0.25)
    assert book.committed_usd() == 1.0


def test_a_budget_of_zero_refuses_the_first_paid_call_and_no_free_one(project):
    book = ledger(project, run_usd=0.0)
    reserve(book, 0.0)
    with pytest.raises(BudgetError):
        reserve(book, 1e-9)


def test_an_unknown_outcome_keeps_its_reservation(project):
    book = ledger(project, run_usd=1.0)
    book.settle(reserve(book, 1.0), None)
    with pytest.raises(BudgetError):
        reserve(book, 0.001)


def test_a_killed_process_leaves_its_reservation(project):
    reserve(ledger(project, day_usd=1.0), 0.8)
    with pytest.raises(BudgetError, match="the UTC day 2026-11-30"):
        reserve(ledger(project, run="next", day_usd=1.0), 0.3)


def test_a_damaged_ledger_stops_spending_and_names_the_file(project):
    path = project.state("ledger.sqlite")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(IntegrityError, match=r"ledger\.sqlite"):
        ledger(project)


def test_settling_twice_counts_once(project):
    book = ledger(project)
    call = reserve(book, 0.5)
    book.settle(call, 0.1)
    book.settle(call, 0.4)
    assert book.committed_usd() == pytest.approx(0.1)


def test_runs_have_limits_of_their_own_and_share_day_and_month(project):
    first, second = (ledger(project, run=run, run_usd=1.0, month_usd=1.5) for run in ("a", "b"))
    reserve(first, 1.0)
    with pytest.raises(BudgetError, match="the UTC month 2026-11"):
        reserve(second, 0.6)
    reserve(second, 0.6, now=NOW + timedelta(minutes=1))


def test_a_call_settles_on_the_day_it_was_reserved(project):
    book = ledger(project, day_usd=1.0)
    call = reserve(book, 1.0)
    reserve(book, 1.0, now=NOW + timedelta(minutes=5))
    book.settle(call, 0.4)
    reserve(book, 0.6)


@settings(max_examples=25)
@given(costs=st.lists(st.tuples(st.floats(0, 0.4), st.one_of(st.none(), st.floats(0, 1))), max_size=30))
def test_what_is_committed_is_the_sum_of_settled_and_reserved(tmp_path_factory, costs):
    folder = tmp_path_factory.mktemp("law")
    (folder / "params.yaml").write_text("a: 1\n")
    book, expected = ledger(Project.open(folder), run_usd=2.0), 0.0
    for worst, share in costs:
        try:
            call = reserve(book, worst)
        except BudgetError:
            continue
        book.settle(call, None if share is None else worst * share)
        expected += worst if share is None else worst * share
    assert book.committed_usd() == pytest.approx(expected, abs=1e-7)
    assert book.committed_usd() <= 2.0
    book.close()


def test_twenty_threads_never_exceed_a_dollar(project):
    book, won = ledger(project, run_usd=1.0), []

    def spend() -> None:
        for _ in range(10):
            try:
                won.append(reserve(book, 0.03))
            except BudgetError:
                return

    threads = [threading.Thread(target=spend) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 33
    assert book.committed_usd() == pytest.approx(0.99)


def race(project, processes: int) -> int:
    command = [sys.executable, "-c", RACER, str(project.root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(int(process.communicate(timeout=120)[0]) for process in running)


def test_processes_never_exceed_a_dollar(project):
    won = race(project, 4)
    assert 49 <= won <= 50  # 0.02 each once settled, and 0.03 must fit at the moment of asking
    assert ledger(project, run="shared").committed_usd() <= 1.0


@pytest.mark.slow
def test_twenty_processes_never_exceed_a_dollar(project):
    assert 40 <= race(project, 20) <= 50
    assert ledger(project, run="shared").committed_usd() <= 1.0


def named(**values) -> Budget:
    return Budget(name="nightly", owner="quality", period="day", **values)


def test_a_budget_of_one_flow_stops_that_flow_and_no_other_and_names_its_owner(project):
    mine = {"budgets": (named(stage="evaluate", hard_usd=1.0),)}
    reserve(ledger(project, **mine), 0.8)
    with pytest.raises(BudgetError, match=r"'nightly' of quality in the UTC day 2026-11-30: 0\.800000"):
        reserve(ledger(project, run="next", **mine), 0.3)
    judge = Ledger(project, run_id="x", use_case="judge", limits=Limits(**mine))
    with pytest.raises(BudgetError):
        reserve(judge, 0.3)
    other = Ledger(project, run_id="x", use_case="indexing", limits=Limits(**mine))
    reserve(other, 5.0)
    reserve(ledger(project, run="later", **mine), 1.0, now=NOW + timedelta(minutes=1))


def test_a_soft_limit_warns_once_and_lets_the_call_go(project, caplog):
    book = ledger(project, budgets=(named(soft_usd=0.5),))
    reserve(book, 0.4)
    assert not caplog.records
    reserve(book, 0.4)
    reserve(book, 0.4)
    (record,) = caplog.records
    assert "'nightly' of quality" in record.getMessage()
    assert "soft limit of 0.500000" in record.getMessage()


def test_a_ledger_of_before_the_budgets_counts_what_it_holds(project):
    old = ledger(project)
    old.settle(reserve(old, 0.9), 0.6)
    with sqlite3.connect(project.state("ledger.sqlite")) as base:
        base.execute("DELETE FROM totals WHERE scope LIKE '%:evaluation'")
        base.execute("PRAGMA user_version = 0")
    with pytest.raises(BudgetError, match=r"0\.600000 USD of it are taken"):
        reserve(ledger(project, run="new", budgets=(named(use_case="evaluation", hard_usd=1.0),)), 0.5)
    assert ledger(project).committed_usd() == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "soft_usd, hard_usd or both"),
        ({"soft_usd": 2, "hard_usd": 1}, "lies above"),
        ({"hard_usd": 1, "stage": "evalute"}, "Did you mean 'evaluate'"),
        ({"hard_usd": 1, "stage": "embed", "use_case": "indexing"}, "not of both"),
    ],
)
def test_a_budget_that_says_nothing_sound_is_refused(values, said):
    with pytest.raises(ValueError, match=said):
        named(**values)


def test_two_budgets_of_one_name_are_refused():
    twice = [{"name": "a", "owner": "b", "period": "day", "hard_usd": 1}] * 2
    with pytest.raises(ParamsError, match="two budgets are called 'a'"):
        ProviderParams.parse({"budgets": twice}, where="params.yaml")


def test_each_flow_asks_under_the_use_case_its_budget_counts():
    flows = Path(budget.__file__).parents[1]
    asked = {
        (stage.name, found)
        for stage in flows.iterdir()
        for path in stage.glob("*.py")
        for found in re.findall(r'open_provider\([^)]*use_case="(\w+)"', path.read_text())
        if stage.name in STAGES
    }
    assert asked <= {(stage, use_case) for stage, names in USE_CASES.items() for use_case in names}


def test_sessions_of_one_run_share_its_limit_and_its_id(project):
    project.params_file.write_text("provider: {budget_usd_per_run: 2.0}\n")
    with one_run(0.5) as run:
        limits = [_limits(ProviderParams.load(project), given).run_usd for given in (None, 0.2)]
        with one_run(9.0) as inner:
            assert inner is run
    assert limits == [0.5, 0.2]
    assert current_run() is None
