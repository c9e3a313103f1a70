"""Find a document by address or id, and everything that it ever said in this project."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.cli.erasing.sources import Origin, find_origin, source_text
from flows.cli.erasing.traces import Traces, make_traces
from flows.core.contracts import DOCUMENTS, QUARANTINE
from flows.core.errors import InputError, did_you_mean
from flows.core.ids import ID_CHARS, document_id
from flows.core.project import Project
from flows.core.tables import read_table
from flows.index.erase import Held, holding

ID_DIGITS_MIN = 8


@dataclass(frozen=True)
class Target:
    """The document to erase.

    Attributes:
        document_id: Its id.
        address: Where it came from.
        versions: Hashes of its content.
        origin: Its place in the sources.
        held: What every index version holds of it.
        traces: What gives it away.
        twins: Addresses of documents that say exactly the same and stay.
        prompts: Prompt files that quote it; only a person may change those.
    """

    document_id: str
    address: str
    versions: tuple[str, ...]
    origin: Origin
    held: tuple[Held, ...]
    traces: Traces
    twins: tuple[str, ...]
    prompts: tuple[str, ...]

    @property
    def redacted_tags(self) -> tuple[str, ...]:
        """Index versions that lose rows, or are damaged and go."""
        return tuple(item.tag for item in self.held if item.chunk_ids or item.unreadable)


def find_target(project: Project, name: str) -> Target:
    """Find the document that `name` means.

    Args:
        project: The project.
        name: Its source address, its id, or the first 8 digits or more of that.

    Raises:
        InputError: There is no such document in documents, quarantine or sources.
    """
    documents = _rows(project, "documents", DOCUMENTS)
    places = {row["source_uri"]: row["document_id"] for row in documents}
    places |= {row["source_uri"]: document_id(row["source_uri"]) for row in _rows(project, "quarantine", QUARANTINE)}
    address = _resolve(project, name, places)
    own = document_id(address)
    ours = [row for row in documents if row["document_id"] == own]
    others = [row for row in documents if row["document_id"] != own]
    said = {row["document_version"] for row in ours}
    origin, held = find_origin(project, address), tuple(holding(project, {own}))
    texts = [row["text"] for row in ours] + [text for item in held for text in item.texts] + [source_text(origin)]
    chunk_ids = {chunk for item in held for chunk in item.chunk_ids} | set(_chunk_ids(project, own))
    alone = make_traces([own], [address], chunk_ids, texts, [row["text"] for row in others])
    prompts = sorted(project.data("prompts").glob("*.md"))
    return Target(
        document_id=own,
        address=address,
        versions=tuple(sorted(said)),
        origin=origin,
        held=held,
        traces=make_traces(
            [own], [address], chunk_ids, texts, [*(row["text"] for row in others), *_common(project, prompts)]
        ),
        twins=tuple(sorted(row["source_uri"] for row in others if row["document_version"] in said)),
        prompts=tuple(project.relative(path) for path in prompts if alone.found_in(path.read_text(errors="replace"))),
    )


def _rows(project: Project, name: str, contract: object) -> list[dict[str, str]]:
    path = project.data("ingest", f"{name}.parquet")
    if not path.exists():
        return []
    rows: list[dict[str, str]] = read_table(path, contract, remedy="Run `llmops ingest`").to_dict("records")  # type: ignore[arg-type,assignment]
    return rows


def _resolve(project: Project, name: str, places: dict[str, str]) -> str:
    if name in places or find_origin(project, name).path is not None:
        return name
    if ID_DIGITS_MIN <= len(name) <= ID_CHARS:
        by_id = [place for place, item in places.items() if item.startswith(name)]
        if len(by_id) == 1:
            return by_id[0]
    raise InputError(
        f"there is no document {name!r} in documents, quarantine or sources.{did_you_mean(name, places)} "
        "Name it by `source_uri` or `document_id`; data/ingest/documents.parquet lists both."
    )


def _chunk_ids(project: Project, own: str) -> Iterator[str]:
    path = project.data("ingest", "chunks.parquet")
    if path.exists():
        import pyarrow.parquet as parquet

        table = parquet.read_table(path, columns=["chunk_id", "document_id"])
        pairs = zip(table["chunk_id"].to_pylist(), table["document_id"].to_pylist(), strict=True)
        yield from (str(chunk) for chunk, document in pairs if document == own)


def _common(project: Project, prompts: list[Path]) -> Iterator[str]:
    """Yield texts that every call carries or that name our own parts: they give nobody away."""
    for path in [project.params_file, *prompts]:
        yield path.read_text(errors="replace")
    from flows.core.calls import read_calls

    calls = read_calls(project)
    for column in ("request_model", "response_model", "provider", "prompt_id"):
        yield from (str(value) for value in calls[column].dropna().unique())
