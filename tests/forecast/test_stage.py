"""The stage over a real calls log in a temporary project."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from flows.core.calls import write_calls
from flows.core.contracts import FORECAST
from flows.core.errors import ParamsError
from flows.core.files import write_json
from flows.core.project import Project
from flows.core.runs import Job
from flows.core.tables import read_table
from flows.forecast import stage

FILES = ("forecast.parquet", "summary.json", "backtest.json")


@pytest.fixture(scope="module")
def month(tmp_path_factory, make_calls, noons):
    """A log of 30 days of 20 calls a day, and an evaluation on the day after; written once, copied for each test."""
    folder = tmp_path_factory.mktemp("month")
    (folder / "params.yaml").write_text("forecast: {}\n")
    write_calls(Project.open(folder), make_calls(np.repeat(noons(30), 20)), part="traffic")
    write_calls(Project.open(folder), make_calls(noons(1, start="2026-07-01"), use_case="evaluation"), part="own")
    return folder


@pytest.fixture
def logged(month, project):
    """A project with that log."""
    shutil.copytree(month, project.root, dirs_exist_ok=True)
    return project


def summary(project):
    return json.loads(project.data("forecast", "summary.json").read_text())


def test_an_empty_log_succeeds_and_says_so(project):
    record = stage.run(str(project.root))

    assert record.summary == "no calls logged yet: nothing to forecast"
    assert read_table(project.data("forecast", "forecast.parquet"), FORECAST, remedy="").empty
    assert summary(project)["mean_usd"] is None


def test_only_own_work_or_only_today_is_nothing_to_forecast(project, make_calls, noons):
    write_calls(project, make_calls(noons(1)), part="today")

    assert stage.run(str(project.root)).summary == "no complete day of production calls yet: nothing to forecast"


def test_constant_traffic_costs_what_it_did(logged):
    record = stage.run(str(logged.root))
    found = summary(logged)

    daily = 20 * (1000 * 0.4 + 100 * 1.6) / 1e6
    assert found["as_of"] == "2026-06-30"
    assert found["mean_usd"] == pytest.approx(28 * daily, rel=1e-6)
    assert found["past_usd"] == pytest.approx(28 * daily, rel=1e-6)
    assert found["lower_95"] == pytest.approx(found["upper_95"])
    assert found["unpriced"] == []
    assert found["notes"] == []
    assert "next 28 days after 2026-06-30: 0.31 USD" in record.summary


def test_the_table_holds_series_levels_and_their_sum(logged):
    stage.run(str(logged.root))

    table = read_table(logged.data("forecast", "forecast.parquet"), FORECAST, remedy="")

    assert len(table) == 3 * 28 * 2  # input, output, total
    parts = table[table["unique_id"] != "total"].groupby("ds")["cost_usd"].sum()
    whole = table[table["unique_id"] == "total"].groupby("ds")["cost_usd"].sum()
    np.testing.assert_allclose(parts, whole)


def test_the_same_log_is_nothing_to_do_and_by_force_gives_the_same_bytes(logged):
    stage.run(str(logged.root))
    first = {name: logged.data("forecast", name).read_bytes() for name in FILES}

    assert stage.run(str(logged.root)).did_work is False
    assert stage.run(str(logged.root), force=True).did_work
    assert {name: logged.data("forecast", name).read_bytes() for name in FILES} == first


def test_late_rows_restate_their_day_and_it_is_said(logged, make_calls):
    stage.run(str(logged.root))
    write_calls(logged, make_calls(["2026-06-29T08:00:00Z"], model="gpt-4.1"), part="late")

    record = stage.run(str(logged.root))

    assert "1 day(s) restated since the last run, from 2026-06-29" in record.notes


def test_an_unpriced_model_is_listed_and_not_free(logged, make_calls, noons):
    write_calls(logged, make_calls(noons(30), model="nobody-knows", output_tokens=0, cost_usd=None), part="odd")

    stage.run(str(logged.root))
    found = summary(logged)
    table = read_table(logged.data("forecast", "forecast.parquet"), FORECAST, remedy="")

    assert found["unpriced"] == ["answer/nobody-knows/input"]
    assert found["mean_usd"] == pytest.approx(0.3136, rel=1e-3)
    assert table[table["unique_id"] == "answer/nobody-knows/input"]["cost_usd"].isna().all()
    assert any(note.startswith("unpriced, not in the total") for note in found["notes"])


def test_only_unpriced_models_have_tokens_and_no_cost(project, make_calls, noons):
    write_calls(project, make_calls(noons(24), model="nobody-knows", cost_usd=None), part="odd")

    record = stage.run(str(project.root))

    assert summary(project)["mean_usd"] is None
    assert summary(project)["mean_tokens"] == 28 * 1100
    assert "cost unknown" in record.summary


def test_local_models_cost_nothing_and_that_is_known(project, make_calls, noons):
    write_calls(project, make_calls(noons(24), model="local-extract-1", provider="local", cost_usd=0.0), part="local")

    stage.run(str(project.root))

    assert summary(project)["mean_usd"] == 0
    assert summary(project)["upper_95"] == 0
    assert summary(project)["unpriced"] == []


def test_own_prices_and_their_future_changes_are_used(logged):
    logged.data("prices").mkdir()
    entry = "provider: openai, model: gpt-4.1-mini, source: announced cut, read_on: 2026-06-01"
    logged.data("prices", "own.yaml").write_text(
        "prices:\n"
        f"  - {{{entry}, token_type: input, usd_per_mtok: 0.4, valid_from: 2026-01-01, valid_until: 2026-07-15}}\n"
        f"  - {{{entry}, token_type: input, usd_per_mtok: 0.24, valid_from: 2026-07-15}}\n"
        f"  - {{{entry}, token_type: output, usd_per_mtok: 1.6, valid_from: 2026-01-01}}\n"
    )

    stage.run(str(logged.root))

    expected = 20 * (14 * 1000 * 0.4 + 14 * 1000 * 0.24 + 28 * 100 * 1.6) / 1e6
    assert summary(logged)["mean_usd"] == pytest.approx(expected, rel=1e-6)


def test_nightly_evaluation_and_planned_sums_are_added(logged):
    logged.params_file.write_text(
        "forecast:\n  budget_usd_per_month: 20\n"
        "  events: [{name: re-embed, date: 2026-07-05, cost_usd: 5}]\n"
    )  # fmt: skip
    with Job(logged, "evaluate", params={}).running() as run:
        run.cost_usd = 0.5

    stage.run(str(logged.root))
    found = summary(logged)
    table = read_table(logged.data("forecast", "forecast.parquet"), FORECAST, remedy="")

    assert found["known_usd"] == pytest.approx(14 + 5)
    assert found["mean_usd"] == pytest.approx(19.3136, rel=1e-3)
    assert {"own_work/evaluate", "event/re-embed"} <= set(table["unique_id"])
    assert found["p_exceed"] == 1.0
    assert found["date_p50"] == "2026-07-27"


def test_a_logged_cost_that_prices_do_not_explain_is_noted(project, make_calls, noons):
    write_calls(project, make_calls([*noons(28), "2026-06-29T01:00:00Z"], cost_usd=1.0), part="dear")

    stage.run(str(project.root))

    assert any(note.startswith("logged cost of the last 28 days is 28.00 USD") for note in summary(project)["notes"])


def test_cold_start_is_said(project, make_calls, noons):
    write_calls(project, make_calls(noons(10)), part="few")

    assert any("cold start" in note for note in stage.run(str(project.root)).notes)


def test_a_torn_earlier_backtest_is_replaced(logged):
    write_json(logged.data("forecast", "backtest.json"), {})

    assert stage.run(str(logged.root)).did_work


def test_wrong_params_stop_before_any_work(logged):
    logged.params_file.write_text("forecast: {horizon_days: 0}\n")

    with pytest.raises(ParamsError, match=r"forecast\.horizon_days"):
        stage.run(str(logged.root))
    assert not logged.data("forecast").exists()


def test_pieces_of_a_log_are_said(project, make_calls, noons):
    write_calls(project, make_calls(pd.DatetimeIndex([*noons(24), *noons(2, start="2027-03-01")])), part="two")

    stage.run(str(project.root))

    assert summary(project)["as_of"] == "2026-06-24"
