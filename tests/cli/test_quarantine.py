"""`llmops quarantine`: people see why, never what, and their decisions are recorded."""

import json

import pandas as pd
import pytest

from flows.cli.main import main
from flows.core.contracts import QUARANTINE
from flows.core.tables import write_table
from flows.ingest.releases import read_releases

ROWS = [
    ("empty.md", "0" * 64, "empty", "no_bytes", "0 bytes"),
    ("key.md", "1" * 64, "secret", "openai_key", "at character 7"),
    ("rows.jsonl#a", "2" * 64, "policy", "pii_card", "1 finding(s), the first at character 4"),
]


@pytest.fixture
def quarantined(project, now):
    frame = pd.DataFrame(ROWS, columns=["source_uri", "sha256", "reason_code", "rule", "detail"])
    path = project.data("ingest", "quarantine.parquet")
    path.parent.mkdir(parents=True)
    write_table(path, frame.assign(first_seen=pd.Timestamp(now)), QUARANTINE)
    return project


@pytest.fixture
def quarantine(quarantined, capsys):
    def call(*words):
        code = main(["--project", str(quarantined.root), "quarantine", *words])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


def test_list_shows_source_and_reason_and_counts(quarantine):
    code, said = quarantine("list")
    assert code == 0
    assert "key.md        secret: openai_key (at character 7)" in said
    assert said.endswith("3 in quarantine: 1 empty, 1 secret, 1 policy\n")
    assert quarantine("list", "--reason", "secret")[1].count("\n") == 2
    assert quarantine("list", "--reason", "timeout")[1] == "nothing of that is in quarantine\n"


def test_programs_get_json(quarantine):
    assert [row["source_uri"] for row in json.loads(quarantine("list", "--json")[1])] == [row[0] for row in ROWS]
    assert json.loads(quarantine("show", "rows.jsonl", "--json")[1])[0]["rule"] == "pii_card"


def test_a_release_is_recorded_with_its_reason_and_shown(quarantine, quarantined):
    code, said = quarantine("release", "key.md", "--why", "key of the sandbox", "--who", "jane")
    assert (code, said) == (0, "released: key.md past 'openai_key', by jane\nNext: `llmops ingest` takes it.\n")
    assert quarantine("release", "key.md", "--why", "again")[1] == "released before; nothing was added\n"
    assert [(item.who, item.why) for item in read_releases(quarantined)] == [("jane", "key of the sandbox")]
    assert "by jane: key of the sandbox" in quarantine("show", "key.md")[1]


def test_whoever_runs_it_decides_unless_named(quarantine, quarantined):
    quarantine("release", "key.md", "--why", "ok")
    assert read_releases(quarantined)[0].who


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("release", "empty.md", "--why", "ok"), 2, "Mend the file"),
        (("release", "key.md"), 2, "--why"),
        (("show", "kye.md"), 66, "Did you mean 'key.md'"),
        (("lst",), 2, "Did you mean 'list'"),
    ],
)
def test_mistakes_are_told_and_exit_by_class(quarantine, words, code, message):
    assert quarantine(*words)[0] == code
    assert message in quarantine(*words)[1]


def test_without_a_run_there_is_no_quarantine(project, capsys):
    assert main(["--project", str(project.root), "quarantine", "list"]) == 66
    assert "Run `llmops ingest`" in capsys.readouterr().err
