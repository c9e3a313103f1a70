"""Let a rejected input in after a person has looked at it: these bytes, past this rule, by whom and why.

A release names the content by its SHA-256, so the next edit is judged again. Only rules of policy can
be lifted: a file that no parser can read has to be mended. Each release is a line of
`data/ingest/released.jsonl`; the next run of `ingest` takes it. Taking a release back is deleting its line.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.core.errors import ContractError, UsageError, first_three
from flows.core.files import write_text
from flows.core.ids import content_id
from flows.core.locks import writer_lock
from flows.core.project import Project

LIFTABLE = frozenset({"policy", "secret", "too_short"})
ACCESS_RULE, LABEL_RULE, QUOTA_RULE = "restricted_access", "access_label", "documents_max"
FOR_ALL = {
    ACCESS_RULE: "ingest.restricted_documents",
    QUOTA_RULE: "`documents_max` of its source",
    "nesting": "ingest.nesting_max",
    "size_max_mb": "ingest.size_max_mb",
    "text_chars_max": "ingest.text_chars_max",
    "cell_chars_max": "ingest.cell_chars_max",
}
_BY_PARSER = frozenset({"front_matter_tag"})  # its policy is that no parser goes on
Lifted = Mapping[str, frozenset[str]]  # rules by SHA-256


@dataclass(frozen=True)
class Release:
    """Content that one rule shall not reject from now on."""

    sha256: str
    rule: str
    reason_code: str
    source_uri: str
    who: str
    why: str
    at: str


def read_releases(project: Project) -> list[Release]:
    """Return all releases, oldest first.

    Raises:
        ContractError: A line is not a release.
    """
    path = _file(project)
    lines = path.read_text().splitlines() if path.is_file() else []
    releases, bad = [], []
    for number, line in enumerate(lines, start=1):
        try:
            releases.append(Release(**json.loads(line)))
        except (ValueError, TypeError):
            bad.append(f"line {number}")
    if bad:
        raise ContractError(
            f"{len(bad)} line(s) of {project.relative(path)} are not releases: {first_three(bad)}. "
            "Delete them, then run `llmops quarantine release` for what shall be let in."
        )
    return releases


def release(project: Project, source_uri: str, *, rule: str | None, who: str, why: str, now: datetime) -> list[Release]:
    """Record that what stands in quarantine under an address shall be let in.

    Args:
        project: The project.
        source_uri: Address in the quarantine; a file's address includes its rejected rows.
        rule: The rule to lift; None = the only one there is.
        who: Who decides.
        why: The reason.
        now: Time of the decision.

    Returns:
        The new releases; those that exist already are not repeated.

    Raises:
        InputError: Nothing of that address is in quarantine.
        UsageError: No reason, several rules and none named, or a rule that cannot be lifted.
    """
    if not why.strip():
        raise UsageError("a release needs a reason. Give one: --why TEXT.")
    from flows.ingest.quarantine import show_quarantine  # the table's contract takes a second to load

    rows = _chosen(show_quarantine(project, source_uri), source_uri, rule)
    at = now.astimezone(UTC).isoformat(timespec="seconds")
    with writer_lock(project.state("locks", "released.lock"), what="data/ingest/released.jsonl"):
        before = read_releases(project)
        known = {(item.sha256, item.rule) for item in before}
        new = [
            Release(row["sha256"], row["rule"], row["reason_code"], row["source_uri"], who, why.strip(), at)
            for row in rows
            if (row["sha256"], row["rule"]) not in known
        ]
        text = "".join(json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in (*before, *new))
        write_text(_file(project), text)
    return new


def lifted_for(releases: Sequence[Release], uri: str, sha256: str) -> dict[str, frozenset[str]]:
    """Return the rules that are lifted for a file or for rows of it, by the SHA-256 of either.

    Args:
        releases: All releases.
        uri: Address of the file.
        sha256: Of the file's bytes.
    """
    lifted: dict[str, frozenset[str]] = {}
    for item in releases:
        if item.sha256 == sha256 or item.source_uri.partition("#")[0] == uri:
            lifted[item.sha256] = lifted.get(item.sha256, frozenset()) | {item.rule}
    return lifted


def release_id(releases: Sequence[Release]) -> str:
    """Return one id for what is let in, whoever decided it."""
    return content_id(sorted({(item.sha256, item.rule, item.source_uri) for item in releases}))


def _chosen(rows: list[dict[str, Any]], source_uri: str, rule: str | None) -> list[dict[str, Any]]:
    rules = sorted({row["rule"] for row in rows})
    if rule is None and len(rules) > 1:
        raise UsageError(f"{source_uri!r} is in quarantine by {len(rules)} rules: {rules}. Name one: --rule RULE.")
    chosen = [row for row in rows if rule in {None, row["rule"]}]
    if not chosen:
        raise UsageError(f"{source_uri!r} is not in quarantine by {rule!r}, but by {rules}. Name one of these.")
    if common := sorted({row["rule"] for row in chosen} & FOR_ALL.keys()):
        raise UsageError(
            f"{source_uri!r} waits by {common[0]!r}, which is decided for all documents alike. "
            f"Change {FOR_ALL[common[0]]} in params.yaml."
        )
    if fixed := sorted({row["reason_code"] for row in chosen if not _may_be_lifted(row)}):
        raise UsageError(f"{fixed} cannot be lifted for {source_uri!r}: nothing can be read there. Mend the file.")
    return chosen


def _may_be_lifted(row: dict[str, Any]) -> bool:
    return row["reason_code"] in LIFTABLE and row["rule"] not in _BY_PARSER


def _file(project: Project) -> Path:
    return project.data("ingest", "released.jsonl")
