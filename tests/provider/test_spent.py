"""Budgets show what the ledger holds, by use case and period, and imported calls apart."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from flows.cli.main import main
from flows.core.calls import Call, journal
from flows.provider.budget import Ledger, Limits
from flows.provider.spent import budget_status

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BUDGETS = [
    {"name": "all", "owner": "finance", "period": "month", "soft_usd": 1.0, "hard_usd": 4.0},
    {"name": "gate", "owner": "quality", "period": "day", "stage": "evaluate", "hard_usd": 2.0},
]


@pytest.fixture
def spending(project):
    """A project with two budgets, and a function that spends."""
    project.params_file.write_text(yaml.safe_dump({"provider": {"budgets": BUDGETS, "budget_usd_per_day": 9.0}}))

    def spend(call, usd, *, settled=None, use_case="evaluation", at=NOW):
        book = Ledger(project, run_id="r", use_case=use_case, limits=Limits())
        book.reserve(call, usd, provider="p", model="m", now=at)
        if settled is not None:
            book.settle(call, settled)
        book.close()

    return spend


def by_name(project):
    return {item.name: item for item in budget_status(project, NOW)}


def test_settled_and_reserved_money_counts_in_its_own_period_and_use_case(project, spending):
    spending("a", 0.9, settled=0.5)
    spending("b", 0.4)
    spending("c", 0.7, settled=0.6, use_case="indexing")
    spending("d", 3.0, settled=3.0, at=NOW - timedelta(days=40))
    spending("e", 0.2, settled=0.2, at=NOW - timedelta(days=1))

    found = by_name(project)

    everything, gate = found["all"], found["gate"]
    assert (everything.spent_usd, everything.reserved_usd, everything.left_usd) == pytest.approx((1.3, 0.4, 2.3))
    assert (everything.state, everything.since, everything.owner) == ("beyond soft", "2026-11", "finance")
    assert (gate.spent_usd, gate.reserved_usd, gate.left_usd) == pytest.approx((0.5, 0.4, 1.1))
    assert (gate.state, gate.scope) == ("within", "evaluation, judge")
    assert found["budget_usd_per_day"].left_usd == pytest.approx(9 - 1.5)


def test_a_new_project_has_spent_nothing_and_makes_no_ledger(project, spending):
    assert [item.left_usd for item in budget_status(project, NOW)] == [9.0, 4.0, 2.0]
    assert not project.state("ledger.sqlite").exists()


def test_imported_calls_are_shown_apart(project, spending):
    with journal(project, "full") as log:
        for number, metadata in enumerate(('{"imported_id": "x"}', "{}")):
            log.append(
                Call(
                    call_id=f"{number:032x}",
                    started_at=NOW,
                    step="answer",
                    use_case="answer",
                    operation="chat",
                    provider="openai",
                    request_model="m",
                    status="ok",
                    cost_usd=0.25,
                    metadata=metadata,
                )
            )
    found = by_name(project)
    assert (found["all"].elsewhere_usd, found["gate"].elsewhere_usd) == (0.25, 0.0)
    assert found["all"].left_usd == 4.0


def test_the_command_names_owner_and_state_and_ends_with_1_when_one_is_used_up(project, spending, monkeypatch, capsys):
    monkeypatch.setattr("flows.core.clock.utc_now", lambda: NOW)
    words = ["--project", str(project.root), "cost", "budgets"]
    assert main(words) == 0
    spending("a", 2.0, settled=2.0)
    assert main(words) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "used up: $0.0000 left of hard $2.00 in 2026-11-21, evaluation, judge; spent" in said
    assert "Owner: quality" in said
    assert main([*words, "--json"]) == 1
