"""Records of other tools end in the same rows; the calls log goes out as spans and cost rows."""

import csv
import io
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from flows.cli.main import main
from flows.core.calls import read_calls
from flows.core.errors import ParamsError, ProviderDownError, ProviderRefusedError, UsageError
from flows.core.project import Project
from flows.forecast.callrow import Reader
from flows.forecast.exporting import focus_csv, send_spans
from flows.forecast.importing import import_files
from flows.forecast.mappings import read_mapping

OPENAI = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1760000000, "model": "gpt-4.1-mini-2025-04-14",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}},
}  # fmt: skip
ANTHROPIC = {
    "id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "usage": {
        "input_tokens": 300, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 100, "output_tokens": 100,
    },
}  # fmt: skip
LITELLM = {
    "request_id": "r1", "call_type": "acompletion", "startTime": "2025-10-09T08:53:20.5", "spend": 0.00038,
    "endTime": "2025-10-09T08:53:21.5", "model": "gpt-4.1-mini", "custom_llm_provider": "openai", "user": "u1",
    "prompt_tokens": 1000, "completion_tokens": 100, "status": "success",
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 600}}},
}  # fmt: skip
LANGFUSE = {
    "id": "o1", "traceId": "t1", "type": "GENERATION", "name": "answer", "startTime": "2025-10-09T08:53:20.500Z",
    "endTime": "2025-10-09T08:53:21.500Z", "model": "gpt-4.1-mini", "promptName": "answer", "promptVersion": 3,
    "usageDetails": {"input": 400, "input_cached_tokens": 600, "output": 100}, "costDetails": {"total": 0.00038},
}  # fmt: skip
SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat gpt-4.1-mini",
    "startTimeUnixNano": "1760000000500000000", "endTimeUnixNano": "1760000001500000000", "attributes": [
        {"key": "gen_ai.system", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4.1-mini"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}},
        {"key": "gen_ai.usage.cache_read.input_tokens", "value": {"intValue": "600"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 100}},
    ],
}  # fmt: skip
BUCKETS = {
    "object": "page", "data": [{"object": "bucket", "start_time": 1760000000, "end_time": 1760086400, "results": [
        {"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 100,
         "input_cached_tokens": 600, "num_model_requests": 5, "model": "gpt-4.1-mini"},
    ]}],
}  # fmt: skip


def trace(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


FORMS = {
    "openai": OPENAI,
    "openai batch": {"custom_id": "a", "response": {"status_code": 200, "body": OPENAI}},
    "openai usage export": BUCKETS,
    "anthropic": {"timestamp": 1760000000, "response": ANTHROPIC},
    "litellm": LITELLM,
    "langfuse": LANGFUSE,
    "otlp": trace({"name": "db", "attributes": []}, SPAN),
}
FAIR = (400 * 0.4 + 600 * 0.1 + 100 * 1.6) / 1e6
COSTS = {"openai batch": FAIR / 2, "anthropic": (300 * 3 + 600 * 0.3 + 100 * 3.75 + 100 * 15) / 1e6}


@pytest.fixture
def bring(project, tmp_path, now):
    def run(*records, name="calls.jsonl", **options):
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        report = import_files(project, [path], Reader(now), **options)
        return report, read_calls(project)

    return run


@pytest.mark.parametrize("form", FORMS)
def test_every_tools_record_is_recognised_and_means_the_same(bring, form):
    report, calls = bring(FORMS[form])

    row = calls.iloc[0]
    assert (report.kept, report.rejected.total()) == (1, 0)
    assert (row["input_tokens"], row["cached_input_tokens"], row["output_tokens"]) == (1000, 600, 100)
    assert row["started_at"].date() == datetime(2025, 10, 9, tzinfo=UTC).date()
    assert row["cost_usd"] == pytest.approx(COSTS.get(form, FAIR))
    assert row["provider"] == ("anthropic" if form == "anthropic" else "openai")


@pytest.mark.parametrize(
    ("record", "options"),
    [({"usage": "none"}, {"form": "openai"}), ({"data": [3]}, {"form": "openai"}), (trace({"attributes": [{}]}), {})],
)
def test_a_record_not_of_its_form_is_quarantined(bring, record, options):
    report, calls = bring(record, **options)

    assert (report.rejected.total(), len(calls)) == (1, 0)


def test_what_is_no_model_call_is_counted_and_not_kept(bring):
    report, calls = bring(LANGFUSE, LANGFUSE | {"id": "o2", "type": "SPAN"})

    assert (report.kept, report.not_calls, len(calls)) == (1, 1, 1)


def test_one_bad_span_does_not_cost_its_neighbours(bring):
    report, _ = bring(trace({**SPAN, "startTimeUnixNano": "0"}, {**SPAN, "spanId": "a" * 16}))

    assert (report.kept, dict(+report.rejected)) == (1, {"missing_field": 1})


def test_a_json_document_and_csv_are_read_as_well(project, tmp_path, now):
    (tmp_path / "export.json").write_text(json.dumps([LANGFUSE, LANGFUSE | {"id": "o2"}], indent=1))
    lines = ["id,timestamp,model,input_tokens,output_tokens,cost", "c1,2025-10-09T09:00Z,gpt-4.1-mini,10,2,0.5"]
    lines += ["c2,2025-10-09T09:00Z,gpt-4.1-mini,1.5,2,", "c3,2025-10-09T09:00Z", "", "c4,2025-10-09T09:00Z,m,0x10,2,"]
    (tmp_path / "calls.csv").write_text("\n".join(lines))

    report = import_files(project, [tmp_path / "export.json", tmp_path / "calls.csv"], Reader(now))

    assert (report.kept, dict(+report.rejected), report.blank) == (3, {"not_integer": 2, "bad_row": 1}, 1)


def test_a_mapping_names_the_fields_of_any_table(bring, tmp_path):
    (tmp_path / "map.yaml").write_text(
        "fields: {id: uuid, time: when, model: llm.name, input_tokens: in, output_tokens: out}\n"
        "constants: {provider: acme, use_case: search}\ntime_unit: ms\n"
    )
    record = {"uuid": 7, "when": 1760000000000, "llm": {"name": "gpt-4.1-mini"}, "in": 10, "out": 2, "team": "blue"}

    report, calls = bring(record, mapping=read_mapping(tmp_path / "map.yaml"))

    assert report.kept == 1
    assert (calls["use_case"][0], calls["provider"][0]) == ("search", "acme")
    assert json.loads(calls["metadata"][0])["team"] == "blue"


@pytest.mark.parametrize("text", ["fields: {identity: a}", "field: {}", "time_unit: weeks"])
def test_a_wrong_mapping_is_refused_by_name(tmp_path, text):
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(ParamsError):
        read_mapping(tmp_path / "map.yaml")


def test_an_unknown_format_gets_the_nearest_one(bring):
    with pytest.raises(UsageError, match="Did you mean 'langfuse'"):
        bring(OPENAI, form="langfus")


@contextmanager
def collector(status=200, answer=b"{}"):
    """A receiver of OTLP JSON on loopback; yields its address and what it received."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_a_collector_receives_imports_as_the_same_calls(make_calls, tmp_path, now):
    times = pd.date_range("2026-06-01", periods=600, freq="min", tz="UTC")
    calls = make_calls(
        times, conversation_id="c1", latency_ms=250.0, finish_reason="stop", release_id="f" * 32,
        time_to_first_token_ms=125.0, prompt_id="answer@0123456789ab", prompt="who is Ann?",
    )  # fmt: skip
    with collector() as (url, received):
        assert send_spans(calls, url) == (600, 0)

    assert [kind for _, kind, _ in received] == ["application/json"] * 2
    (tmp_path / "params.yaml").write_text("ingest: {}\n")
    (tmp_path / "spans.jsonl").write_text("".join(json.dumps(body) + "\n" for *_, body in received))
    project = Project.open(tmp_path)
    import_files(project, [tmp_path / "spans.jsonl"], Reader(now.replace(year=2028)))
    back = read_calls(project)
    assert "Ann" not in json.dumps(received)
    same = [
        "started_at",
        "request_model",
        "prompt_id",
        "latency_ms",
        "time_to_first_token_ms",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "release_id",
        "finish_reason",
    ]
    assert back[same].equals(calls.sort_values("started_at")[same].reset_index(drop=True))


def test_what_a_collector_refuses_is_not_taken_for_delivered(make_calls, noons):
    with collector(answer=b'{"partialSuccess": {"rejectedSpans": "2"}}') as (url, _):
        assert send_spans(make_calls(noons(5)), url) == (3, 2)


@pytest.mark.parametrize(("status", "error"), [(503, ProviderDownError), (400, ProviderRefusedError)])
def test_a_collector_that_fails_is_an_error_of_the_right_class(make_calls, noons, status, error):
    with collector(status) as (url, _), pytest.raises(error):
        send_spans(make_calls(noons(1)), url)


def test_spans_leave_this_machine_only_encrypted(make_calls, noons):
    with pytest.raises(UsageError):
        send_spans(make_calls(noons(1)), "http://collector.example/v1/traces")


def test_focus_rows_add_up_and_no_cell_is_a_formula(make_calls, noons):
    calls = make_calls(noons(3), model="=1+1", cost_usd=[0.1, 0.2, None])

    rows = list(csv.DictReader(io.StringIO(focus_csv(calls))))

    assert [row["BilledCost"] for row in rows] == ["0.1", "0.2", ""]
    assert rows[0]["SkuId"] == "'=1+1"
    assert (rows[0]["ChargePeriodStart"], rows[0]["ChargePeriodEnd"]) == (
        "2026-06-01T00:00:00Z",
        "2026-06-02T00:00:00Z",
    )
    assert rows[0]["ConsumedQuantity"] == "1100"


def test_the_commands_import_and_export(project, tmp_path, capsys):
    (tmp_path / "calls.jsonl").write_text(json.dumps(OPENAI) + "\nnot json\n")
    base = ["--project", str(project.root), "cost"]

    assert main([*base, "import", str(tmp_path / "calls.jsonl"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kept"], found["quarantined_by_reason"]) == (1, {"bad_json": 1})
    assert main([*base, "export", "--focus", str(tmp_path / "focus.csv")]) == 0
    assert (tmp_path / "focus.csv").read_text().count("\n") == 2
    with collector() as (url, received):
        assert main([*base, "export", "--otlp", url]) == 0
    assert len(received) == 1
    assert main([*base, "export"]) == 2
    assert main([*base, "import", "nothing.jsonl"]) == 66
