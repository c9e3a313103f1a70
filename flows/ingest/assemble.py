"""Put prepared inputs together: addresses and ids, duplicates, previous versions, the balance.

Pure: the same inputs and the same previous tables give the same rows in the same order. A document
whose new bytes are rejected keeps its previous good version (flag `previous_version_kept`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from flows.core.access import PUBLIC, joined
from flows.core.ids import chunk_id, document_id, document_version, sha256
from flows.ingest.chunking import CHUNKER
from flows.ingest.discover import Found, row_address
from flows.ingest.drafts import Draft, Prepared, Rejection
from flows.ingest.near import near_duplicates
from flows.ingest.params import IngestParams
from flows.ingest.releases import ACCESS_RULE, LABEL_RULE, QUOTA_RULE

KEPT = "previous_version_kept"
WITHDRAWING = {ACCESS_RULE, LABEL_RULE}  # whoever restricts a document does not want its last version served
INHERITED = ("document_id", "document_version", "source_uri", "title", "access")
Rows = list[dict[str, Any]]
Recut = Callable[[], Draft | None]


@dataclass(frozen=True)
class Placed:
    """A draft with its address; `kept` says that it is a previous version."""

    uri: str
    draft: Draft
    kept: bool = False


@dataclass(frozen=True)
class Corpus:
    """The rows of the three tables, and the counts that must add up."""

    documents: Rows
    chunks: Rows
    rejected: Rows
    balance: dict[str, Any]


def assemble(
    found: Sequence[Found],
    prepared: Mapping[str, Prepared],
    hashes: Mapping[str, str],
    previous: Mapping[str, Recut],
    params: IngestParams,
) -> Corpus:
    """Assemble the tables.

    Args:
        found: Everything in the sources.
        prepared: What each input that is not ignored came to, by address.
        hashes: SHA-256 of each input by address.
        previous: The documents of the last run by address, to be cut again only when one is kept.
        params: Duplicate policy and thresholds.
    """
    fresh = [Placed(_row_uri(uri, draft.row), draft) for uri, result in prepared.items() for draft in result.drafts]
    fresh, beyond = _within_quota(sorted(fresh, key=lambda item: item.uri), found, params)
    kept = _narrowed(_kept(previous, prepared, {item.uri for item in (*fresh, *beyond)}), found, params)
    everything = sorted([*fresh, *kept], key=lambda item: item.uri)
    chosen = _without_duplicates(everything) if params.duplicates == "collapse" else everything
    documents = _documents(chosen, params.near_duplicate_threshold)
    rejected = sorted(
        (*_rejected(prepared, hashes), *_refused(beyond, hashes)),
        key=lambda row: (row["source_uri"], row["sha256"], row["reason_code"]),
    )
    balance = _balance(found, prepared, chosen, fresh, rejected)
    return Corpus(documents, _chunks(chosen, documents), rejected, balance)


def _within_quota(
    items: Sequence[Placed], found: Sequence[Found], params: IngestParams
) -> tuple[list[Placed], list[Placed]]:
    """Split the documents into those that their source may bring, by address, and those beyond."""
    source_of = {item.uri: item.source for item in found}
    taken = [0] * len(params.sources)
    within: list[Placed] = []
    beyond: list[Placed] = []
    for item in items:
        source = source_of[item.uri.partition("#")[0]]
        most = params.sources[source].documents_max
        taken[source] += 1
        (within if most is None or taken[source] <= most else beyond).append(item)
    return within, beyond


def _refused(beyond: Sequence[Placed], hashes: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for item in beyond:
        row = item.draft.row is not None
        yield {
            "source_uri": item.uri,
            "sha256": sha256(item.draft.text) if row else hashes[item.uri],
            "reason_code": "policy",
            "rule": QUOTA_RULE,
            "detail": "its source brings more documents than it may",
        }


def _row_uri(uri: str, row: str | None) -> str:
    return uri if row is None else f"{uri}#{row_address(row)}"


def _kept(previous: Mapping[str, Recut], prepared: Mapping[str, Prepared], present: set[str]) -> Iterator[Placed]:
    """Yield previous documents whose input is still there but was rejected, wholly or in unnamed rows."""
    for uri, recut in previous.items():
        file, _, _ = uri.partition("#")
        result = prepared.get(file)
        if result is None or uri in present:
            continue
        rules = {problem.rule for problem in result.rejections if _concerns(problem, file, uri)}
        if rules and not rules & WITHDRAWING and (draft := recut()):
            yield Placed(uri, replace(draft, flags=tuple(dict.fromkeys((*draft.flags, KEPT)))), kept=True)


def _narrowed(items: Iterable[Placed], found: Sequence[Found], params: IngestParams) -> Iterator[Placed]:
    """Add the labels that their sources have by now to previous versions, and hold those to the policy."""
    source_of = {item.uri: item.source for item in found}
    for item in items:
        source = params.sources[source_of[item.uri.partition("#")[0]]]
        access = joined(item.draft.access, source.access)
        if access == PUBLIC or params.restricted_documents == "index":
            yield replace(item, draft=replace(item.draft, access=access))


def _concerns(problem: Rejection, file: str, uri: str) -> bool:
    """Return whether a rejection may be of this document: of its file, its row, or a row without a readable id."""
    if problem.row is None or uri == _row_uri(file, problem.row):
        return True
    return uri != file and problem.code == "malformed_rows"


def _without_duplicates(items: Sequence[Placed]) -> list[Placed]:
    seen: set[tuple[str, str]] = set()
    chosen = []
    for item in items:
        kind = document_version(item.draft.text), item.draft.access
        if kind not in seen:
            chosen.append(item)
            seen.add(kind)
    return chosen


def _documents(items: Sequence[Placed], threshold: float) -> Rows:
    near = near_duplicates([item.draft.sketch for item in items], threshold)
    rows = []
    for index, item in enumerate(items):
        draft = item.draft
        flags = [flag for flag in draft.flags if not flag.startswith("near_duplicate:")]
        if index in near:
            flags.append(f"near_duplicate:{document_id(items[near[index]].uri)}")
        rows.append({
            "document_id": document_id(item.uri),
            "document_version": document_version(draft.text),
            "source_uri": item.uri,
            "title": draft.title or PurePosixPath(item.uri.partition("#")[0]).stem,
            "access": draft.access,
            "media_type": draft.media_type,
            "text": draft.text,
            "language": draft.language,
            "n_chars": len(draft.text),
            "parsed_by": draft.parsed_by,
            "pii_counts": json.dumps(draft.pii_counts, sort_keys=True),
            "flags": json.dumps(flags, ensure_ascii=False),
        })  # fmt: skip
    return rows


def _chunks(items: Sequence[Placed], documents: Rows) -> Rows:
    first: dict[tuple[str, str], str] = {}
    rows = []
    for item, document in zip(items, documents, strict=True):
        for span in item.draft.spans:
            text = item.draft.text[span.start : span.end]
            own = chunk_id(document["document_id"], document["document_version"], span.start, span.end, CHUNKER)
            original = first.setdefault((document["access"], text), own)
            rows.append({
                **{name: document[name] for name in INHERITED},
                "chunk_id": own,
                "heading": span.heading,
                "start": span.start,
                "end": span.end,
                "text": text,
                "n_tokens": span.n_tokens,
                "duplicate_of": None if original == own else original,
            })  # fmt: skip
    return rows


def _rejected(prepared: Mapping[str, Prepared], hashes: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for uri, result in prepared.items():
        for problem in result.rejections:
            yield {
                "source_uri": _row_uri(uri, problem.row),
                "sha256": problem.sha256 or hashes[uri],
                "reason_code": problem.code,
                "rule": problem.rule,
                "detail": problem.detail,
            }


def _balance(
    found: Sequence[Found],
    prepared: Mapping[str, Prepared],
    chosen: Sequence[Placed],
    fresh: Sequence[Placed],
    rejected: Rows,
) -> dict[str, Any]:
    reasons = _count(row["reason_code"] for row in rejected)
    ignored = _count(item.ignored for item in found if item.ignored)
    superseded = sum(result.superseded for result in prepared.values())
    if superseded:
        ignored["superseded_row"] = superseded
    documents = sum(not item.kept for item in chosen)
    return {
        "inputs": sum(result.inputs for result in prepared.values()) + sum(bool(item.ignored) for item in found),
        "documents": documents,
        "quarantined": len(rejected),
        "duplicates": len(fresh) - documents + sum(result.repeated for result in prepared.values()),
        "ignored": sum(ignored.values()),
        "previous_versions_kept": len(chosen) - documents,
        "duplicate_texts": len(chosen) - len({document_version(item.draft.text) for item in chosen}),
        "quarantined_by_reason": reasons,
        "ignored_by_reason": ignored,
    }


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
