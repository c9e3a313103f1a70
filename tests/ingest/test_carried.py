"""Rows carried over from the last tables are the rows that a run without any memory would make."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import BufferReader, parquet

from flows.core import contracts
from flows.core.files import sha256_file
from flows.core.progress import silent
from flows.core.project import Project
from flows.ingest import stage
from flows.ingest.assemble import assemble
from flows.ingest.carried import CHUNKS, DOCUMENTS, INHERITED, carry, note
from flows.ingest.columns import tables
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.prepare import Task, prepare
from flows.ingest.publishing import previous_documents
from flows.ingest.releases import release
from flows.ingest.stock import take_stock

LONG = " ".join(f"Sentence {number} is about the matter of returns and of fees." for number in range(60))
KEY = "sk-proj-" + "Ab0" * 12
TEXTS = (
    f"# One\n\n{LONG}",
    f"# One\n\n{LONG} More.",
    "The gate opens at nine in the morning.",
    "---\nacl: [hr]\n---\nThe bands of pay are in this document.",
    f"The key of the sandbox is {KEY} for everybody.",
    "",
)
ROWS = (
    '{"id":"a","text":"The first row of the file."}\n{"id":"b","text":"The second row of the file."}',
    '{"id":"a","text":"The first row of the file."}\n{"id":"b","te',
    '{"id":"a","text":"The gate opens at nine in the morning."}\n{"id":"b","text":"Another second row.","version":2}',
    f'{{"id":"a","text":"One row says {KEY} to all."}}',
)
NAMES = ("a.md", "b.md", "c/d.txt", "e.md")
EDITS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*TEXTS, None])), max_size=4)
POLICIES = st.fixed_dictionaries({
    "duplicates": st.sampled_from(["keep", "collapse"]),
    "sources": st.sampled_from([[{"uri": "data/sources", "documents_max": most}] for most in (None, 2)]),
    "near_duplicate_threshold": st.sampled_from([0.85, 1.0]),
    "restricted_documents": st.sampled_from(["index", "quarantine"]),
})  # fmt: skip


@pytest.fixture
def filled(project):
    edit(project, zip(NAMES, TEXTS, strict=False))
    return project


def edit(project, edits):
    for name, text in edits:
        path = project.data("sources", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True) if text is None else path.write_text(text)


def corpus_of(project, params, *, code="code", memory="memory.sqlite"):
    """Run the stage as far as its tables, and return them with the task and what was carried over."""
    with Memory(project.state("ingest", memory)) as remembered:
        task = Task(take_stock(project, params, remembered, silent), params)
        last = carry(project, task.keys, code)
        prepared = prepare(task, remembered, silent, last.files)
    rejected = {uri for uri, result in prepared.items() if result.rejections}
    previous = previous_documents(project, params, rejected)
    return task, last, assemble(task.stock.found, prepared, task.stock.hashes, previous, params, last)


def publish(project, params=None, *, code="code"):
    """Write what `corpus_of` makes as the stage would; return it, and how many documents were carried over."""
    task, last, corpus = corpus_of(project, params or IngestParams(), code=code)
    project.data("ingest").mkdir(exist_ok=True)
    for name, table in (("documents", corpus.documents), ("chunks", corpus.chunks)):
        parquet.write_table(table, project.data("ingest", f"{name}.parquet"))
    believed = {name: sha256_file(project.data("ingest", f"{name}.parquet")) for name in ("documents", "chunks")}
    whole = {uri: (task.keys[uri], result) for uri, result in corpus.whole.items()}
    note(project, corpus.placed, corpus.n_chunks, whole, believed | {"code": code})
    return len(last.placed), corpus


def plain(corpus):
    made = corpus.documents.to_pylist(), corpus.chunks.to_pylist(), corpus.rejected, corpus.balance
    return json.dumps(made, sort_keys=True)


def anew(project, params):
    """What a run makes that remembers nothing; only previous versions are looked up."""
    project.state("ingest", "other.sqlite").unlink(missing_ok=True)
    return plain(corpus_of(project, params, code="another", memory="other.sqlite")[2])


def test_the_columns_are_those_of_the_contracts():
    assert DOCUMENTS.names == list(contracts.DOCUMENTS.columns)
    assert {*INHERITED, *CHUNKS.names, "duplicate_of"} == set(contracts.CHUNKS.columns)


KEEP = {"duplicates": "keep"}


@settings(max_examples=8)
@example([([("a.md", TEXTS[0]), ("b.md", TEXTS[1])], KEEP), ([("a.md", None)], KEEP)])
@example([([("a.md", TEXTS[2]), ("b.md", TEXTS[2])], {"duplicates": "collapse"}), ([], KEEP)])
@example([([("a.md", TEXTS[2]), ("b.md", TEXTS[2])], KEEP), ([("a.md", TEXTS[0])], {"duplicates": "collapse"})])
@example([([("a.md", TEXTS[2]), ("b.md", TEXTS[0])], KEEP), ([("a.md", TEXTS[4]), ("e.md", TEXTS[2])], KEEP)])
@given(st.lists(st.tuples(EDITS, POLICIES), min_size=2, max_size=4))
def test_after_any_history_the_tables_are_those_of_a_run_without_memory(history):
    with TemporaryDirectory() as folder:
        (Path(folder) / "params.yaml").write_text("ingest: {}\n")
        project = Project.open(Path(folder))
        project.data("sources").mkdir(parents=True)
        for edits, policy in history:
            edit(project, edits)
            params = IngestParams.model_validate(policy)
            expected = anew(project, params)
            assert plain(publish(project, params)[1]) == expected


def test_unchanged_files_are_carried_over_and_others_are_not(filled):
    assert publish(filled)[0] == 0
    assert publish(filled)[0] == 4
    edit(filled, [("a.md", "Another text than before."), ("b.md", None), ("f.md", TEXTS[2])])
    assert publish(filled)[0] == 2
    filled.data("sources", "f.md").rename(filled.data("sources", "g.md"))
    assert publish(filled)[0] == 3
    assert publish(filled, IngestParams(chunk_tokens_max=50))[0] == 0


def test_a_document_at_another_address_is_recalled_not_parsed(filled):
    publish(filled)
    filled.data("sources", "a.md").rename(filled.data("sources", "z.md"))
    told = []
    with Memory(filled.state("ingest", "memory.sqlite")) as memory:
        task = Task(take_stock(filled, IngestParams(), memory, silent), IngestParams())
        prepare(task, memory, lambda *args: told.append(args), carry(filled, task.keys, "code").files)
    assert told == []


def alter(path):
    table = parquet.read_table(path)
    place = table.column_names.index("text")
    parquet.write_table(table.set_column(place, "text", [["FORGED"] * len(table)]), path)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "documents altered by hand": lambda project: alter(project.data("ingest", "documents.parquet")),
    "chunks altered by hand": lambda project: alter(project.data("ingest", "chunks.parquet")),
    "a table cut short": lambda project: cut(project.data("ingest", "chunks.parquet")),
    "a table gone": lambda project: project.data("ingest", "documents.parquet").unlink(),
    "the note cut short": lambda project: cut(project.state("ingest", "carried.bin")),
    "a bit of the note flipped": lambda project: flip(project.state("ingest", "carried.bin")),
    "the note gone": lambda project: project.state("ingest", "carried.bin").unlink(),
    "a note that is no table": lambda project: project.state("ingest", "carried.bin").write_text("{}"),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", DAMAGES)
def test_tables_that_are_not_those_that_were_published_are_not_believed(filled, damage):
    publish(filled)
    expected = anew(filled, IngestParams())
    DAMAGES[damage](filled)
    _, last, corpus = corpus_of(filled, IngestParams())
    assert not last.placed
    assert plain(corpus) == expected


def test_tables_made_by_other_code_are_not_believed(filled):
    publish(filled)
    assert publish(filled, code="newer")[0] == 0


def test_the_note_holds_no_text_and_no_address(filled):
    publish(filled)
    noted = parquet.read_table(BufferReader(filled.state("ingest", "carried.bin").read_bytes()[64:]))
    said = json.dumps(noted.to_pydict(), default=repr)
    assert not any(word in said for word in ("Sentence", "gate", "a.md", "d.txt"))


def test_without_documents_there_are_empty_tables(project):
    documents, chunks, n_chunks = tables([], carry(project, {}, "code"), 0.85)
    assert (len(documents), len(chunks), len(n_chunks)) == (0, 0, 0)


STEPS = (
    [("rows.jsonl", ROWS[0]), ("more.jsonl", ROWS[2]), ("a.md", TEXTS[0]), ("b.md", TEXTS[1]), ("k.md", TEXTS[4])],
    [("rows.jsonl", ROWS[1]), ("a.md", ""), ("c.md", TEXTS[2])],
    [("b.md", None), ("d.md", TEXTS[0]), ("more.jsonl", ROWS[2] + "\n")],  # collapsed: one of its rows stands in c.md
    [("rows.jsonl", ROWS[0]), ("a.md", TEXTS[3]), ("e.md", TEXTS[0])],
    [("a.md", TEXTS[2]), ("more.jsonl", ROWS[3])],
    [("d.md", None), ("more.jsonl", ROWS[2]), ("f.md", TEXTS[1])],
)


def published(root, steps, *, forget):
    """Return the bytes of all that the stage publishes after each step."""
    (root / "params.yaml").write_text("ingest: {}\n")
    project, seen = Project.open(root), []
    for number, edits in enumerate(steps, start=1):
        edit(project, edits)
        policy = ("keep", "collapse")[number % 2]
        project.params_file.write_text(json.dumps({"ingest": {"duplicates": policy}}))
        if number == 3:
            release(project, "k.md", rule=None, who="jane", why="a test", now=datetime(2026, 1, 1, tzinfo=UTC))
        if forget:
            shutil.rmtree(project.state(), ignore_errors=True)
        stage.run(str(root), clock=lambda number=number: datetime(2026, 1, number, tzinfo=UTC))
        files = (path for path in project.data("ingest").iterdir() if path.name != "run.json")
        seen.append({path.name: path.read_bytes() for path in files})
    return seen


@pytest.mark.slow
def test_whoever_deletes_the_state_before_every_run_publishes_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    assert published(tmp_path / "one", STEPS, forget=False) == published(tmp_path / "other", STEPS, forget=True)
