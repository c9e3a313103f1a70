"""`llmops forecast --usage`: a tool of its own that survives the files people have."""

import json

import numpy as np
import pandas as pd
import pytest

from flows.cli.main import main

DAYS = 70
BAD = {
    "negative": "2026-07-02,a,-5",
    "missing": "2026-07-02,a,",
    "not finite": "2026-07-02,a,1e309",
    "not a number": '2026-07-02,a,"1,000.5"',
    "beyond 2^53": f"2026-07-02,a,{2**63}",
    "ds is no ISO date or time": "02/07/2026,a,5",
    "no unique_id": "2026-07-02,,5",
    "wrong number of fields": "2026-07-02,a",
    "in the future": "2126-01-01,a,5",
}


@pytest.fixture
def ask(tmp_path, capsys):
    """Run the command on CSV lines (or a file) and return its JSON."""

    def run(lines, *options, code=0, name="usage.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        assert main(["forecast", "--usage", str(path), *map(str, options), "--json"]) == code
        printed = capsys.readouterr()
        return json.loads(printed.out) if code == 0 else printed.err

    return run


def amounts(days=DAYS, start="2026-06-01", name="a"):
    rng = np.random.default_rng(3)
    dates = pd.date_range(start, periods=days).strftime("%Y-%m-%d")
    return [f"{day},{name},{1000 + 100 * rng.random():.0f}" for day in dates]


HEADER = "ds,unique_id,y"


def test_the_json_has_the_promised_shape(ask):
    found = ask([HEADER, *amounts(), *amounts(name="b")], "--horizon", 14, "--budget-usd", 30_000)

    assert {"series", "total", "budget", "notes"} <= set(found)
    assert {name: len(rows) for name, rows in found["series"].items()} == {"a": 14, "b": 14}
    assert set(found["series"]["a"][0]) == {"ds", "mean", "lower_80", "upper_80", "lower_95", "upper_95"}
    assert found["total"]["lower_95"] < found["total"]["mean"] < found["total"]["upper_95"]
    assert set(found["budget"]) == {"usd", "p_exceed", "date_p10", "date_p50", "date_p90"}


def test_neither_project_nor_order_of_rows_matters(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = amounts()

    assert ask([HEADER, *lines]) == ask([HEADER, *reversed(lines)])


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_set_aside_with_its_reason_and_line(ask, reason):
    clean = ask([HEADER, *amounts()])

    found = ask([HEADER, *amounts()[:30], BAD[reason], *amounts()[30:]])

    assert found["notes"][0] == f"1 row(s) set aside: {reason} (line 32)"
    assert found["total"] == clean["total"]


def test_a_daily_total_that_was_set_aside_is_unknown_and_not_zero(ask):
    lines = amounts()
    clean = ask([HEADER, *lines])
    lines[60] = lines[60].rsplit(",", 1)[0] + ",NaN"

    found = ask([HEADER, *lines])

    assert found["total"]["mean"] == pytest.approx(clean["total"]["mean"], rel=0.01)
    assert any("read as the mean of the same weekday" in note for note in found["notes"])


def test_copies_count_once_and_a_restated_day_counts_as_restated(ask):
    lines = amounts()
    first = lines[-1]
    lines[-1] = first.rsplit(",", 1)[0] + ",5"

    found = ask([HEADER, *lines, first, lines[0]])

    assert found["total"] == ask([HEADER, *amounts()])["total"]
    assert "1 exact copies counted once" in found["notes"]
    assert any("restated by a later row" in note for note in found["notes"])


def test_daylight_saving_does_not_bend_a_day(ask):
    times = pd.date_range("2026-02-01", "2026-04-15", freq="6h", tz="America/New_York", inclusive="left")
    local = [f"{time.isoformat()},a,10" for time in times]
    utc = [f"{time.tz_convert('UTC').isoformat()},a,10" for time in times]

    assert ask([HEADER, *local])["series"] == ask([HEADER, *utc])["series"]


def test_columns_of_calls_are_priced_by_the_library(ask):
    header = "started_at,provider,request_model,input_tokens,output_tokens,use_case"
    days = pd.date_range("2026-06-01T12:00", periods=40)
    lines = [f"{day.isoformat()}Z,openai,gpt-4.1-mini,1000000,0,answer" for day in days]
    lines += [f"{day.isoformat()}Z,,gpt-99,5,0,answer" for day in days]

    found = ask([header, *lines], "--horizon", 10)

    assert found["unit"] == "USD"
    assert found["total"]["mean"] == pytest.approx(10 * 0.4)
    assert found["series"]["answer/gpt-99/input"][0]["mean"] is None
    assert "unpriced, not in the total: answer/gpt-99/input" in found["notes"]


def test_calls_that_contradict_each_other_or_count_halves_are_set_aside(ask):
    header = "started_at,request_model,input_tokens,output_tokens,call_id"
    days = pd.date_range("2026-06-01T12:00", periods=40)
    lines = [f"{day.isoformat()}Z,gpt-4.1-mini,1000,0,c{i}" for i, day in enumerate(days)]
    clean = ask([header, *lines])
    wrong = ["2026-06-05T13:00Z,gpt-4.1-mini,10.5,0,x", "2026-06-05T13:00Z,gpt-4.1-mini,1,0,y"]
    wrong += ["2026-06-05T13:00Z,gpt-4.1-mini,2,0,y"]

    found = ask([header, *lines, lines[3], *wrong])

    assert found["total"] == clean["total"]
    assert found["notes"][:3] == [
        "1 row(s) set aside: input_tokens not a whole number (line 43)",
        "2 row(s) set aside: one call_id with different content (line 44, 45)",
        "1 exact copies counted once",
    ]


def test_announced_prices_and_events_shape_the_future(ask, tmp_path):
    prices, events = tmp_path / "prices.csv", tmp_path / "events.yaml"
    prices.write_text("unique_id,valid_from,usd_per_mtok\n*,2026-01-01,10\na,2026-08-15,6\n")
    events.write_text("events:\n  - {name: launch, date: 2026-08-20, multiplier: 2}\n")
    days = pd.date_range("2026-06-01", periods=DAYS).strftime("%Y-%m-%d")

    rows = ask([HEADER, *[f"{day},a,1000000" for day in days]], "--prices", prices, "--events", events)["series"]["a"]

    by_day = {row["ds"]: row["mean"] for row in rows}
    assert [by_day[f"2026-08-{day}"] for day in (14, 15, 20)] == pytest.approx([10.0, 6.0, 12.0])


@pytest.mark.parametrize(
    "text",
    [
        "unique_id,ds,usd_per_mtok\nanswer/mine/*,2026-01-01,3\n",
        "model,token_type,usd_per_mtok\nmine,input,3\nmine,output,3\n",
        "model,input_usd_per_mtok,output_usd_per_mtok\nmine,3,3\nother,,1\n",
    ],
)
def test_prices_of_models_may_stand_in_any_of_three_forms(ask, tmp_path, text):
    (tmp_path / "prices.csv").write_text(text)
    days = pd.date_range("2026-06-01T12:00", periods=40)
    calls = [f"{day.isoformat()}Z,mine,1000000,1000000" for day in days]

    words = ["--prices", tmp_path / "prices.csv", "--horizon", 10]
    found = ask(["started_at,request_model,input_tokens,output_tokens", *calls], *words)

    assert found["total"]["mean"] == pytest.approx(60.0)


def test_dollars_are_not_held_against_tokens_without_a_price(ask):
    days = pd.date_range("2026-06-01T12:00", periods=40)
    calls = [f"{day.isoformat()}Z,gpt-99,1000,100" for day in days]

    found = ask(["started_at,request_model,input_tokens,output_tokens", *calls], "--budget-usd", 5)

    assert found["budget"] == {"usd": 5.0, "p_exceed": None, "date_p10": None, "date_p50": None, "date_p90": None}
    assert "nothing is said of the budget" in found["notes"][-1]


def test_a_model_whose_name_only_ends_like_a_priced_one_stays_unpriced(ask, tmp_path):
    (tmp_path / "prices.csv").write_text("model,token_type,usd_per_mtok\nmini,input,3\n")
    names = ("mini/input", "support/mini/input", "azure:mini/input", "gpt-4.1-mini/input")
    lines = [line.replace(",a,", f",{name},") for name in names for line in amounts()]

    found = ask([HEADER, *lines], "--prices", tmp_path / "prices.csv")

    assert [rows[0]["mean"] is None for rows in map(found["series"].get, names)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unique_id,usd_per_mtok\na,nan\n", "no price in USD per million tokens"),
        ("unique_id,usd_per_mtok\na,-1\n", "line 2"),
        ("unique_id,usd_per_mtok\na,1\na,2\n", "second price"),
        ("unique_id,valid_from,usd_per_mtok\na,soon,1\n", "no date"),
        ("unique_id,usd_per_1k\na,1\n", "lacks column"),
        ("unique_id,usd_per_mtok,currency\na,1,USD\nb,1,EUR\n", "currency than USD (line 3)"),
        ("model,input_usd_per_mtok,currency\na,1,EUR\n", "currency than USD (line 2)"),
    ],
)
def test_a_wrong_price_is_refused(ask, tmp_path, text, said):
    (tmp_path / "prices.csv").write_text(text)

    assert said in ask([HEADER, *amounts()], "--prices", tmp_path / "prices.csv", code=65)


@pytest.mark.parametrize(
    ("lines", "options", "code"),
    [
        (["a,b", "1,2"], [], 65),
        (["ds;unique_id;y", "2026-01-01;a;1,50"], [], 65),
        (["ds,unique_id,y,y", "2026-01-01,a,1,1"], [], 65),
        ([HEADER], [], 66),
        ([HEADER, "soon,a,1"], [], 66),
        ([HEADER, *amounts()], ["--horizon", "0"], 2),
        ([HEADER, *amounts()], ["--budget-usd", "-1"], 2),
        ([HEADER, *amounts()], ["--events", "nothing.yaml"], 2),
    ],
)
def test_what_cannot_be_used_is_refused_without_a_traceback(ask, lines, options, code):
    assert ask(lines, *options, code=code).startswith("error: ")


def test_json_lines_and_parquet_are_read_too(ask, tmp_path):
    lines = amounts()
    rows = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in lines]
    want = ask([HEADER, *lines])["total"]
    pd.DataFrame(rows).assign(y=lambda frame: frame["y"].astype(float)).to_parquet(tmp_path / "u.parquet")

    assert ask([json.dumps(row | {"y": float(row["y"])}) for row in rows], name="usage.jsonl")["total"] == want
    assert main(["forecast", "--usage", str(tmp_path / "u.parquet")]) == 0


def test_without_json_a_person_can_read_it(tmp_path, capsys):
    path = tmp_path / "usage.csv"
    path.write_text("\n".join([HEADER, *amounts()]))

    assert main(["forecast", "--usage", str(path), "--budget-usd", "1000"]) == 0
    assert "exceeded with odds 100%, by 2026-" in capsys.readouterr().out
    assert main(["forecast", "--usage", str(path), "--budget-usd", "1e9"]) == 0
    assert "exceeded with odds 0%\n" in capsys.readouterr().out


def test_options_of_the_tool_need_a_usage_table(capsys):
    assert main(["forecast", "--horizon", "7"]) == 2
    assert "--usage FILE" in capsys.readouterr().err
