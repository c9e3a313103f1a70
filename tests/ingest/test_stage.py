"""The stage on a small project: what comes in, what comes out, and what a second run does.

The tests of every day stop before the quality suites, whose import alone takes seconds; the slow ones publish.
"""

import contextlib
import json
import subprocess
import sys
from datetime import UTC, datetime

import pandas as pd
import pytest

from flows.core.contracts import CHUNKS, DOCUMENTS, QUARANTINE
from flows.core.errors import ContractError, InputError
from flows.core.ids import document_id
from flows.core.progress import silent
from flows.core.project import Project
from flows.core.tables import read_table
from flows.ingest import stage
from flows.ingest.assemble import assemble
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams, Source
from flows.ingest.prepare import Task, prepare
from flows.ingest.quality import judge
from flows.ingest.quarantine import list_quarantine, show_quarantine
from flows.ingest.stock import take_stock

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
GUIDE = (
    "# Guide\n\nThe guide says that returns are accepted within 30 days, and that it is so.\n\n"
    "## Fees\n\nThere are none for you.\n"
)


def put(project, name, content):
    path = project.data("sources", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def run(project, now=NOW, **options):
    return stage.run(str(project.root), clock=lambda: now, **options)


def table(project, name, contract):
    return read_table(project.data("ingest", f"{name}.parquet"), contract, remedy="-")


def documents(project):
    return table(project, "documents", DOCUMENTS).set_index("source_uri")


def outputs(project):
    return {path.name: path.read_bytes() for path in project.data("ingest").iterdir() if path.name != "run.json"}


def corpora(project, *variants, **params):
    """What a first run would publish, by each of the variants of the params."""
    params = IngestParams(**params)
    with Memory(project.state("ingest", "memory.sqlite")) as memory:
        stock = take_stock(project, params, memory, silent)
        prepared = prepare(Task(stock, params), memory, silent)
    return [assemble(stock.found, prepared, stock.hashes, {}, params.model_copy(update=item)) for item in variants]


def fill(project, files):
    put(project, "guide.md", GUIDE)
    put(project, "copy.md", GUIDE.replace("\n", "\r\n"))
    put(
        project,
        "page.html",
        "<h1>Page</h1><p>The page is for those who want to read it in the browser.</p><script>x</script>",
    )
    put(project, "policy.pdf", files.pdf())
    put(project, "letter.docx", files.docx("The letter says that card 4111 1111 1111 1111 is void.", heading="Letter"))
    put(
        project,
        "rows.jsonl",
        '{"id":"a","text":"The first row of the file."}\n{"id":"b","te\n{"id":"c","text":"The third row of the file."}',
    )
    put(project, "empty.txt", b"")
    put(project, "notes.bin", b"x")
    return project


@pytest.fixture
def filled(project, files):
    return fill(project, files)


@pytest.fixture(scope="module")
def published(tmp_path_factory, files):
    """A project after one run, for tests that only look; one file's name is markup."""
    root = tmp_path_factory.mktemp("published")
    (root / "params.yaml").write_text("ingest: {}\n")
    project = fill(Project.open(root), files)
    put(project, "<b>name.md", "The name of this file is markup, and the page must not care.")
    run(project)
    return project


@pytest.fixture(scope="module")
def kept_and_collapsed(tmp_path_factory, files):
    """The corpus of one project by both policies on equal texts."""
    root = tmp_path_factory.mktemp("corpus")
    (root / "params.yaml").write_text("ingest: {}\n")
    return corpora(fill(Project.open(root), files), {}, {"duplicates": "collapse"})


def test_every_input_ends_somewhere_by_either_policy_on_equal_texts(kept_and_collapsed):
    others = ["letter.docx", "page.html", "policy.pdf", "rows.jsonl#a", "rows.jsonl#c"]
    uris = [[row["source_uri"] for row in made.documents.to_pylist()] for made in kept_and_collapsed]
    assert uris == [["copy.md", "guide.md", *others], ["copy.md", *others]]
    ends = [{"documents": 7, "duplicates": 0, "duplicate_texts": 1}, {"documents": 6, "duplicates": 1}]
    for made, counts in zip(kept_and_collapsed, ends, strict=True):
        same = {"inputs": 10, "quarantined": 2, "ignored": 1, "previous_versions_kept": 0, "duplicate_texts": 0}
        assert {name: count for name, count in made.balance.items() if isinstance(count, int)} == {**same, **counts}
        assert [row["reason_code"] for row in made.rejected] == ["empty", "malformed_rows"]


def test_equal_texts_keep_their_own_ids_and_places_and_share_one_embedding(kept_and_collapsed):
    made = kept_and_collapsed[0]
    copy, guide = (
        [row for row in made.chunks.to_pylist() if row["source_uri"] == uri] for uri in ("copy.md", "guide.md")
    )
    assert [row["text"] for row in copy] == [row["text"] for row in guide]
    assert {row["chunk_id"] for row in copy}.isdisjoint(row["chunk_id"] for row in guide)
    assert [row["duplicate_of"] for row in copy] == [None] * len(copy)
    assert [row["duplicate_of"] for row in guide] == [row["chunk_id"] for row in copy]


def test_a_source_brings_at_most_its_quota_by_address_and_the_rest_is_told(project):
    for name in ("a.md", "b.md", "rows.jsonl"):
        put(project, name, '{"id":"x","text":"The first row."}\n{"id":"y","text":"The second row."}')
    sources = tuple(
        Source(uri="data/sources", name=name, include=("*.md", "rows.jsonl"), documents_max=most)
        for name, most in (("one", 3), ("two", None))
    )
    (project.root / "params.yaml").write_text("ingest: {}")
    (made,) = corpora(project, {}, sources=sources)
    uris = [row["source_uri"] for row in made.documents.to_pylist()]
    assert uris == [
        "one/a.md",
        "one/b.md",
        "one/rows.jsonl#x",
        "two/a.md",
        "two/b.md",
        "two/rows.jsonl#x",
        "two/rows.jsonl#y",
    ]
    assert [(row["source_uri"], row["rule"]) for row in made.rejected] == [("one/rows.jsonl#y", "documents_max")]
    assert (made.balance["inputs"], made.balance["documents"], made.balance["quarantined"]) == (8, 7, 1)


@pytest.mark.slow
def test_the_published_tables_agree_and_a_second_run_has_nothing_to_do(published):
    frame = documents(published)
    assert len(frame) == 8
    assert frame.loc["letter.docx", "text"] == "## Letter\n\nThe letter says that card [CARD] is void."
    assert json.loads(frame.loc["letter.docx", "pii_counts"]) == {"card": 1}
    assert frame.loc["copy.md", "document_id"] == document_id("copy.md")
    texts = frame.set_index("document_id")["text"]
    for chunk in table(published, "chunks", CHUNKS).itertuples():
        assert texts[chunk.document_id][chunk.start : chunk.end] == chunk.text
    assert list(table(published, "quarantine", QUARANTINE)["first_seen"]) == [pd.Timestamp(NOW)] * 2
    assert not run(published, LATER).did_work


@pytest.mark.slow
def test_a_second_run_does_nothing_and_a_forced_one_writes_the_same_bytes(filled):
    run(filled)
    before = outputs(filled)
    assert not run(filled, LATER).did_work
    assert run(filled, LATER, force=True).did_work
    assert outputs(filled) == before
    filled.state("ingest", "memory.sqlite").unlink()
    run(filled, LATER, force=True)
    assert outputs(filled) == before


@pytest.mark.slow
def test_adds_changes_moves_and_deletes_come_out_exactly(filled):
    run(filled)
    before = documents(filled)
    put(filled, "new.txt", "The new text is about opening hours and the parking lot.")
    put(filled, "page.html", "<p>The page was changed for those who want to read it again.</p>")
    filled.data("sources", "policy.pdf").rename(filled.data("sources", "moved.pdf"))
    filled.data("sources", "copy.md").unlink()
    run(filled, LATER)
    after = documents(filled)
    assert set(after.index) - set(before.index) == {"new.txt", "moved.pdf"}
    assert set(before.index) - set(after.index) == {"policy.pdf", "copy.md"}
    same = before.index.intersection(after.index)
    changed = before.loc[same, "document_version"] != after.loc[same, "document_version"]
    assert list(changed[changed].index) == ["page.html"]
    assert (before.loc[same, "document_id"] == after.loc[same, "document_id"]).all()


@pytest.mark.slow
def test_a_broken_edit_keeps_the_last_good_version_until_the_file_is_mended_or_deleted(filled, files):
    run(filled)
    good = documents(filled).loc["policy.pdf"]
    put(filled, "policy.pdf", files.pdf()[:300])
    for _ in range(2):
        record = run(filled, LATER, force=True)
        kept = documents(filled).loc["policy.pdf"]
        assert kept["text"] == good["text"]
        assert json.loads(kept["flags"]) == ["previous_version_kept"]
        assert record.counts["previous_versions_kept"] == 1
        assert show_quarantine(filled, "policy.pdf")[0]["reason_code"] == "corrupt"
    put(filled, "policy.pdf", files.pdf("A mended text of the policy, and longer than before."))
    run(filled)
    assert json.loads(documents(filled).loc["policy.pdf", "flags"]) == []
    filled.data("sources", "policy.pdf").unlink()
    run(filled)
    assert "policy.pdf" not in documents(filled).index


@pytest.mark.slow
def test_rows_of_a_file_are_kept_while_some_of_it_cannot_be_read(filled):
    run(filled)
    put(filled, "rows.jsonl", '{"id":"a","text":"The first row of the file."}\n{"id":"c","text":')
    run(filled)
    assert "rows.jsonl#c" in documents(filled).index
    put(filled, "rows.jsonl", '{"id":"a","text":"The first row of the file."}\n')
    run(filled)
    assert "rows.jsonl#c" not in documents(filled).index


@pytest.mark.slow
def test_the_quarantine_shows_reasons_and_remembers_when(filled):
    run(filled)
    put(filled, "secret.md", "The key is sk-proj-" + "Ab0" * 12 + " and must not be here.")
    run(filled, LATER)
    rows = {row["source_uri"]: row for row in list_quarantine(filled)}
    assert {uri: (row["reason_code"], row["rule"]) for uri, row in rows.items()} == {
        "empty.txt": ("empty", "no_bytes"),
        "rows.jsonl#line-2": ("malformed_rows", "json_syntax"),
        "secret.md": ("secret", "openai_key"),
    }
    assert rows["empty.txt"]["first_seen"] == pd.Timestamp(NOW)
    assert rows["secret.md"]["first_seen"] == pd.Timestamp(LATER)
    assert len(show_quarantine(filled, "rows.jsonl")) == 1
    with pytest.raises(InputError, match=r"Did you mean 'secret\.md'"):
        show_quarantine(filled, "secrt.md")
    everything = b"".join(outputs(filled).values()) + filled.data("ingest", "run.json").read_bytes()
    assert b"Ab0Ab0" not in everything


def test_near_duplicates_are_flagged_and_repeated_chunks_point_to_the_first(project):
    long = " ".join(f"Sentence {number} is about the matter of returns." for number in range(60))
    put(project, "a.md", f"# One\n\n{long}\n\n# End\n\nThe same end of both of the texts.")
    put(project, "b.md", f"# One\n\n{long} More.\n\n# End\n\nThe same end of both of the texts.")
    (made,) = corpora(project, {})
    assert json.loads(made.documents["flags"][1].as_py()) == [f"near_duplicate:{document_id('a.md')}"]
    chunks = made.chunks.to_pandas()
    repeated = chunks[chunks["duplicate_of"].notna()]
    first = chunks.set_index("chunk_id").loc[repeated["duplicate_of"]]
    assert len(repeated) > 1
    assert list(first["text"]) == list(repeated["text"])
    assert set(first["source_uri"]) == {"a.md"}


@pytest.mark.slow
def test_the_quality_page_is_whole_safe_and_counts_what_was_judged(published):
    quality = json.loads(published.data("ingest", "quality.json").read_text())
    assert [(suite["name"], suite["rows"] > 0, len(suite["expectations"]) > 10) for suite in quality["suites"]] == [
        ("documents", True, True), ("chunks", True, True)
    ]  # fmt: skip
    checkers = [{item["checked_by"] for item in suite["expectations"]} for suite in quality["suites"]]
    assert checkers == [{"Pandera", "Great Expectations"}] * 2
    page = published.data("ingest", "quality.html").read_text()
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    assert "<b>name" not in page


def test_a_corpus_without_documents_stops_and_says_why(project):
    project.data("sources").mkdir(parents=True)
    put(project, "empty.txt", b"")
    with pytest.raises(InputError, match=r"no document came out of 1 input.*'empty': 1"):
        run(project)
    assert not project.data("ingest", "documents.parquet").exists()


@pytest.mark.slow
def test_a_failed_hard_expectation_publishes_nothing(published):
    frame, chunks = table(published, "documents", DOCUMENTS), table(published, "chunks", CHUNKS)
    with pytest.raises(ContractError, match=r"chunks\.n_tokens"):
        judge(frame, chunks.assign(n_tokens=999), IngestParams())
    with pytest.raises(ContractError, match="empty"):
        judge(frame, chunks.head(0), IngestParams())


@pytest.mark.slow
def test_a_damaged_memory_is_replaced(filled):
    path = filled.state("ingest", "memory.sqlite")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database" * 100)
    assert run(filled).did_work


@pytest.mark.slow
def test_a_killed_run_changes_nothing_and_the_next_one_ends_as_if_undisturbed(filled):
    for number in range(60):
        put(
            filled,
            f"many/{number}.html",
            f"<h1>Page {number}</h1><p>The page {number} is one of the many in this folder.</p>",
        )
    run(filled)
    undisturbed = outputs(filled)
    put(filled, "guide.md", GUIDE + "\nThe guide was changed since.\n")
    filled.state("ingest", "memory.sqlite").unlink()
    command = [sys.executable, "-m", "flows.ingest.stage", "--project", str(filled.root)]
    for delay_s in (0.3, 0.9, 1.5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay_s)
        process.kill()
        process.wait()
    put(filled, "guide.md", GUIDE)
    run(filled, force=True)
    assert outputs(filled) == undisturbed
