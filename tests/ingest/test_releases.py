"""A person may let rejected content in: exactly these bytes, past exactly this rule, on the record."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from flows.core.contracts import QUARANTINE, QUARANTINE_CODES
from flows.core.errors import ContractError, InputError, UsageError
from flows.core.ids import sha256
from flows.core.progress import silent
from flows.core.tables import write_table
from flows.ingest.assemble import assemble
from flows.ingest.drafts import Parsed, ParsedFile
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.prepare import Task, prepare
from flows.ingest.quarantine import show_quarantine
from flows.ingest.refine import Handling, refine_file
from flows.ingest.releases import LIFTABLE, lifted_for, read_releases, release, release_id
from flows.ingest.stock import take_stock

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
OPENAI, AWS = "sk-proj-" + "Ab0" * 12, "AKIA" + "ABCDEFGH12345678"
BY = {"who": "jane", "why": "a key of the sandbox", "now": NOW}


def ingest(project):
    """Run the stage as far as the tables, and write the quarantine as it would."""
    params = IngestParams(restricted_documents="quarantine")
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        stock = take_stock(project, params, memory, silent)
        prepared = prepare(Task(stock, params, releases=read_releases(project)), memory, silent)
    corpus = assemble(stock.found, prepared, stock.hashes, {}, params)
    frame = pd.DataFrame(corpus.rejected, columns=list(QUARANTINE.columns)).assign(first_seen=pd.Timestamp(NOW))
    write_table(project.data("ingest", "quarantine.parquet"), frame, QUARANTINE)
    return corpus


@pytest.fixture
def filled(project):
    folder = project.data("sources")
    folder.mkdir(parents=True)
    (folder / "open.md").write_text("Returns are accepted within 30 days.")
    (folder / "key.md").write_text(f"The key of the sandbox is {OPENAI} for everybody.")
    (folder / "empty.md").write_bytes(b"")
    (folder / "deep.md").write_text("> " * 200 + "a quotation of a quotation")
    (folder / "object.md").write_text("---\ntitle: !!python/object/new:os.system [x]\n---\nA body that is long enough.")
    (folder / "pay.md").write_text("---\nacl: [hr-only]\n---\nThe bands of pay are in this document.")
    return project


@pytest.fixture
def with_rows(filled):
    """With a file of rows, which are parsed in a process of their own."""
    rows = [{"id": "a", "text": f"One row says {OPENAI} to all."}, {"id": "b", "text": f"One row says {AWS} to all."}]
    (filled.data("sources") / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return filled


def rejected(corpus):
    return {row["source_uri"]: row["rule"] for row in corpus.rejected}


def taken(corpus):
    return [row["source_uri"] for row in corpus.documents.to_pylist()]


def test_what_is_released_is_taken_by_the_next_run_and_its_next_edit_is_judged_again(filled):
    assert rejected(ingest(filled))["key.md"] == "openai_key"
    (made,) = release(filled, "key.md", rule=None, **BY)
    assert (made.rule, made.who, made.why, made.at) == (
        "openai_key", "jane", "a key of the sandbox", "2026-11-01T12:00:00+00:00"
    )  # fmt: skip
    corpus = ingest(filled)
    assert taken(corpus) == ["key.md", "open.md"]
    assert json.loads(corpus.documents["flags"][0].as_py()) == ["secret:openai_key"]
    assert set(rejected(corpus)) == {
        "deep.md", "empty.md", "object.md", "pay.md"
    }  # fmt: skip
    path = filled.data("sources", "key.md")
    path.write_text(path.read_text() + " It was changed.")
    assert rejected(ingest(filled))["key.md"] == "openai_key"


@pytest.mark.slow
def test_a_row_is_released_alone(with_rows):
    ingest(with_rows)
    with pytest.raises(UsageError, match=r"2 rules.*--rule RULE"):
        release(with_rows, "rows.jsonl", rule=None, **BY)
    release(with_rows, "rows.jsonl#b", rule=None, **BY)
    corpus = ingest(with_rows)
    assert taken(corpus) == ["open.md", "rows.jsonl#b"]
    assert "rows.jsonl#a" in rejected(corpus)


def test_one_lifted_rule_leaves_the_others_standing():
    text = f"Keys {OPENAI} and {AWS} and card 4111111111111111."
    params = IngestParams(pii={"card": "quarantine", "email": "quarantine"})
    digest = sha256(text)
    lifted, seen = frozenset(), []
    for _ in range(4):
        handling = Handling(params, lambda _text: [0], lifted={digest: lifted})
        made = refine_file(ParsedFile("text/plain", "t", (Parsed(text),)), "public", digest, handling)
        seen += [item.rule for item in made.rejections]
        lifted |= set(seen)
    assert seen == ["openai_key", "aws_key", "pii_card"]
    assert made.drafts[0].text == text


def test_a_release_is_recorded_once(filled):
    ingest(filled)
    assert len(release(filled, "key.md", rule="openai_key", **BY)) == 1
    assert release(filled, "key.md", rule="openai_key", **BY) == []
    assert len(read_releases(filled)) == 1


@pytest.mark.parametrize(
    ("uri", "rule", "why", "message"),
    [
        ("key.md", None, "  ", "needs a reason"),
        ("key.md", "aws_key", "ok", r"by \['openai_key'\]"),
        ("empty.md", None, "ok", "cannot be lifted.*Mend the file"),
        ("pay.md", None, "ok", "restricted_documents"),
        ("deep.md", None, "ok", r"ingest\.nesting_max"),
        ("object.md", None, "ok", "cannot be lifted"),
    ],
)
def test_a_release_that_makes_no_sense_is_refused(filled, uri, rule, why, message):
    ingest(filled)
    with pytest.raises(UsageError, match=message):
        release(filled, uri, rule=rule, who="jane", why=why, now=NOW)
    assert read_releases(filled) == []


def test_what_is_not_in_quarantine_cannot_be_released(filled):
    ingest(filled)
    with pytest.raises(InputError, match=r"'open\.md' is not in quarantine"):
        release(filled, "open.md", rule=None, **BY)


def test_a_damaged_record_lets_nothing_in_and_names_its_lines(filled):
    ingest(filled)
    release(filled, "key.md", rule=None, **BY)
    path = filled.data("ingest", "released.jsonl")
    path.write_text(path.read_text() + '{"sha256": "0"}\nnot json\n')
    with pytest.raises(ContractError, match=r"2 line\(s\).*line 2"):
        ingest(filled)


@pytest.mark.slow
def test_releases_count_for_their_content_and_their_file_only(with_rows):
    ingest(with_rows)
    release(with_rows, "key.md", rule=None, **BY)
    release(with_rows, "rows.jsonl#b", rule=None, **BY)
    releases = read_releases(with_rows)
    assert lifted_for(releases, "open.md", "0" * 64) == {}
    assert lifted_for(releases, "copy.md", releases[0].sha256) == {releases[0].sha256: {"openai_key"}}
    assert lifted_for(releases, "rows.jsonl", "0" * 64) == {releases[1].sha256: {"aws_key"}}
    assert release_id(releases) == release_id(releases[::-1]) != release_id(releases[:1])


@pytest.mark.parametrize("code", sorted(set(QUARANTINE_CODES) - LIFTABLE))
def test_what_no_person_can_decide_is_shown_and_said_to_be_so(project, code):
    row = {"source_uri": "a.pdf", "sha256": "0" * 64, "reason_code": code, "rule": "some_rule", "detail": ""}
    frame = pd.DataFrame([row]).assign(first_seen=pd.Timestamp(NOW))
    write_table(project.data("ingest", "quarantine.parquet"), frame, QUARANTINE)
    assert [item["reason_code"] for item in show_quarantine(project, "a.pdf")] == [code]
    with pytest.raises(UsageError, match=f"'{code}'.*cannot be lifted"):
        release(project, "a.pdf", rule=None, **BY)
