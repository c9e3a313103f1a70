"""Name everything but the bytes that decides what an input comes to: params, code, parsers, tokenizer, key."""

from functools import cache
from importlib.metadata import version

from flows.core.fingerprints import code_sha256
from flows.core.ids import content_id, sha256
from flows.ingest.params import IngestParams
from flows.ingest.tokenizer import tokenizer_version

_NOT_SHAPING = {
    "sources", "url_hosts_allowed", "url_timeout_s", "parser_processes", "duplicates", "near_duplicate_threshold",
    "quality",
}  # fmt: skip


def shape_id(params: IngestParams, key: bytes = b"") -> str:
    """Return the id; it does not reveal the key of the tokens that stand for personal data."""
    return content_id(params.model_dump(mode="json", exclude=_NOT_SHAPING), *_machinery(), sha256(key))


@cache
def _machinery() -> tuple[str, ...]:
    return code_sha256("flows.ingest.prepare"), version("kreuzberg"), tokenizer_version()
