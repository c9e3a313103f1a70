"""`llmops cost`: one body, the whole log, a bill."""

import json

import pytest
import yaml

from flows.cli.main import main
from flows.core.calls import Call, journal
from flows.core.ids import content_id

BODY = {"usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}}}
FOR_BODY = ["--provider", "openai", "--model", "gpt-4.1-mini", "--at", "2026-11-01", "--json"]


@pytest.fixture
def spent(project, now):
    with journal(project, "none") as log:
        for number, cost in enumerate([0.25, 0.5, None]):
            log.append(
                Call(
                    content_id(number), now, "answer", "answer", "chat", "openai", "gpt-4.1-mini", status="ok",
                    input_tokens=1_000_000, output_tokens=0, cost_usd=cost,
                )
            )  # fmt: skip
    return project


def run(capsys, *words, code=0):
    assert main([str(word) for word in words]) == code
    return capsys.readouterr()


def test_one_body_is_priced_without_a_project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.json").write_text(json.dumps(BODY))

    found = json.loads(run(capsys, "cost", "of", "--usage-body", "body.json", *FOR_BODY).out)

    assert found.pop("price_source").startswith("genai-prices")
    assert found == {
        "input_tokens": 1000, "cached_input_tokens": 600, "output_tokens": 100, "reasoning_tokens": 0,
        "cost_usd": 0.00038,
    }  # fmt: skip


def test_a_batch_costs_half_and_says_so(tmp_path, capsys):
    (tmp_path / "body.json").write_text(json.dumps(BODY))

    found = json.loads(run(capsys, "cost", "of", "--usage-body", tmp_path / "body.json", *FOR_BODY, "--batch").out)

    assert (found["cost_usd"], found["price_source"][-12:]) == (0.00019, "batch at 50%")


def test_a_model_without_a_price_costs_null(tmp_path, capsys):
    (tmp_path / "body.json").write_text(json.dumps(BODY))
    words = ["--provider", "openai", "--model", "gpt-99", "--at", "2026-11-01", "--json"]

    found = json.loads(run(capsys, "cost", "of", "--usage-body", tmp_path / "body.json", *words).out)

    assert (found["cost_usd"], found["price_source"], found["input_tokens"]) == (None, None, 1000)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"usage": {"prompt_tokens": NaN}}', "{}"])
def test_a_body_that_is_none_is_an_error_with_a_remedy(tmp_path, capsys, text):
    (tmp_path / "body.json").write_text(text)

    assert run(capsys, "cost", "of", "--usage-body", tmp_path / "body.json", *FOR_BODY, code=66).err.startswith("error")


def test_the_log_is_summed_by_any_dimension(spent, capsys):
    found = json.loads(run(capsys, "--project", spent.root, "cost", "show", "--by", "model,day", "--json").out)

    assert found["groups"][0]["day"] == "2026-11-01"
    assert (found["total"]["cost_usd"], found["total"]["unpriced_calls"]) == (0.75, 1)
    assert "1 unpriced" in run(capsys, "--project", spent.root, "cost", "show").out
    later = run(capsys, "--project", spent.root, "cost", "show", "--since", "2026-11-02", "--json").out
    assert json.loads(later)["total"]["calls"] == 0


@pytest.mark.parametrize(("amount", "code"), [("0.75", 0), ("0.76", 1)])
def test_a_bill_that_differs_by_a_cent_ends_with_1(spent, tmp_path, capsys, amount, code):
    (tmp_path / "bill.csv").write_text(f"day,cost_usd\n2026-11-01,{amount}\n")

    assert "billed" in run(capsys, "--project", spent.root, "cost", "reconcile", tmp_path / "bill.csv", code=code).out


def test_a_history_of_prices_becomes_own_prices(project, tmp_path, capsys):
    columns = "snapshot_date,event,model,provider,input_cost_per_mtok,cache_read_input_cost_per_mtok,"
    columns += "cache_creation_input_cost_per_mtok,output_cost_per_mtok"
    (tmp_path / "h.csv").write_text(f"{columns}\n2024-01-01,added,acme/one,acme,2,,,8\n")

    run(capsys, "--project", project.root, "cost", "prices", tmp_path / "h.csv", "--source", "a table")

    rows = yaml.safe_load(project.data("prices", "history.yaml").read_text())["prices"]
    assert [(row["token_type"], row["usd_per_mtok"]) for row in rows] == [("input", 2.0), ("output", 8.0)]


def test_what_no_call_says_is_unknown_and_not_left_out(spent, capsys):
    lines = run(capsys, "--project", spent.root, "cost", "show").out.splitlines()

    assert [" ".join(line.split()) for line in lines if line.startswith("  per ")] == [
        "per answer $0.250000, 3 counted",
        "per accepted answer unknown, nothing says how many",
        "per document unknown, nothing says how many",
    ]


def test_rows_of_another_currency_are_named_beside_the_bill(spent, tmp_path, capsys):
    (tmp_path / "bill.csv").write_text("month,cost_usd,currency\n2026-11,0.75,USD\n2026-11,3,EUR\n")

    out = run(capsys, "--project", spent.root, "cost", "reconcile", tmp_path / "bill.csv").out

    assert "not compared: 1 line(s)" in out


def test_a_day_that_is_none_is_refused_with_an_example(spent, capsys):
    assert "written like 2026-11-01" in run(capsys, "cost", "show", "--since", "2026-13-01", code=2).err
    assert "written like 2026-11-01" in run(capsys, "monitor", "simulate", "--start", "yesterday", code=2).err


def test_names_keep_their_capitals_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["cost", "export", "--help"])

    assert "an OpenTelemetry collector" in " ".join(capsys.readouterr().out.split())
