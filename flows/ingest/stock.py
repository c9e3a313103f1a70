"""Take stock of the sources: what is there, by content, without parsing anything.

The hash over all addresses and contents is the stage's input fingerprint. A file whose stat has
not changed since its hash was taken is not read again, so an unchanged tree costs one walk.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flows.core.ids import sha256
from flows.core.progress import Progress
from flows.core.project import Project
from flows.ingest.discover import Found, discover
from flows.ingest.drafts import Rejected
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.reading import read, unread_sha256


@dataclass(frozen=True)
class Stock:
    """Everything found; `hashes` by address for what was read, `problems` for what was not."""

    found: tuple[Found, ...]
    hashes: Mapping[str, str]
    problems: Mapping[str, Rejected]

    @property
    def inputs(self) -> list[Found]:
        """What is to become documents, by address."""
        return [item for item in self.found if not item.ignored]

    @property
    def sha256(self) -> str:
        """One hash over the addresses and contents of all sources."""
        parts = (self.hashes.get(item.uri, "") if not item.ignored else item.ignored for item in self.found)
        lines = (f"{item.uri}\t{part}" for item, part in zip(self.found, parts, strict=True))
        return sha256("\n".join(lines))


def take_stock(project: Project, params: IngestParams, memory: Memory, progress: Progress) -> Stock:
    """List the sources and hash what changed since the last time.

    Raises:
        InputError: A source does not exist.
    """
    found = tuple(discover(project, params))
    known = memory.hashes()
    hashes: dict[str, str] = {}
    problems: dict[str, Rejected] = {}
    fresh: dict[str, tuple[str, str]] = {}
    inputs = [item for item in found if not item.ignored]
    for number, item in enumerate(inputs, start=1):
        remembered = known.get(item.path)
        if remembered and item.token and remembered[0] == item.token:
            hashes[item.uri] = remembered[1]
            continue
        try:
            hashes[item.uri] = sha256(read(item, params))
            fresh[item.path] = (item.token, hashes[item.uri])
        except Rejected as problem:
            problems[item.uri] = problem
            hashes[item.uri] = unread_sha256(item)
        progress("reading sources", number, len(inputs))
    if fresh:
        memory.remember_hashes(fresh, known.keys() - {item.path for item in inputs})
    return Stock(found, hashes, problems)
