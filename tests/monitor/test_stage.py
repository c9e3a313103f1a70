"""The stage: nothing to watch, something found, nothing to do again."""

from datetime import date

import pandas as pd

from flows.core.calls import write_calls
from flows.core.files import read_json
from flows.monitor.simulator import Traffic, simulate
from flows.monitor.stage import run


def test_an_empty_log_is_no_failure(project):
    assert run(str(project.root)).summary == "no production calls logged yet: nothing to watch"


def test_it_finds_what_the_simulator_planted_and_then_has_nothing_to_do(project, now):
    write_calls(project, simulate(Traffic(date(2026, 8, 1), 60, seed=5, provider_change_day=45)), part="simulated")

    first = run(str(project.root), clock=lambda: now)
    again = run(str(project.root), clock=lambda: now)

    result = read_json(project.data("monitor", "alarms.json"), remedy="")
    channels = pd.read_parquet(project.data("monitor", "channels.parquet"))
    assert sorted(channels.loc[channels["alarm"], "channel"]) == sorted(alarm["channel"] for alarm in result["alarms"])
    assert "output_tokens" in {alarm["channel"] for alarm in result["alarms"]}
    assert [change["day"] for change in result["provider_changes"]] == ["2026-09-15"]
    assert first.did_work
    assert not again.did_work
    assert again.summary == first.summary
