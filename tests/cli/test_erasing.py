"""What counts as a trace of an erased document, and how each kind of file loses it."""

import json
import sqlite3
import subprocess
import zlib

import pandas as pd
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli.erasing.caches import scrub_answers, scrub_drafts, texts_in
from flows.cli.erasing.certificate import GENESIS, previous_sha256, verify_certificate, write_certificate
from flows.cli.erasing.objects import content_found, md5_of, remove, stores, tainted
from flows.cli.erasing.scrub import ERASED, scrub
from flows.cli.erasing.sources import find_origin, remove_source, source_text
from flows.cli.erasing.traces import PHRASE_WORDS, make_traces
from flows.core.errors import InputError, IntegrityError, UsageError
from flows.core.ids import document_id, sha256
from flows.ingest.memory import Memory

SECRET = "Mrs Lindenhofer of Quittengasse complained about herons. Her number is LK-77312, mail: aurelia@example.org"
OTHER = "The support team granted a refund within nine days. The gate opens at nine."
CHUNK = sha256("chunk")[:32]


@pytest.fixture
def traces():
    return make_traces([document_id("heron.md")], ["heron.md"], [CHUNK], [SECRET], [OTHER])


@pytest.mark.parametrize("text", [
    "so mrs LINDENHOFER of quittengasse complained again", "her number is lk-77312.", "ask aurelia@example.org",
    '{"prompt": "Mrs Lindenhofer\\nof Quittengasse complained"}', f"chunk {CHUNK}", "see heron.md, characters 0-9",
    json.dumps({"text": "Lindenhofer of Quittengasse complained about"}),
])  # fmt: skip
def test_a_quotation_a_code_an_id_or_an_address_is_a_trace(traces, text):
    assert traces.found_in(text)


@pytest.mark.parametrize("text", [OTHER, "", "The herons complained.", "number 77312", "LK-7731", "f" * 32])
def test_what_is_not_theirs_alone_is_none(traces, text):
    assert not traces.found_in(text)


GREEK = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
WORDS = st.lists(st.sampled_from(GREEK), min_size=5, max_size=30)


@given(WORDS, WORDS, st.data())
def test_every_run_of_five_words_is_found_unless_a_document_that_stays_has_it(theirs, others, data):
    found = make_traces(["x"], [], [], [" ".join(theirs)], [" ".join(others)])
    at = data.draw(st.integers(0, len(theirs) - PHRASE_WORDS))
    run = theirs[at : at + PHRASE_WORDS]
    shared = any(others[place : place + PHRASE_WORDS] == run for place in range(len(others)))
    assert found.found_in("… " + ", ".join(run).upper()) is not shared
    assert not found.found_in(" ".join(others))


def test_a_document_that_a_twin_repeats_is_known_by_its_ids_only():
    twin = make_traces([document_id("heron.md")], ["heron.md"], [CHUNK], [SECRET], [SECRET])
    assert not twin.found_in(SECRET)
    assert twin.found_in(CHUNK)


def test_rows_that_carry_a_trace_go_and_calls_keep_what_they_cost(traces, tmp_path):
    questions = tmp_path / "questions.parquet"
    pd.DataFrame({"question": ["Who is LK-77312?", "When does the gate open?"], "stale": [False, True]}).to_parquet(
        questions
    )
    calls = tmp_path / "part-1.parquet"
    pd.DataFrame({
        "call_id": ["a", "b"], "prompt": [f"<chunk>{SECRET}</chunk>", OTHER], "completion": ["yes", "no"],
        "metadata": ["{}", "{}"], "cost_usd": [1.5, 2.5],
    }).to_parquet(calls)  # fmt: skip
    schema = parquet.read_schema(questions)

    assert scrub(questions, traces, write=False) == 1
    assert len(pd.read_parquet(questions)) == 2
    assert [scrub(path, traces, write=True) for path in (questions, calls)] == [1, 1]

    assert pd.read_parquet(questions)["question"].tolist() == ["When does the gate open?"]
    assert parquet.read_schema(questions).equals(schema)
    kept = pd.read_parquet(calls)
    assert kept["cost_usd"].tolist() == [1.5, 2.5]
    assert kept["prompt"].isna().tolist() == kept["completion"].isna().tolist() == [True, False]
    assert scrub(calls, traces, write=True) == 0


def test_a_table_of_documents_loses_theirs_and_no_other_row(traces, tmp_path):
    path = tmp_path / "chunks.parquet"
    rows = {"document_id": [document_id("heron.md"), "y"], "source_uri": ["heron.md", "y.md"],
            "text": [SECRET, f"quoting: {SECRET}"], "duplicate_of": [None, CHUNK]}  # fmt: skip
    pd.DataFrame(rows).to_parquet(path)
    assert scrub(path, traces, write=True) == 1
    kept = pd.read_parquet(path)
    assert (kept["source_uri"].tolist(), kept["duplicate_of"].isna().tolist()) == (["y.md"], [True])


def test_json_keeps_its_shape_and_pages_go(traces, tmp_path):
    value = {"worst": [{"answer": SECRET}, {"answer": OTHER}], "note": {"said": SECRET, "n": 3}}
    report, lines, page = tmp_path / "report.json", tmp_path / "train.jsonl", tmp_path / "index.html"
    report.write_text(json.dumps(value))
    examples = [{"messages": [{"role": "user", "content": text}]} for text in (SECRET, OTHER)]
    lines.write_text("\n".join(json.dumps(item) for item in [*examples, {"why": SECRET}]) + '\n{"torn": "LK-77312')
    page.write_text(f"<p>{SECRET}</p>")

    assert [scrub(path, traces, write=True) for path in (report, lines, page)] == [2, 3, 1]
    assert json.loads(report.read_text()) == {"worst": [{"answer": OTHER}], "note": {"said": ERASED, "n": 3}}
    assert [json.loads(line) for line in lines.read_text().splitlines()] == [examples[1], {"why": ERASED}]
    assert not page.exists()


def test_a_torn_json_file_with_a_trace_goes_as_a_whole(traces, tmp_path):
    path = tmp_path / "torn.json"
    path.write_text('{"answer": "LK-77312')
    assert scrub(path, traces, write=True) == 1
    assert not path.exists()


def test_cached_answers_go_by_call_and_by_text_and_no_page_of_the_file_keeps_them(project, traces):
    path = project.state("cache", "provider.sqlite")
    path.parent.mkdir(parents=True)
    base = sqlite3.connect(path)
    for table in ("completions", "embeddings"):
        base.execute(f"CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB, sum BLOB)")
    answers = [{"call_id": "c1", "text": "a paraphrase"}, {"call_id": "c2", "text": SECRET}, {"call_id": "c3"}]
    rows = [(bytes([place]), json.dumps(value).encode(), b"") for place, value in enumerate(answers)]
    base.executemany("INSERT INTO completions VALUES (?, ?, ?)", rows)
    base.execute("INSERT INTO embeddings VALUES (x'00', x'0102', x'')")
    base.commit()
    base.close()

    assert scrub_answers(project, traces, ["c1"], write=True) == 3
    assert [text for text in texts_in(path) if "call_id" in text] == ['\x02\n{"call_id": "c3"}\n']
    assert b"Lindenhofer" not in path.read_bytes()


def test_remembered_drafts_go_by_what_they_say(project, traces):
    path = project.state("ingest", "memory.sqlite")
    noted = project.state("ingest", "carried.bin")
    noted.parent.mkdir(parents=True)
    noted.write_bytes(b"sketches of all documents")
    with Memory(path) as memory:
        memory.remember_hashes({"sources/heron.md": ("1", "a"), "sources/y.md": ("1", "b")}, [])
        for key, text in (("k1", SECRET), ("k2", OTHER)):
            memory._db.execute("INSERT INTO drafts VALUES (?, ?)", (key, zlib.compress(text.encode())))
    assert scrub_drafts(project, traces, ["sources/heron.md"], write=True) == 2
    assert not noted.exists()
    assert not any(traces.found_in(text) for text in texts_in(path))
    assert any(OTHER in text for text in texts_in(path))


def test_objects_go_by_hash_by_content_by_place_and_with_the_index(project, traces, tmp_path):
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").write_text(f"['remote \"near\"']\n    url = {tmp_path / 'remote'}\n"
                                                  "['remote \"far\"']\n    url = s3://bucket/x\n")  # fmt: skip
    store = tmp_path / "remote"

    def put(data, suffix=""):
        scratch = tmp_path / "scratch"
        scratch.write_bytes(data)
        [key] = md5_of([scratch])
        path = store / "files" / "md5" / key[:2] / (key[2:] + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return key, path

    quoting, packed, placed, innocent, known = (
        put(data) for data in (SECRET.encode(), b"\0lance", b"\0pdf of old", OTHER.encode(), b"\0known")
    )
    frame = tmp_path / "frame.parquet"
    pd.DataFrame({"text": [SECRET]}).to_parquet(frame)
    table = put(frame.read_bytes())
    listed = {"chunks.lance/data/x.lance": packed, "heron.md": placed, "y.md": innocent}
    listing = put(json.dumps([{"md5": key, "relpath": name} for name, (key, _) in listed.items()]).encode(), ".dir")
    clean = put(json.dumps([{"md5": innocent[0], "relpath": "y.md"}]).encode(), ".dir")

    here, elsewhere = stores(project)
    assert (here, elsewhere) == ([store.resolve()], ["far"])
    removed = remove(tainted(here[0], traces, {known[0]}))

    assert set(removed) == {quoting[0], packed[0], placed[0], known[0], table[0], f"{listing[0]}.dir"}
    assert innocent[1].exists()
    assert clean[1].exists()
    assert not content_found(innocent[1], traces)


def test_a_certificate_is_signed_chained_and_cannot_be_altered(project):
    assert previous_sha256(project) == GENESIS
    path = write_certificate(project, "20261101T000000-a", {"document_id": "x", "previous_sha256": GENESIS})
    assert verify_certificate(path)["document_id"] == "x"
    assert len(previous_sha256(project)) == 64
    assert project.state("keys", "erasure.ed25519").stat().st_mode & 0o77 == 0
    again = write_certificate(project, "20261101T000001-b", {"document_id": "y"})
    assert verify_certificate(again)["public_key"] == verify_certificate(path)["public_key"]

    path.write_text(path.read_text().replace('"x"', '"z"'))
    with pytest.raises(IntegrityError, match="altered"):
        verify_certificate(path)
    with pytest.raises(InputError):
        verify_certificate(path.with_name("none.json"))


def source(project, name, text):
    path = project.data("sources", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_row_is_removed_from_its_file_and_the_others_stay_byte_for_byte(project):
    first, second = '{"id": "a", "text": "one"}\r\n', '{"id": "b",  "text": "two"}\n'
    path = source(project, "rows.jsonl", first + second + "{torn\n")
    origin = find_origin(project, "rows.jsonl#b")
    assert source_text(origin) == second
    assert remove_source(origin) == 1
    assert path.read_bytes() == (first + "{torn\n").encode()
    table = source(project, "rows.csv", "id,text\na,one\nb,two\n")
    assert remove_source(find_origin(project, "rows.csv#a")) == 1
    assert table.read_text() == "id,text\nb,two\n"


def test_a_rejected_row_is_removed_by_its_line(project):
    path = source(project, "rows.jsonl", '{"id": "a", "text": "one"}\n{torn\n{"id": "b", "text": "two"}\n')
    assert remove_source(find_origin(project, "rows.jsonl#line-2")) == 1
    assert "torn" not in path.read_text()
    assert remove_source(find_origin(project, "rows.jsonl#unknown")) == 0


def test_a_row_that_cannot_be_cut_out_is_left_to_a_person(project):
    source(project, "rows.csv", 'id,text\na,"one\ntwo"\n')
    source(project, "rows.json", '[{"id": "a", "text": "one"}]')
    for address in ("rows.csv#a", "rows.json#a"):
        with pytest.raises(UsageError, match="by hand"):
            remove_source(find_origin(project, address))


def test_a_file_goes_as_a_whole_and_an_absent_one_is_none(project):
    path = source(project, "heron.md", SECRET)
    assert remove_source(find_origin(project, "heron.md")) == 1
    assert not path.exists()
    assert find_origin(project, "heron.md").path is None


def test_a_revision_of_a_repository_is_out_of_reach_and_said_so(project):
    folder = project.root / "handbook"
    folder.mkdir()
    (folder / "heron.md").write_text(SECRET)
    git = ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    project.params_file.write_text("ingest:\n  sources: [{uri: handbook, revision: HEAD}]\n")
    origin = find_origin(project, "handbook/heron.md")
    assert (origin.path, remove_source(origin)) == (None, 0)
    assert "rewrite its history" in origin.out_of_reach
