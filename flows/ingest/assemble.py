"""Put prepared inputs together: addresses and ids, duplicates, previous versions, the balance.

Pure: the same inputs and the same previous tables give the same rows in the same order. A document
whose new bytes are rejected keeps its previous good version (flag `previous_version_kept`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray

from flows.core.access import PUBLIC, joined
from flows.core.ids import document_version, sha256
from flows.ingest.carried import Carried, Placed
from flows.ingest.columns import tables
from flows.ingest.discover import Found, row_address
from flows.ingest.drafts import Draft, Prepared, Rejection
from flows.ingest.params import IngestParams
from flows.ingest.releases import ACCESS_RULE, LABEL_RULE, QUOTA_RULE

KEPT = "previous_version_kept"
WITHDRAWING = {ACCESS_RULE, LABEL_RULE}  # whoever restricts a document does not want its last version served
Rows = list[dict[str, Any]]
Recut = Callable[[], Draft | None]


@dataclass(frozen=True)
class Corpus:
    """The three tables, and the counts that must add up.

    Args:
        documents: Rows of the contract, by address.
        chunks: Rows of the contract, by document and place.
        rejected: Rows of the quarantine, without the time.
        balance: Counts by name.
        placed: Where each row of `documents` comes from.
        n_chunks: Number of chunks of each.
        whole: What those files came to of which every document stands in the tables, by address.
    """

    documents: arrow.Table
    chunks: arrow.Table
    rejected: Rows
    balance: dict[str, Any]
    placed: Sequence[Placed]
    n_chunks: NDArray[np.int64]
    whole: Mapping[str, Prepared]


def assemble(
    found: Sequence[Found],
    prepared: Mapping[str, Prepared],
    hashes: Mapping[str, str],
    previous: Mapping[str, Recut],
    params: IngestParams,
    last: Carried | None = None,
) -> Corpus:
    """Assemble the tables.

    Args:
        found: Everything in the sources.
        prepared: What each input that is not ignored came to, by address.
        hashes: SHA-256 of each input by address.
        previous: The documents of the last run by address, to be cut again only when one is kept.
        params: Duplicate policy and thresholds.
        last: The last tables, and what is carried over from them.
    """
    last = last or Carried()
    new = [_place(_row_uri(uri, draft.row), draft) for uri, result in prepared.items() for draft in result.drafts]
    present = sorted([*new, *last.placed], key=lambda item: item.uri)
    fresh, beyond = _within_quota(present, found, params)
    kept = _narrowed(_kept(previous, prepared, {item.uri for item in present}), found, params)
    everything = sorted([*fresh, *kept], key=lambda item: item.uri)
    chosen = _without_duplicates(everything) if params.duplicates == "collapse" else everything
    documents, chunks, n_chunks = tables(chosen, last, params.near_duplicate_threshold)
    rejected = sorted(
        (*_rejected(prepared, hashes), *_refused(beyond, hashes, last)),
        key=lambda row: (row["source_uri"], row["sha256"], row["reason_code"]),
    )
    balance = _balance(found, prepared, chosen, fresh, rejected)
    return Corpus(documents, chunks, rejected, balance, chosen, n_chunks, _whole(present, chosen, prepared))


def _place(uri: str, draft: Draft, *, kept: bool = False) -> Placed:
    sketch = np.array(draft.sketch, dtype=np.uint32)
    return Placed(uri, document_version(draft.text), draft.access, sketch, draft, kept=kept)


def _whole(
    present: Sequence[Placed], chosen: Sequence[Placed], prepared: Mapping[str, Prepared]
) -> dict[str, Prepared]:
    made = Counter(item.file for item in present)
    published = Counter(item.file for item in chosen if not item.kept)
    files = (file for file, count in published.items() if count == made[file])
    return {file: prepared[file] for file in files if not prepared[file].rejections}


def _within_quota(
    items: Sequence[Placed], found: Sequence[Found], params: IngestParams
) -> tuple[list[Placed], list[Placed]]:
    """Split the documents into those that their source may bring, by address, and those beyond."""
    source_of = {item.uri: item.source for item in found}
    taken = [0] * len(params.sources)
    within: list[Placed] = []
    beyond: list[Placed] = []
    for item in items:
        source = source_of[item.file]
        most = params.sources[source].documents_max
        taken[source] += 1
        (within if most is None or taken[source] <= most else beyond).append(item)
    return within, beyond


def _refused(beyond: Sequence[Placed], hashes: Mapping[str, str], last: Carried) -> Iterator[dict[str, Any]]:
    for item in beyond:
        text = item.draft.text if item.draft else last.documents["text"][item.row].as_py()
        yield {
            "source_uri": item.uri,
            "sha256": hashes[item.uri] if item.uri == item.file else sha256(text),
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
            yield _place(uri, replace(draft, flags=tuple(dict.fromkeys((*draft.flags, KEPT)))), kept=True)


def _narrowed(items: Iterable[Placed], found: Sequence[Found], params: IngestParams) -> Iterator[Placed]:
    """Add the labels that their sources have by now to previous versions, and hold those to the policy."""
    source_of = {item.uri: item.source for item in found}
    for item in items:
        access = joined(item.access, params.sources[source_of[item.file]].access)
        if access == PUBLIC or params.restricted_documents == "index":
            yield item._replace(access=access)


def _concerns(problem: Rejection, file: str, uri: str) -> bool:
    """Return whether a rejection may be of this document: of its file, its row, or a row without a readable id."""
    if problem.row is None or uri == _row_uri(file, problem.row):
        return True
    return uri != file and problem.code == "malformed_rows"


def _without_duplicates(items: Sequence[Placed]) -> list[Placed]:
    seen: set[tuple[str, str]] = set()
    chosen = []
    for item in items:
        kind = item.version, item.access
        if kind not in seen:
            chosen.append(item)
            seen.add(kind)
    return chosen


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
        "duplicate_texts": len(chosen) - len({item.version for item in chosen}),
        "quarantined_by_reason": reasons,
        "ignored_by_reason": ignored,
    }


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
