"""The stage on real documents and with the real model."""

import pandas as pd
import pytest
import yaml

from benchmarks.retrieval_wiki import measure
from flows.core.contracts import CHUNKS
from flows.core.errors import ParamsError
from flows.core.project import Project
from flows.core.tables import write_table
from flows.embed import stage
from flows.index.manifest import published
from flows.index.store import open_index
from tests.index.corpus import chunks_of


def prepare(folder, *, model="local-hash-384", **embed):
    folder.mkdir(exist_ok=True)
    params = {"provider": {"embedding_model": model}, "embed": {"recall_queries": 20} | embed}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return Project.open(folder)


def embed(project, documents, now):
    chunks = chunks_of(documents)
    chunks = chunks[chunks["text"].str.strip() != ""]
    write_table(project.data("ingest", "chunks.parquet"), chunks, CHUNKS)
    return stage.run(str(project.root), clock=lambda: now)


def paragraphs(text):
    """One line per block of text, so that a chunk is a paragraph."""
    return "\n".join(" ".join(block.split()) for block in text.split("\n\n") if block.strip())


@pytest.mark.slow
@pytest.mark.shared_data
def test_hybrid_search_finds_at_least_what_bm25_finds_on_wikipedia(shared_data, tmp_path):
    recalls, _ = measure(shared_data / "02_wiki_rag", tmp_path)
    ours = recalls["hybrid, constant 10, vector weight 0.6"]
    assert recalls["bm25"] == pytest.approx(0.875, abs=0.005)
    assert ours >= recalls["bm25"]
    assert ours >= max(recalls["text"], recalls["vector"])


@pytest.mark.slow
@pytest.mark.shared_data
def test_four_snapshots_of_a_real_handbook_end_in_the_rebuilt_index(shared_data, tmp_path, now):
    folder = shared_data / "18_docs_history"
    texts = pd.read_parquet(folder / "handbook18f_versions.parquet").set_index("blob")["text"]
    snapshots = pd.read_parquet(folder / "handbook18f_snapshots.parquet")
    grown, previous = prepare(tmp_path / "grown"), {}
    for _, snapshot in snapshots.groupby("snapshot", sort=True):
        documents = {row.path: paragraphs(texts[row.blob]) for row in snapshot.itertuples()}
        documents = {path: text for path, text in documents.items() if text}
        record = embed(grown, documents, now)
        want, have = chunks_of(documents), chunks_of(previous)
        ids, before = set(want["chunk_id"]), set(have["chunk_id"])
        assert record.counts["new"] + record.counts["moved"] == len(ids - before)
        assert record.counts["removed"] == len(before - ids)
        assert set(open_index(grown).rows()["chunk_id"]) == ids
        previous = documents
    rebuilt = prepare(tmp_path / "rebuilt")
    embed(rebuilt, previous, now)
    assert published(rebuilt).tag == published(grown).tag
    pd.testing.assert_frame_equal(open_index(rebuilt).rows(), open_index(grown).rows())


@pytest.mark.slow
def test_another_model_is_refused_with_a_plan_and_re_embedded_when_asked(tmp_path, now):
    documents = {"alpha.md": "the cat sat on the mat\nevery invoice has a number"}
    project = prepare(tmp_path)
    embed(project, documents, now)
    live = published(project)
    prepare(tmp_path, model="all-MiniLM-L6-v2")
    plan = r"2 text\(s\) for 2 row\(s\), 0 .*: 1 request\(s\), about \$0\.0000, about \d+ s;"
    with pytest.raises(ParamsError, match=r"'local-hash-384' -> 'all-MiniLM-L6-v2'.*" + plan):
        embed(project, documents, now)
    assert published(project) == live
    prepare(tmp_path, model="all-MiniLM-L6-v2", on_model_change="re_embed")
    embed(project, documents, now)
    assert published(project).table != live.table
    assert open_index(project, live.tag).manifest.fingerprint["model"] == "local-hash-384"
    prepare(tmp_path, on_model_change="re_embed")
    back = embed(project, documents, now)
    assert (published(project).tag, back.counts["new"]) == (live.tag, 0)
