"""Cost exports: a bill's lines, imported once, counted once, and held against the calls they stand for."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest

from flows.core.calls import read_calls
from flows.core.errors import ContractError
from flows.forecast.callrow import Reader
from flows.forecast.importing import import_files
from flows.forecast.params import OWN_USE_CASES
from flows.forecast.reconcile import read_bill, reconcile
from flows.forecast.spending import spending


def spent(calls, *by):
    return spending(calls, by, lambda *_: None, own_use_cases=OWN_USE_CASES, documents=None, outlier_factor=10.0)


COSTS = {
    "object": "page",
    "data": [
        {
            "object": "bucket", "start_time": int(datetime(2026, 10, day, tzinfo=UTC).timestamp()),
            "results": [
                {"object": "organization.costs.result", "amount": {"value": value, "currency": currency},
                 "line_item": f"gpt-4.1-mini-2025-04-14, {kind}", "project_id": "p"}
                for kind, value, currency in (("input", 1.25, "usd"), ("output", 2.5, "usd"), ("tax", 9.0, "eur"))
            ],
        }
        for day in (1, 2)
    ],
}  # fmt: skip


@pytest.fixture
def exported(project, tmp_path, now):
    """Import a cost export and hand out its file."""
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(COSTS))
    for _ in range(2):
        report = import_files(project, [path], Reader(now))
    assert (report.records, report.kept, report.copies) == (6, 0, 6)
    return path


def test_a_cost_export_is_imported_once_by_day_and_model(project, exported):
    calls = read_calls(project)
    assert calls["request_model"].unique().tolist() == ["gpt-4.1-mini-2025-04-14"]
    assert calls["input_tokens"].isna().all()
    found = spent(calls, "day")
    assert [row["cost_usd"] for row in found.groups] == [3.75, 3.75]
    assert found.other_currencies == {"EUR": {"calls": 2, "cost": "18"}}


def test_a_bills_line_counts_only_where_its_day_has_no_logged_call(project, exported, make_calls):
    day = datetime(2026, 10, 1, 12, tzinfo=UTC)
    call = make_calls([day], cost_usd=3.0)
    both = pd.concat([read_calls(project), call], ignore_index=True)
    found = spent(both, "day")
    assert [row["cost_usd"] for row in found.groups] == [3.0, 3.75]
    assert found.bills_left_out == {"rows": 3, "cost_usd": "3.75"}
    assert spent(both.sample(frac=1, random_state=1), "day").groups == found.groups


def test_a_cost_export_is_a_bill_and_imported_lines_are_no_calls(project, exported, make_calls):
    found = reconcile(read_calls(project), read_bill(exported))
    assert (found["total"]["billed_usd"], found["total"]["logged_usd"]) == ("7.50", "0.00")
    assert found["other_currency_rows"] == 2
    days = [datetime(2026, 10, day, 12, tzinfo=UTC) for day in (1, 2)]
    calls = make_calls(days, model="gpt-4.1-mini-2025-04-14", cost_usd=3.75)
    assert reconcile(calls, read_bill(exported))["agrees"]


def test_a_usage_export_is_no_bill(tmp_path):
    path = tmp_path / "usage.json"
    path.write_text(json.dumps({"data": [{"start_time": 0, "results": [{"input_tokens": 5, "model": "m"}]}]}))
    with pytest.raises(ContractError, match="cost endpoint"):
        read_bill(path)


def test_cents_of_anthropics_cost_report_become_dollars(tmp_path):
    path = tmp_path / "costs.json"
    result = {"currency": "USD", "amount": "123.45", "model": "claude-sonnet-4-5", "cost_type": "tokens"}
    path.write_text(json.dumps({"data": [{"starting_at": "2026-10-01T00:00:00Z", "results": [result]}]}))
    assert read_bill(path).amounts == {("2026-10-01", "anthropic", "claude-sonnet-4-5"): Decimal("1.2345")}


KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import flows.forecast.importing as importing
from flows.core.project import Project
from flows.forecast.callrow import Reader
written, last, write = [], int(sys.argv[2]), importing.write_calls
def dying(*args, **options):
    if len(written) == last:
        os.kill(os.getpid(), 9)
    written.append(1)
    write(*args, **options)
importing.write_calls = dying
importing.import_files(Project.open(sys.argv[1]), [Path(sys.argv[3])], Reader(datetime(2026, 11, 21, tzinfo=UTC)))
"""


@pytest.mark.slow
def test_an_import_of_a_cost_export_killed_between_two_days_is_finished_by_the_next(project, tmp_path):
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(COSTS))
    for last in (0, 1):
        words = [sys.executable, "-c", KILLED, str(project.root), str(last), str(path)]
        assert subprocess.run(words, capture_output=True).returncode == -9
    report = import_files(project, [path], Reader(datetime(2026, 11, 21, tzinfo=UTC)))
    assert (report.records, report.kept + report.copies) == (6, 6)
    assert len(read_calls(project)) == 6
    assert spent(read_calls(project)).total["cost_usd"] == 7.5
