"""The stage: a project of which nothing is known yet, one with operations, and the same bytes twice."""

from datetime import date

import pandas as pd
import pytest

from flows.core.calls import write_calls
from flows.core.files import read_json, write_json
from flows.core.project import Project
from flows.monitor import stage as monitor
from flows.monitor.simulator import Traffic, simulate
from flows.report import stage
from flows.report.page import shown
from tests.report.test_page import acting


def html(project):
    return project.data("report", "index.html").read_text()


def test_an_empty_project_is_not_measured_rather_than_zero(project):
    record = stage.run(str(project.root))

    assert record.summary.endswith("made from 0 artifacts")
    assert html(project).count("Not measured") >= 6
    assert acting(html(project)) == []


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    """A project with two months of calls, monitored, and an index manifest."""
    root = tmp_path_factory.mktemp("operated")
    (root / "params.yaml").write_text("report: {}\n")
    project = Project.open(root)
    write_calls(project, simulate(Traffic(date(2026, 8, 1), 60, seed=5, provider_change_day=45)), part="simulated")
    monitor.run(str(project.root))
    fingerprint = {"model": "m", "backend": "b", "precision": "p", "dims": 3}
    manifest = {"version": 3, "tag": "c-1", "rows": 10, "index_kind": "exact", "recall_at_10": 1.0}
    write_json(project.data("embed", "manifest.json"), manifest | {"fingerprint": fingerprint})
    return project


@pytest.mark.slow
def test_what_is_known_is_shown_with_its_artifact(operated):
    stage.run(str(operated.root))

    text = html(operated)
    assert "<b>1.000</b>" in text
    assert 'href="../embed/manifest.json"' in text
    assert text.count("<svg") == 1
    assert "2026-09-15" in text
    assert acting(text) == []


@pytest.mark.slow
def test_the_same_artifacts_give_the_same_bytes_and_then_nothing_to_do(operated):
    stage.run(str(operated.root), force=True)
    first = html(operated)
    again = stage.run(str(operated.root))
    stage.run(str(operated.root), force=True)

    assert not again.did_work
    assert html(operated) == first


@pytest.mark.slow
def test_the_tables_beside_it_hold_the_numbers(operated):
    stage.run(str(operated.root))

    cost = pd.read_parquet(operated.data("report", "daily_cost.parquet"))
    assert cost["calls"].sum() == cost["unpriced_calls"].sum() > 0
    assert read_json(operated.data("report", "report.json"), remedy="")["artifacts"]["manifest"]["rows"] == 10


@pytest.mark.slow
def test_budgets_stand_with_their_owners_and_what_the_log_spent_of_them(operated):
    operated.params_file.write_text(
        "provider: {budgets: [{name: answers, owner: support, period: month, use_case: answer, hard_usd: 500}]}\n"
    )
    stage.run(str(operated.root))

    calls = pd.read_parquet(operated.data("calls"))
    month = calls[calls["started_at"].dt.strftime("%Y-%m") == calls["started_at"].max().strftime("%Y-%m")]
    text = html(operated)
    assert "<h3>Budgets</h3>" in text
    assert "<td>support</td><td>answer</td><td>2026-09</td><td>none</td><td>$500.00</td>" in text
    assert shown(float(month["cost_usd"].sum())) in text
