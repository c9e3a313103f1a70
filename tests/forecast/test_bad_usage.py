"""The bad usage of the fault injector: each row has its fate, in any order, read twice, and no file is a traceback."""

import json
import subprocess
import sys

import pytest

from flows.cli.main import main
from flows.core.calls import read_calls
from flows.forecast import rejected
from flows.forecast.callrow import Reader
from flows.forecast.importing import import_files

pytestmark = [pytest.mark.slow, pytest.mark.shared_data]
FATES = {  # kept, of them without a cost in dollars, refused by reason
    "dst_days": (8, 0, {}),
    "duplicates": (1, 0, {"id_conflict": 2}),
    "float_tokens": (0, 0, {"not_integer": 3, "out_of_range": 2}),
    "future_past": (0, 0, {"bad_timestamp": 4, "future": 1, "naive_timestamp": 1}),
    "html_in_fields": (1, 0, {}),
    "huge_prompt": (1, 0, {}),
    "missing_fields": (1, 0, {"bad_json": 2, "missing_field": 2, "not_an_object": 4}),
    "mixed_currency": (4, 3, {}),
    "nan_cost": (2, 0, {"bad_number": 1, "not_finite": 3}),
    "negative_tokens": (1, 0, {"negative": 1}),
    "out_of_order": (6, 0, {}),
    "secrets_in_log": (1, 0, {}),
    "unknown_model": (2, 0, {"missing_field": 1}),
    "zero_tokens": (1, 0, {}),
}
PRICED = ("--provider", "openai", "--model", "gpt-4.1-mini", "--at", "2026-11-01", "--json")


@pytest.fixture(scope="module")
def cases(shared_data, tmp_path_factory):
    """The written corpus of bad inputs."""
    folder = tmp_path_factory.mktemp("bad")
    script = shared_data.parent / "faults" / "badinputs.py"
    subprocess.run([sys.executable, str(script), "--out", str(folder)], check=True, capture_output=True)
    return folder


def fate(project):
    calls = read_calls(project)
    return len(calls), int(calls["cost_usd"].isna().sum()), rejected.by_reason(project)


@pytest.mark.parametrize("name", sorted(FATES))
def test_every_row_has_its_fate_in_any_order_and_read_twice(project, cases, now, name, tmp_path):
    path = cases / "logs" / f"{name}.jsonl"
    reader = Reader(now.replace(day=21))
    backward = tmp_path / path.name
    backward.write_bytes(b"\n".join(path.read_bytes().splitlines()[::-1]) + b"\n")

    import_files(project, [path], reader)
    assert fate(project) == FATES[name]
    import_files(project, [path], reader)
    assert fate(project) == FATES[name]
    import_files(project, [backward], reader)
    assert fate(project)[:2] == FATES[name][:2]


def test_all_cases_are_tried(cases):
    assert {path.stem for path in (cases / "logs").glob("*.jsonl")} == set(FATES)


def test_no_secret_of_a_log_is_stored(project, cases, now):
    import_files(project, [cases / "logs" / "secrets_in_log.jsonl"], Reader(now.replace(day=21)))
    stored = b"".join(path.read_bytes() for path in project.data().rglob("*") if path.is_file())
    assert b"CANARY" not in stored + read_calls(project).to_csv().encode()


def test_a_wrong_config_is_refused_as_prices_and_as_params_and_shows_no_secret(project, cases, tmp_path, capsys):
    body = tmp_path / "body.json"
    body.write_text('{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}')
    for path in sorted((cases / "configs").glob("*.yaml")):
        project.params_file.write_text("ingest: {}\n")
        own = project.data("prices", "own.yaml")
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(path.read_bytes())
        command = ["--project", str(project.root), "cost"]
        assert main([*command, "of", "--usage-body", str(body), *PRICED]) == 2, path.name
        own.unlink()
        project.params_file.write_bytes(path.read_bytes())
        assert main([*command, "budgets"]) == 2, path.name
        said = "".join(capsys.readouterr())
        assert "CANARY" not in said
        assert "Traceback" not in said


def test_whatever_a_body_holds_it_is_priced_or_refused(cases, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = [*(cases / "logs").iterdir(), *(cases / "configs").iterdir(), *(cases / "artifacts").iterdir()]
    usages = [None, [], {}, {"prompt_tokens": -1}, {"prompt_tokens": 1e400}, {"prompt_tokens": "1"}]
    for number, usage in enumerate(
        [*usages, {"prompt_tokens": 2**80, "completion_tokens": 0}, {"completion_tokens": 1}]
    ):
        (tmp_path / f"{number}.json").write_text(json.dumps({"usage": usage}))
    for path in [*files, *tmp_path.glob("*.json")]:
        code = main(["cost", "of", "--usage-body", str(path), *PRICED])
        said = capsys.readouterr()
        assert code in (0, 66), (path.name, said.err)
        assert code == 66 or json.loads(said.out)["cost_usd"] is None or json.loads(said.out)["cost_usd"] >= 0
