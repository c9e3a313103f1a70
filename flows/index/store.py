"""Open the index to read it: at the published version, at a version number, or at a tag.

A reader holds one version for as long as it lives, whatever a writer publishes meanwhile, and it
never reads a version whose bytes differ from its manifest.
"""

import shutil
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.access import UNLABELLED, may_read, readable
from flows.core.errors import InputError, IntegrityError
from flows.core.project import Project
from flows.index.filters import Filters, ids_in
from flows.index.fusion import Fusion
from flows.index.layout import REMEDY, manifest_path, table_folder
from flows.index.manifest import IndexManifest, database, published, resolve
from flows.index.queries import Opened, Probing
from flows.index.schema import HASHES, KEY, Vectors
from flows.index.search import Hit, Mode, Reach, search
from flows.index.verify import require_intact
from flows.index.writer import Writer, open_writer

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as arrow

__all__ = ["Filters", "Fusion", "Hit", "Index", "IndexManifest", "Writer", "open_index", "open_writer"]

_LANCE_ERRORS = (RuntimeError, OSError, ValueError)  # what it raises for a table it cannot open


class Index:
    """One version of the index, read-only."""

    def __init__(self, project: Project, manifest: IndexManifest, table: Any) -> None:
        self.manifest = manifest
        self._project = project
        self._table = table
        self._opened = Opened(table, Probing(manifest.probes, manifest.refine_factor, manifest.ef))

    def __len__(self) -> int:
        return self.manifest.rows

    def search(
        self,
        query_text: str,
        query_vector: Vectors | None,
        *,
        k: int,
        access: Collection[str],
        mode: Mode = "hybrid",
        filters: Filters | None = None,
        fusion: Fusion | None = None,
    ) -> list[Hit]:
        """Return at most `k` hits, best first.

        Args:
            query_text: See `flows.index.search.search`, as for the others.
            query_vector: Length 1.
            k: At least 1.
            access: The labels that the asker holds. Chunks that need any other are not searched; in an older
                version neither are documents that need any other in the live one.
            mode: What to search by.
            filters: Which chunks may be found.
            fusion: How rankings are merged.

        Raises:
            InputError: The version was made before chunks had labels, and `access` does not hold `unlabelled`.
        """
        return search(
            self._opened, query_text, query_vector, k=k, reach=self._reach(access), mode=mode, filters=filters,
            fusion=fusion,
        )  # fmt: skip

    def _reach(self, held: Collection[str]) -> Reach:
        allowed = readable(held, self.manifest.access)
        if not allowed and UNLABELLED in self.manifest.access:
            raise InputError(
                f"index version {self.manifest.tag} was made before chunks had access labels, so nothing of it may "
                "be read. Run `llmops run --stages ingest,embed` for one that has them, or ask with the label "
                f"{UNLABELLED!r} if everybody may read all of it."
            )
        closed = [documents for access, documents in self._relabelled.items() if not may_read(held, access)]
        return Reach(allowed, set().union(*closed))

    @cached_property
    def _relabelled(self) -> dict[str, set[str]]:
        """The documents that have other labels in the live version than in this one, by what they have there."""
        live = published(self._project)
        if live is None or live.tag == self.manifest.tag:
            return {}
        now, then = _labels(open_index(self._project)), _labels(self)
        found: dict[str, set[str]] = {}
        for document, access in now.items():
            if then.get(document, access) != access:
                found.setdefault(access, set()).add(document)
        return found

    def rows(self, chunk_ids: Sequence[str] | None = None) -> "pd.DataFrame":
        """Return the chunks (all, or those with these ids) by id, without vectors."""
        query = self._table.search().select(self._opened.columns)
        if chunk_ids is not None:
            query = query.where(ids_in(KEY, chunk_ids))
        found: pd.DataFrame = query.to_arrow().sort_by(KEY).to_pandas()
        return found

    def hashes(self) -> "pd.DataFrame":
        """Return `chunk_id`, `row_key` and `vector_key` of all rows, for comparison with what they should be."""
        found: pd.DataFrame = self._table.search().select(list(HASHES)).to_arrow().to_pandas()
        return found

    def everything(self, columns: Sequence[str] | None = None) -> "arrow.Table":
        """Return these columns (None = all, with vectors) of all rows; those of before labels are `unlabelled`."""
        import pyarrow as arrow

        wanted = [name for name in columns or self._table.schema.names if name != "access" or self._opened.labelled]
        found: arrow.Table = self._table.search().select(wanted).to_arrow()
        if self._opened.labelled:
            return found
        return found.append_column("access", arrow.array([UNLABELLED] * found.num_rows, arrow.string()))


def _labels(index: Index) -> dict[str, str]:
    """Return the labels of each document of a version."""
    pairs = index.everything(["document_id", "access"]).group_by(["document_id", "access"]).aggregate([])
    return {row["document_id"]: row["access"] for row in pairs.to_pylist()}


def open_index(project: Project, version: int | str | None = None) -> Index:
    """Open the index for reading.

    Args:
        project: The project.
        version: A version number or a tag; None = the published version.

    Raises:
        InputError: Nothing is published, or there is no such version.
        IntegrityError: Files of the version are missing or have other bytes than recorded.
    """
    manifest = resolve(project, version)
    require_intact(project, manifest)
    try:
        table = _open(database(project), manifest)
    except _LANCE_ERRORS:
        table = _open_apart(project, manifest)
    return Index(project, manifest, table)


def _open(root: Path, manifest: IndexManifest) -> Any:
    import lancedb

    return lancedb.connect(root).open_table(manifest.table, version=manifest.version)


def _open_apart(project: Project, manifest: IndexManifest) -> Any:
    """Open an intact version of a table whose newest manifest a crash has cut.

    Lance reads the newest manifest whatever version is asked for, so the version is shown to it
    alone: its own manifest, beside links to the table's other folders.
    """
    apart, source = project.state("index", manifest.tag), table_folder(database(project), manifest.table)
    shutil.rmtree(apart, ignore_errors=True)
    target = table_folder(apart, manifest.table)
    (target / "_versions").mkdir(parents=True)
    shutil.copy(manifest_path(source, manifest.version), target / "_versions")
    for name in ("data", "_indices", "_deletions"):
        (target / name).symlink_to(source / name, target_is_directory=True)
    try:
        return _open(apart, manifest)
    except _LANCE_ERRORS as error:
        raise IntegrityError(
            f"version {manifest.version} of table {manifest.table!r} does not open ({type(error).__name__}). {REMEDY}."
        ) from None
