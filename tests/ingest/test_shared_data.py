"""Real files from outside: each ends where it should, with a true reason."""

import csv
import json

import pandas as pd
import pytest

from benchmarks.pdf_rows import kept_rows
from flows.core.contracts import CHUNKS, DOCUMENTS, QUARANTINE
from flows.core.tables import read_table
from flows.ingest import stage

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

TRAIT_REASONS = {
    "password protected: must be rejected or quarantined, not crash": "encrypted",
    "image only: no text layer": "no_text",
    "table with spans": "no_text",  # the page is one picture of a table
    "empty workbook": "no_text",
    "empty file: zero bytes": "empty",
    "whitespace only": "empty",
    "near-empty": "empty",
    "UTF-16-LE": "encoding",  # without a byte order mark
}
TWINS = {  # equal text in two encodings, or with empty pages between
    "unstructured__layout-parser-paper-with-empty-pages.pdf": "unstructured__copy-protected.pdf",
    "unstructured__example-steelJIS-datasheet.html": "unstructured__example-steelJIS-datasheet-utf-16.html",
    "unstructured__stanley-cups.csv": "unstructured__stanley-cups-utf-16.csv",
    "unstructured__umlauts-utf8.md": "unstructured__umlauts-non-utf8.md",
}


def ingest(project, folder, **params):
    section = {"sources": [{"uri": str(folder), "name": ""}], **params}
    project.params_file.write_text(json.dumps({"ingest": section}))
    record = stage.run(str(project.root))
    tables = [("documents", DOCUMENTS), ("chunks", CHUNKS), ("quarantine", QUARANTINE)]
    return record, *(read_table(project.data("ingest", f"{name}.parquet"), rules, remedy="-") for name, rules in tables)


def test_each_of_the_messy_files_ends_as_its_trait_says(project, shared_data):
    folder = shared_data / "30_messy_files"
    record, documents, chunks, quarantine = ingest(project, folder / "files")
    with (folder / "manifest.csv").open() as stream:
        traits = {row["file"]: row["trait"] for row in csv.DictReader(stream)}
    expected = {file: TRAIT_REASONS[trait] for file, trait in traits.items() if trait in TRAIT_REASONS}
    assert dict(zip(quarantine["source_uri"], quarantine["reason_code"], strict=True)) == expected
    assert set(documents["source_uri"]) == set(traits) - set(expected)
    versions = documents.set_index("source_uri")["document_version"]
    assert all(versions[twin] == versions[other] for twin, other in TWINS.items())
    assert record.counts["duplicate_texts"] == len(TWINS)
    assert record.counts["inputs"] == len(traits) == 65
    texts = documents.set_index("document_id")["text"]
    assert all(texts[row.document_id][row.start : row.end] == row.text for row in chunks.itertuples())


def test_the_company_documents_come_in_whole(project, shared_data):
    record, documents, chunks, _ = ingest(project, shared_data / "01_rag_northwind" / "docs")
    assert (record.counts["documents"], record.counts["quarantined"]) == (7, 0)
    benefits = documents.set_index("source_uri").loc["Northwind_Health_Plus_Benefits_Details.pdf"]
    assert benefits["n_chars"] > 250_000
    assert benefits["language"] == "en"
    assert chunks["n_tokens"].max() <= 200
    assert (chunks["heading"] != "").mean() > 0.9


def test_the_handbook_snapshots_bring_exactly_their_adds_changes_and_deletes(project, shared_data):
    history = shared_data / "18_docs_history"
    texts = pd.read_parquet(history / "handbook18f_versions.parquet").set_index("blob")["text"]
    files = pd.read_parquet(history / "handbook18f_snapshots.parquet")
    root = project.data("sources")
    before, known = {}, {}
    for _, snapshot in sorted(files.groupby("snapshot")):
        now = dict(zip(snapshot["path"], snapshot["blob"], strict=True))
        write(root, before, now, texts)
        _, documents, _, quarantine = ingest(project, root)
        found = dict(zip(documents["source_uri"], documents["document_version"], strict=True))
        outside = set(now) - set(found)
        refused = set(quarantine["source_uri"])
        assert set(found) <= set(now)
        assert outside == refused
        both = found.keys() & known.keys()
        changed = {path for path in both if found[path] != known[path]}
        assert changed <= {path for path in both if before[path] != now[path]}
        silent = {path for path in both if before[path] != now[path]} - changed
        assert all(body(texts[before[path]]) == body(texts[now[path]]) for path in silent)
        before, known = now, found


def write(root, before, now, texts):
    for path in before.keys() - now.keys():
        (root / path).unlink()
    for path, blob in now.items():
        if before.get(path) != blob:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(texts[blob])


def body(text):
    """What is left of a file when front matter and white space are taken off."""
    _, _, rest = text.partition("\n---")
    return "".join(rest.split()) if text.startswith("---") else "".join(text.split())


def test_the_tables_of_a_real_report_keep_their_rows(shared_data):
    rows, before, after = kept_rows((shared_data / "26_sec10q_pdf" / "docs" / "2022 Q3 AAPL.pdf").read_bytes())
    assert rows > 200
    assert before < 0.05 * rows
    assert after > 0.95 * rows
