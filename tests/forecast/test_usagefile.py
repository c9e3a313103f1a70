"""Which rows of an outside usage file are trusted: other tools' names, currencies, clocks, and corrupted logs."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from flows.cli.main import main
from flows.core.errors import InputError
from flows.forecast import frame
from flows.forecast.params import ForecastParams
from flows.forecast.usagefile import read_usage

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
CALL = {"event_id": "e1", "ts": "2026-11-20T10:00:00Z", "model": "m", "prompt_tokens": 100, "completion_tokens": 20}


@pytest.fixture
def read(tmp_path):
    """Read JSON lines as a usage file."""

    def run(*rows):
        path = tmp_path / "usage.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_usage(path, now=NOW)

    return run


def test_calls_are_read_under_the_names_of_other_tools(read):
    found = read(CALL, CALL, CALL | {"event_id": "e2", "completion_tokens": 5})

    assert found.rows.groupby("unique_id")["y"].sum().to_dict() == {"answer/m/input": 200, "answer/m/output": 25}
    assert found.notes == ("1 exact copies counted once",)


def test_amounts_in_another_currency_are_set_aside(read):
    rows = [{"ds": "2026-11-01", "unique_id": name, "y": 5, "currency": name} for name in ("USD", "EUR", "")]

    found = read(*[row | {"unique_id": "a"} if row["currency"] != "EUR" else row for row in rows])

    assert found.rows["unique_id"].tolist() == ["a"]
    assert "1 row(s) set aside: in another currency than USD (line 2)" in found.notes


def test_one_foreign_currency_is_taken_as_it_is(read):
    rows = [{"ds": f"2026-11-0{day}", "unique_id": "a", "y": 5, "currency": "eur"} for day in (1, 2)]

    assert read(*rows).rows["y"].tolist() == [5, 5]


def test_times_without_a_zone_are_utc_and_epochs_are_no_times(read):
    times = ["2026-11-19T10:00:00", "2026-11-20T01:00:00+02:00", 1763632800, "1970-01-01T00:00:00Z", "20/11/2026"]

    found = read(*[CALL | {"event_id": str(time), "ts": time} for time in times])

    assert sorted({f"{when:%m-%d %H}" for when in found.rows["ds"]}) == ["11-19 10", "11-19 23"]
    assert "1 time(s) without a zone read as UTC" in found.notes
    assert "1 row(s) set aside: before 2015 (line 4)" in found.notes


def test_an_only_day_counts_once_it_is_over_and_else_the_reason_names_what_was_left_out(read):
    found, params = read(CALL, CALL | {"event_id": "e2", "prompt_tokens": -1}), ForecastParams()

    assert frame.read(found.rows, params, now=NOW).days[0].day == 20
    with pytest.raises(InputError, match="no complete UTC day yet \\(1 row\\(s\\) set aside: input_tokens negative"):
        frame.read(found.rows, params, notes=found.notes, now=datetime(2026, 11, 20, 23, tzinfo=UTC))


def test_a_failed_call_is_usage_of_zero(read):
    assert read(CALL | {"prompt_tokens": 0, "completion_tokens": 0}).rows["y"].tolist() == [0]


def make(script, *words):
    subprocess.run([sys.executable, str(script), *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def bad(shared_data, tmp_path_factory):
    """The folder of bad inputs."""
    folder = tmp_path_factory.mktemp("bad")
    make(shared_data.parent / "faults" / "badinputs.py", "--out", folder)
    return folder


@pytest.mark.slow
@pytest.mark.shared_data
def test_no_bad_log_is_a_crash_or_tells_a_secret(bad, capsys):
    files = sorted((bad / "logs").glob("*.jsonl"))

    codes = {path.name: main(["forecast", "--usage", str(path), "--horizon", "7", "--json"]) for path in files}

    assert len(codes) > 10
    assert set(codes.values()) == {0}
    printed = capsys.readouterr()
    assert "CANARY" not in printed.out + printed.err
    assert "2126" not in printed.out


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["configs", "tables", "golden", "artifacts"])
def test_files_that_are_no_usage_no_prices_and_no_events_are_refused(bad, tmp_path, capsys, folder):
    usage = tmp_path / "usage.csv"
    usage.write_text("ds,unique_id,y\n" + "".join(f"2026-06-{day:02},a,5\n" for day in range(1, 29)))

    for path in sorted((bad / folder).iterdir()):
        assert main(["forecast", "--usage", str(path)]) in (65, 66)
        for option in ("--events", "--prices"):
            assert main(["forecast", "--usage", str(usage), option, str(path)]) in (2, 65, 66)
    assert "CANARY" not in "".join(capsys.readouterr())


@pytest.mark.slow
@pytest.mark.shared_data
def test_a_corrupted_log_is_forecast_like_the_clean_one(shared_data, tmp_path, capsys):
    make(
        shared_data.parent / "faults" / "logcorrupt.py",
        *("--out", tmp_path, "--rows", 6000, "--rate", 0.05, "--seed", 3),
    )

    def total(kind):
        path = tmp_path / f"{kind}.jsonl"
        path.write_bytes(b"".join(part.read_bytes() for part in sorted((tmp_path / kind).glob("*.jsonl"))))
        assert main(["forecast", "--usage", str(path), "--horizon", "14", "--json"]) == 0
        return json.loads(capsys.readouterr().out)["total"]["mean"]

    assert total("dirty") == pytest.approx(total("clean"), rel=0.06)
