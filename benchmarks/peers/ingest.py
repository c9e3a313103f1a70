"""One peer, one run: bring a folder of Markdown into its store, with our hash embedder, and say what it took.

Runs in an environment of the peers' own (benchmarks/peers/requirements.txt), started by
`python -m benchmarks.ingest_peers`. Each peer is used as its documentation shows for keeping a store
equal to a folder: what it calls incremental, where it has that; otherwise everything again. Chunks are
about 200 tokens. Timed is the work after the imports; the last line printed is JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from flows.provider.local.hashing import HashEmbedder

CHUNK_TOKENS = 200
CHUNK_CHARS = 1_100
Work = Callable[[Path, Path], int]
EMBEDDER = HashEmbedder()


def embed(texts: list[str]) -> list[list[float]]:
    return EMBEDDER.embed(texts).tolist()


def llama_index() -> Work:
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.storage.docstore import SimpleDocumentStore
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    class Hashing(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return embed([text])[0]

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return embed(texts)

        def _get_query_embedding(self, query: str) -> list[float]:
            return embed([query])[0]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return embed([query])[0]

    def work(folder: Path, store: Path) -> int:
        known = (store / "pipeline").exists()
        pipeline = IngestionPipeline(
            transformations=[SentenceSplitter(chunk_size=CHUNK_TOKENS, chunk_overlap=0), Hashing(embed_batch_size=256)],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=LanceDBVectorStore(uri=str(store / "lance"), mode="append" if known else "create"),
        )
        if known:
            pipeline.load(str(store / "pipeline"))
        documents = SimpleDirectoryReader(str(folder), recursive=True, filename_as_id=True).load_data()
        nodes = pipeline.run(documents=documents)
        pipeline.persist(str(store / "pipeline"))
        return len(nodes)

    return work


def langchain() -> Work:
    from langchain_classic.indexes import SQLRecordManager, index
    from langchain_community.vectorstores import LanceDB
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Hashing(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return embed(texts)

        def embed_query(self, text: str) -> list[float]:
            return embed([text])[0]

    def work(folder: Path, store: Path) -> int:
        splitter = RecursiveCharacterTextSplitter(chunk_size=CHUNK_CHARS, chunk_overlap=0)
        records = SQLRecordManager("documents", db_url=f"sqlite:///{store / 'records.sqlite'}")
        records.create_schema()
        vectors = LanceDB(uri=str(store / "lance"), embedding=Hashing(), mode="append")
        paths = sorted(folder.rglob("*.md"))
        documents = [Document(path.read_text(), metadata={"source": str(path)}) for path in paths]
        done = index(
            splitter.split_documents(documents), records, vectors, cleanup="full", source_id_key="source",
            batch_size=2_000, key_encoder="blake2b",
        )  # fmt: skip
        return int(done["num_added"])

    return work


def haystack() -> Work:
    from haystack import Document, Pipeline, component
    from haystack.components.converters import TextFileToDocument
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.writers import DocumentWriter
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack.document_stores.types import DuplicatePolicy

    @component
    class Hashing:
        @component.output_types(documents=list[Document])
        def run(self, documents: list[Document]) -> dict[str, list[Document]]:
            pairs = zip(documents, embed([document.content for document in documents]), strict=True)
            return {"documents": [replace(document, embedding=vector) for document, vector in pairs]}

    def work(folder: Path, store: Path) -> int:
        kept = store / "documents.json"
        documents = InMemoryDocumentStore.load_from_disk(str(kept)) if kept.exists() else InMemoryDocumentStore()
        pipeline = Pipeline()
        pipeline.add_component("read", TextFileToDocument())
        pipeline.add_component("split", DocumentSplitter(split_by="word", split_length=CHUNK_TOKENS, split_overlap=0))
        pipeline.add_component("embed", Hashing())
        pipeline.add_component("write", DocumentWriter(documents, policy=DuplicatePolicy.OVERWRITE))
        for one, other in (("read", "split"), ("split", "embed"), ("embed", "write")):
            pipeline.connect(one, other)
        result = pipeline.run({"read": {"sources": sorted(folder.rglob("*.md"))}})
        documents.save_to_disk(str(kept))
        return int(result["write"]["documents_written"])

    return work


def hashed(texts: list[str]) -> Any:
    return EMBEDDER.embed(texts)


def txtai() -> Work:
    import re

    from txtai import Embeddings

    from flows.provider.local.hashing import DIMS

    def chunks(text: str) -> list[str]:
        words = re.findall(r"\S+", text)
        return [" ".join(words[start : start + 160]) for start in range(0, len(words), 160)]

    def work(folder: Path, store: Path) -> int:
        index = Embeddings(method="external", transform="benchmarks.peers.ingest.hashed", dimensions=DIMS, content=True)
        kept, paths = store / "index", sorted(folder.rglob("*.md"))
        rows = {f"{path}#{n}": text for path in paths for n, text in enumerate(chunks(path.read_text()))}
        if not kept.exists():
            index.index(rows.items())
        else:
            index.load(str(kept))
            stored = {row["id"]: row["text"] for row in index.search("select id, text from txtai", 10_000_000)}
            index.delete([key for key in stored if key not in rows])
            index.upsert([(key, text) for key, text in rows.items() if stored.get(key) != text])
        index.save(str(kept))
        return len(rows)

    return work


def cocoindex() -> Work:
    from dataclasses import dataclass

    import cocoindex as coco
    import numpy as np
    from cocoindex.connectors import lancedb, localfs
    from cocoindex.ops.text import RecursiveSplitter
    from cocoindex.resources.file import FileLike, PatternFilePathMatcher
    from cocoindex.resources.schema import VectorSchema
    from numpy.typing import NDArray

    from flows.provider.local.hashing import DIMS

    splitter, database = RecursiveSplitter(), coco.ContextKey[lancedb.LanceAsyncConnection]("database")

    @dataclass
    class Row:
        key: str
        text: str
        vector: Annotated[NDArray, VectorSchema(dtype=np.dtype(np.float32), size=DIMS)]

    @coco.fn(memo=True)
    async def one_file(file: FileLike, table: Any) -> None:
        parts = splitter.split(await file.read_text(), chunk_size=CHUNK_CHARS, chunk_overlap=0, language="markdown")
        vectors = EMBEDDER.embed([part.text for part in parts])
        for number, (part, vector) in enumerate(zip(parts, vectors, strict=True)):
            table.declare_row(row=Row(f"{file.file_path.path}#{number}", part.text, vector))

    @coco.fn
    async def main(folder: Path) -> None:
        schema = await lancedb.TableSchema.from_class(Row, primary_key=["key"])
        table = await lancedb.mount_table_target(database, "chunks", schema)
        matcher = PatternFilePathMatcher(included_patterns=["**/*.md"])
        files = localfs.walk_dir(folder, recursive=True, path_matcher=matcher)
        await coco.mount_each(one_file, files.items(), table)

    def work(folder: Path, store: Path) -> int:
        @coco.lifespan
        async def lifespan(builder: Any) -> Any:
            builder.provide(database, await lancedb.connect_async(str(store / "lance")))
            yield

        coco.App(coco.AppConfig(name="Benchmark"), main, folder=folder).update_blocking()
        return asyncio.run(rows_of(store))

    async def rows_of(store: Path) -> int:
        connection = await lancedb.connect_async(str(store / "lance"))
        return int(await (await connection.open_table("chunks")).count_rows())

    return work


PEERS = {
    "cocoindex": cocoindex,
    "txtai": txtai,
    "LlamaIndex": llama_index,
    "LangChain": langchain,
    "Haystack": haystack,
}


def main(peer: str, folder: str, store: str) -> None:
    """Print what the run took."""
    Path(store).mkdir(parents=True, exist_ok=True)
    work = PEERS[peer]()
    loaded, wall, cpu = time.process_time(), time.perf_counter(), time.process_time()
    rows = work(Path(folder), Path(store))
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loaded": loaded, "rows": rows}
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
