"""Imports are exact: in any order, read twice, killed and resumed, with every record accounted for."""

import json
import os
import random
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.core.calls import read_calls
from flows.core.project import Project
from flows.forecast import rejected
from flows.forecast.callrow import Reader
from flows.forecast.importing import import_files
from flows.forecast.spending import exact

OK = {
    "event_id": "e1", "ts": "2026-10-20T10:00:00Z", "model": "gpt-4o-mini-2024-07-18", "prompt_tokens": 100,
    "completion_tokens": 20, "latency_ms": 321.5, "status": "ok", "cost_usd": "0.000027",
}  # fmt: skip
KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import flows.forecast.importing as importing
from flows.core.project import Project
from flows.forecast.callrow import Reader
count, last = 0, int(sys.argv[2])
write = importing.write_calls
def dying(*args, **options):
    global count
    if count == last:
        os.kill(os.getpid(), 9)
    count += 1
    write(*args, **options)
importing.write_calls = dying
reader = Reader(datetime(2026, 11, 21, tzinfo=UTC))
importing.import_files(Project.open(sys.argv[1]), [Path(name) for name in sys.argv[3:]], reader)
"""


@pytest.fixture
def bring(project, tmp_path, now):
    """Write lines to a file and import it."""

    def run(*rows, name="log.jsonl", **options):
        path = tmp_path / name
        path.write_bytes(
            b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows) + b"\n"
        )
        return import_files(project, [path], Reader(now), **options)

    return run


def state(project):
    calls = read_calls(project)
    return sorted(calls["call_id"]), exact(calls["cost_usd"].dropna()), rejected.by_reason(project)


WRONG = {
    "negative": OK | {"prompt_tokens": -5},
    "not_finite": json.dumps(OK).replace('"0.000027"', "NaN").encode(),
    "not_integer": OK | {"prompt_tokens": 10.5},
    "out_of_range": OK | {"prompt_tokens": 2**63},
    "missing_field": {key: value for key, value in OK.items() if key != "model"},
    "bad_json": b'{"event_id": "e',
    "bad_encoding": json.dumps(OK).encode().replace(b"e1", b"\xff\xfe"),
    "not_an_object": b"[]",
    "future": OK | {"ts": "2126-01-01T00:00:00Z"},
    "naive_timestamp": OK | {"ts": "2026-10-20T10:00:00"},
    "bad_timestamp": OK | {"ts": 1763632800000},
    "bad_number": OK | {"cost_usd": "1,000.5"},
    "inconsistent": OK | {"cached_input_tokens": 101},
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_wrong_record_is_quarantined_with_reason_and_line_and_costs_only_itself(bring, project, reason):
    report = bring(OK | {"event_id": "good"}, WRONG[reason])

    assert (report.kept, dict(+report.rejected)) == (1, {reason: 1})
    refused = rejected.read(project).iloc[0]
    assert (refused["source"], refused["line"], refused["reason_code"]) == ("log.jsonl", 2, reason)
    assert len(read_calls(project)) == 1


@pytest.mark.parametrize(
    "row",
    [
        OK | {"prompt_tokens": "12"}, OK | {"prompt_tokens": True}, OK | {"prompt_tokens": 1e30},
        OK | {"cost_usd": "1e309"}, OK | {"ts": "20/11/2026"}, OK | {"ts": "1970-01-01T00:00:00Z"},
        OK | {"model": None}, b"3", b"not json", {},
    ],
)  # fmt: skip
def test_nothing_that_is_no_count_no_time_or_no_cost_gets_in(bring, row):
    assert bring(row).rejected.total() == 1


def test_copies_count_once_and_contradictions_are_set_aside_on_both_sides(bring, project):
    report = bring(OK, OK, OK | {"event_id": "e2"}, OK | {"event_id": "e2", "completion_tokens": 999})

    assert (report.kept, report.copies, dict(+report.rejected)) == (1, 1, {"id_conflict": 2})


def test_a_contradiction_that_comes_later_takes_the_row_out_of_the_log_again(bring, project):
    bring(OK, OK | {"event_id": "e2"})
    report = bring(OK | {"completion_tokens": 999}, name="later.jsonl")

    assert (report.demoted, len(read_calls(project))) == (1, 1)
    assert rejected.by_reason(project) == {"id_conflict": 2}
    before = state(project)
    assert bring(OK, OK | {"event_id": "e2"}).kept == 0
    assert state(project) == before


def test_publishing_in_pieces_counts_the_same(bring, project, monkeypatch):
    monkeypatch.setattr("flows.forecast.importing.FLUSH_ROWS", 2)
    rows = [OK | {"event_id": f"e{i}"} for i in range(5)]

    report = bring(*rows, rows[0], rows[1] | {"completion_tokens": 999})

    assert (report.kept, report.copies, dict(+report.rejected), report.demoted) == (4, 1, {"id_conflict": 2}, 0)
    assert len(read_calls(project)) == 4


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 2)), min_size=1, max_size=12),
    cuts=st.integers(1, 4), seed=st.randoms(),
)  # fmt: skip
def test_order_repetition_and_division_do_not_matter(tmp_path_factory, now, ids, cuts, seed):
    rows = [OK | {"event_id": name, "completion_tokens": version} for name, version in ids]
    found = []
    for order in (rows, [*seed.sample(rows, len(rows)), *rows[:2]]):
        folder = tmp_path_factory.mktemp("world")
        (folder / "params.yaml").write_text("ingest: {}\n")
        project = Project.open(folder)
        for part in range(cuts):
            path = folder / f"part-{part}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in order[part::cuts]))
            import_files(project, [path], Reader(now))
        found.append(state(project))
    assert found[0] == found[1]


def test_a_given_cost_is_kept_an_absent_one_is_priced_and_an_unknown_one_stays_unknown(bring, project):
    bare = {key: value for key, value in OK.items() if key != "cost_usd"}
    bring(OK, bare | {"event_id": "e2"}, bare | {"event_id": "e3", "model": "gpt-99-turbo"})

    costs = {json.loads(row.metadata)["imported_id"]: row.cost_usd for row in read_calls(project).itertuples()}
    assert costs["e1"] == 0.000027
    assert costs["e2"] == pytest.approx((100 * 0.15 + 20 * 0.6) / 1e6)
    assert costs["e3"] != costs["e3"]


def test_other_currencies_are_kept_and_not_added_up(bring, project):
    bring(OK, OK | {"event_id": "e2", "currency": "EUR", "cost_usd": None, "cost": "1.00"})

    assert exact(read_calls(project)["cost_usd"].dropna()) == Decimal("0.000027")
    assert '"currency":"EUR"' in read_calls(project)["metadata"].str.cat()


def test_days_are_utc_days_across_daylight_saving(bring, project):
    times = ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-03-08T03:00:00-04:00")
    bring(*(OK | {"event_id": f"d{i}", "ts": time} for i, time in enumerate(times)))

    days = read_calls(project)["started_at"].dt.strftime("%dT%H:%M").tolist()
    assert days == ["08T07:00", "25T00:30", "25T01:30"]


def test_secrets_in_errors_are_masked_and_markup_is_inert_text(bring, project):
    error = "401 Incorrect API key provided: sk-proj-CANARYLOG0123456789"
    bring(OK | {"error": error, "note": f"Bearer {'x' * 20}", "headers": {"Authorization": "Bearer sk-CANARYLOGH"}})

    stored = b"".join(path.read_bytes() for path in project.data("calls").rglob("*.parquet"))
    assert b"CANARYLOG" not in stored
    assert read_calls(project)["error_class"][0].startswith("401 Incorrect API key provided: [key]")


@pytest.mark.parametrize(("privacy", "stored"), [("none", 0), ("hashed", 71), ("full", 20_000)])
def test_a_huge_prompt_is_cut_hashed_or_left_out_by_the_privacy_setting(project, tmp_path, now, privacy, stored):
    (tmp_path / "a.jsonl").write_text(json.dumps(OK | {"prompt": "x" * 300_000}))
    import_files(project, [tmp_path / "a.jsonl"], Reader(now, privacy=privacy))

    row = read_calls(project).iloc[0]
    assert (len(row["prompt"]) if isinstance(row["prompt"], str) else 0) == stored
    if privacy == "full":
        assert json.loads(row["metadata"])["prompt_chars"] == 300_000


def test_an_erased_call_does_not_come_back_nor_contradict_itself(bring, project):
    bring(OK)
    path = next(project.data("calls").glob("date=*/*.parquet"))
    frame = read_calls(project).assign(metadata="{}")
    frame.to_parquet(path, index=False)

    assert (bring(OK).copies, read_calls(project)["metadata"].tolist()) == (1, ["{}"])


@pytest.fixture
def corrupted(shared_data, tmp_path):
    """A corrupted log with its truth: (files, what a correct reader must report)."""
    script = shared_data.parent / "faults" / "logcorrupt.py"
    words = ["--out", str(tmp_path / "log"), "--rows", "3000", "--rate", "0.1", "--seed", "5", "--part-rows", "500"]
    subprocess.run([sys.executable, str(script), *words], check=True, capture_output=True)
    return sorted((tmp_path / "log" / "dirty").glob("*.jsonl")), json.loads(
        (tmp_path / "log" / "truth.json").read_text()
    )


def found_in(project):
    calls = read_calls(project)
    usd = calls[calls["cost_usd"].notna()]
    by_day = usd.groupby(usd["started_at"].dt.strftime("%Y-%m-%d"))["cost_usd"]
    return {
        "rows": len(calls), "prompt_tokens": int(calls["input_tokens"].sum()),
        "completion_tokens": int(calls["output_tokens"].sum()), "quarantined_by_reason": rejected.by_reason(project),
        "usd_by_day": {day: exact(costs) for day, costs in by_day},
        "usd_by_model": {model: exact(costs) for model, costs in usd.groupby("request_model")["cost_usd"]},
    }  # fmt: skip


def truth_of(truth):
    want = truth["expected"]
    decimals = {
        key: {name: Decimal(cost) for name, cost in want[key].items()} for key in ("usd_by_day", "usd_by_model")
    }
    return {
        key: want[key] for key in ("rows", "prompt_tokens", "completion_tokens", "quarantined_by_reason")
    } | decimals


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled", "twice", "halves"])
def test_a_corrupted_log_gives_exactly_the_truth(project, corrupted, now, order):
    files, truth = corrupted
    reader = Reader(now.replace(day=21))
    orders = {
        "forward": [files], "backward": [files[::-1]], "shuffled": [random.Random(3).sample(files, len(files))],
        "twice": [files, files], "halves": [files[3:], files[:3], files[3:]],
    }  # fmt: skip
    for part in orders[order]:
        report = import_files(project, part, reader)

    assert found_in(project) == truth_of(truth)
    if order == "forward":
        fates = (report.records, report.copies, report.blank)
        assert fates == (
            truth["lines_in_dirty"],
            *(truth["expected"][k] for k in ("exact_copies_dropped", "blank_lines")),
        )


@pytest.mark.slow
@pytest.mark.shared_data
def test_an_import_killed_anywhere_is_finished_by_running_it_again(project, corrupted):
    files, truth = corrupted
    words = [str(path) for path in files]
    for days in (0, 7, 30):
        done = subprocess.run([sys.executable, "-c", KILLED, str(project.root), str(days), *words], capture_output=True)
        assert done.returncode == -9, done.stderr[-500:]
    subprocess.run([sys.executable, "-c", KILLED, str(project.root), "-1", *words], check=True, env=os.environ)

    assert found_in(project) == truth_of(truth)
