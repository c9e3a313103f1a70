"""A whole run is estimated, spent and resumed against a priced hosted server that counts tokens as OpenAI does."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from flows.cli.estimate import estimates
from flows.cli.main import main
from flows.core.calls import read_calls
from flows.core.project import STAGES, Project
from tests.provider.fake_openai import FakeOpenAI

ROOT = Path(__file__).resolve().parents[2]
PARAMS = {
    "provider": {"chat_model": "gpt-4.1-mini", "embedding_model": "text-embedding-3-small", "embed_batch": 16},
    "testset": {"questions_per_type": {"simple": 20, "unanswerable": 5}, "challenges_per_kind": 0},
    "evaluate": {"guardrails": {}},
}
ASKING = ("ingest", "embed", "testset", "evaluate")


@pytest.fixture
def hosted(project, monkeypatch):
    """A small corpus whose models are hosted and priced: (project, fake server)."""
    source = ROOT / "data" / "sources" / "handbook"
    shutil.copytree(source / "concepts", project.data("sources", "concepts"))
    shutil.copytree(ROOT / "data" / "prompts", project.data("prompts"))
    project.params_file.write_text(yaml.safe_dump(PARAMS))
    price = {"provider": "127.0.0.1", "source": "made up", "valid_from": "2020-01-01", "read_on": "2026-01-01"}
    rates = {("gpt-4.1-mini", "input"): 40.0, ("gpt-4.1-mini", "output"): 160.0}
    rates |= {("text-embedding-3-small", "input"): 2.0}
    rows = [price | {"model": m, "token_type": kind, "usd_per_mtok": usd} for (m, kind), usd in rates.items()]
    project.data("prices").mkdir(parents=True)
    project.data("prices", "own.yaml").write_text(yaml.safe_dump({"prices": rows}))
    with FakeOpenAI(counting=True) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
        monkeypatch.setenv("LLMOPS_VERSIONING", "off")
        yield project, fake


def run(project, *words):
    return main(["--project", str(project.root), "run", *words])


def estimated(project, capsys, *words):
    capsys.readouterr()
    assert run(project, "--estimate", "--json", *words) == 0
    return json.loads(capsys.readouterr().out)


def spent(project, use_case):
    calls = read_calls(project)
    rows = calls[calls["use_case"] == use_case]
    return len(rows), float(rows["cost_usd"].sum())


def asked(fake):
    return sum(path.endswith("/chat/completions") for path, *_ in fake.requests)


def files(project):
    return {path: path.read_bytes() for path in project.data().rglob("*") if path.is_file()}


@pytest.mark.slow
def test_an_estimate_holds_what_is_then_spent_stage_by_stage_and_a_second_run_costs_nothing(hosted, capsys):
    project, fake = hosted
    assert estimated(project, capsys)["total"]["known"] is False
    assert run(project, "--stages", "ingest,testset") == 0
    before = files(project)
    ahead = estimated(project, capsys, "--stages", ",".join(ASKING))["stages"]
    assert (fake.requests, files(project)) == ([], before)

    assert run(project, "--stages", "embed") == 0
    calls, usd = spent(project, "indexing")
    assert ahead["embed"]["calls"]["expected"] == calls
    assert ahead["embed"]["usd"]["low"] <= usd <= ahead["embed"]["usd"]["high"]

    near = estimated(project, capsys, "--stages", ",".join(ASKING))["stages"]
    assert near["embed"]["work"] is False
    assert run(project, "--stages", "evaluate") == 0
    calls, usd = spent(project, "evaluation")
    for found in (ahead["evaluate"], near["evaluate"]):
        assert found["calls"]["expected"] == calls
        assert found["usd"]["low"] <= usd <= found["usd"]["high"]
    assert near["evaluate"]["usd"]["high"] <= ahead["evaluate"]["usd"]["high"]

    for name in ("embed", "testset", "evaluate"):
        flow = getattr(importlib.import_module(f"flows.{name}.flow"), name)
        assert flow.fn(str(project.root), estimate=True) == "0 calls, $0"
    again = estimated(project, capsys, "--stages", ",".join(ASKING))
    assert (again["total"]["calls"]["high"], again["total"]["work"]) == (0, False)


@pytest.mark.slow
def test_another_embedding_model_is_estimated_before_it_is_allowed(hosted, capsys):
    project, fake = hosted
    assert run(project, "--stages", "ingest,testset,embed") == 0
    sent = len(fake.requests)
    other = PARAMS["provider"] | {"embedding_model": "text-embedding-3-large", "allow_unpriced": True}
    project.params_file.write_text(yaml.safe_dump(PARAMS | {"provider": other}))

    found = estimated(project, capsys, "--stages", "embed,evaluate")["stages"]

    assert (found["embed"]["usd"], found["evaluate"]["usd"]) == (None, None)
    assert found["embed"]["calls"]["expected"] > 3
    assert "re_embed" in found["embed"]["notes"][0]
    assert "of another model" in found["evaluate"]["notes"][-1]
    assert main(["--project", str(project.root), "embed", "--estimate"]) == 0
    assert "no limit holds for it" in capsys.readouterr().out
    assert (run(project, "--stages", "embed"), len(fake.requests) - sent) == (2, 1)


@pytest.mark.slow
def test_another_prompt_is_estimated_from_what_was_logged(hosted, capsys):
    project, _ = hosted
    assert run(project, "--stages", "ingest,embed,testset,evaluate,release") == 0
    before = spent(project, "evaluation")
    prompt = project.data("prompts", "answer.md")
    prompt.write_text(prompt.read_text().replace("# user", "Be brief.\n\n# user", 1))

    found = estimated(project, capsys, "--stages", "evaluate")["total"]
    assert run(project, "--stages", "evaluate") == 0

    calls, usd = (after - then for after, then in zip(spent(project, "evaluation"), before, strict=True))
    assert found["calls"]["expected"] == calls
    assert found["usd"]["low"] <= usd <= found["usd"]["high"]
    assert found["usd"]["expected"] == pytest.approx(usd, rel=0.1)
    assert "logged calls" in found["notes"][0]


@pytest.mark.slow
def test_judges_are_estimated_before_there_is_an_answer_to_judge(hosted, capsys):
    project, _ = hosted
    judge = {"groundedness": {"prompt": "judge_groundedness"}}
    project.params_file.write_text(yaml.safe_dump(PARAMS | {"evaluate": {"guardrails": {}, "judges": judge}}))
    assert run(project, "--stages", "ingest,embed,testset") == 0

    found = estimated(project, capsys, "--stages", "evaluate")["total"]
    assert run(project, "--stages", "evaluate") == 0

    calls, usd = (sum(parts) for parts in zip(*(spent(project, name) for name in ("evaluation", "judge")), strict=True))
    assert spent(project, "judge")[0] > 0
    assert found["calls"]["low"] <= calls <= found["calls"]["high"]
    assert found["usd"]["low"] <= usd <= found["usd"]["high"]
    assert estimated(project, capsys, "--stages", "evaluate")["total"]["calls"]["high"] == 0


@pytest.mark.slow
def test_one_limit_holds_for_all_stages_of_a_run_and_running_again_resumes(hosted, capsys):
    project, fake = hosted
    assert run(project, "--stages", "ingest,testset") == 0
    cost = estimated(project, capsys, "--stages", "embed,evaluate")["stages"]
    embedding = cost["embed"]["usd"]["expected"]
    limit = round(embedding + 0.3 * cost["evaluate"]["usd"]["expected"], 4)

    assert run(project, "--stages", "embed,evaluate", "--max-usd", str(limit)) == 77
    total = spent(project, "indexing")[1] + spent(project, "evaluation")[1]
    assert embedding < total <= limit
    assert "resume" in capsys.readouterr().err

    answered = asked(fake)
    assert run(project, "--stages", "embed,evaluate") == 0
    assert len(pd.read_parquet(project.data("evaluate", "answers.parquet"))) == asked(fake) > answered > 0


@pytest.mark.slow
@pytest.mark.prefect
def test_one_limit_holds_when_the_stages_run_as_prefect_flows(hosted, capsys, tmp_path):
    project, _ = hosted
    assert run(project, "--stages", "ingest,testset") == 0
    cost = estimated(project, capsys, "--stages", "embed,evaluate")["stages"]
    limit = round(cost["embed"]["usd"]["expected"] + 0.3 * cost["evaluate"]["usd"]["expected"], 4)
    words = ["run", "--prefect", "--stages", "embed,evaluate", "--max-usd", str(limit)]
    command = [sys.executable, "-m", "flows.cli.main", "--project", str(project.root), *words]

    done = subprocess.run(command, env=os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}, capture_output=True)

    assert done.returncode == 77, done.stderr[-1000:]
    parts = [spent(project, name)[1] for name in ("indexing", "evaluation")]
    assert min(parts) > 0
    assert sum(parts) <= limit


def test_a_stage_without_a_model_says_so_and_the_help_teaches_it(project, capsys):
    assert main(["--project", str(project.root), "monitor", "--estimate"]) == 0
    assert "0 calls, $0" in capsys.readouterr().out
    assert run(project, "--json") == 2
    with pytest.raises(SystemExit):
        main(["embed", "--help"])
    assert "--estimate" in capsys.readouterr().out


def test_what_depends_on_a_stage_that_has_work_is_unknown(project):
    project.data("sources").mkdir(parents=True)
    project.data("sources", "a.md").write_text("# A\n\nSome words about a thing.\n")
    found = estimates(str(project.root), STAGES)
    assert [name for name, item in found.items() if not item.known] == ["embed", "evaluate"]
    assert "llmops ingest" in found["embed"].notes[0]
    assert Project.open(project.root).data("ingest").exists() is False
