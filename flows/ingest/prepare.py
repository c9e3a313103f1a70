"""Prepare every input once: sniff, parse, refine, and keep the result by content.

What is kept is found again by the hash of the bytes and of all that shapes the result, so only new
and changed content is ever parsed. Parsers run in the confined processes of `workers.py`, a
thread per process; a killed run has lost nothing that was kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from flows.core.ids import content_id, sha256
from flows.core.progress import Progress
from flows.ingest.discover import Found
from flows.ingest.drafts import Prepared, Rejected, Rejection
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams
from flows.ingest.parsing import CONFINED, Limits, parse
from flows.ingest.reading import read
from flows.ingest.refine import Handling, refine_file
from flows.ingest.releases import Lifted, Release, lifted_for
from flows.ingest.shape import shape_id
from flows.ingest.sniff import media_type
from flows.ingest.stock import Stock
from flows.ingest.tokenizer import token_starts
from flows.ingest.workers import ParserPool

_AGAIN = frozenset({"timeout", "memory"})  # verdicts of a busy machine are not remembered


def prepare(
    stock: Stock,
    params: IngestParams,
    memory: Memory,
    progress: Progress,
    key: bytes = b"",
    releases: Sequence[Release] = (),
) -> dict[str, Prepared]:
    """Return what each input comes to, by address; parse only what is not remembered.

    Args:
        stock: What is in the sources.
        params: Limits and policies.
        memory: What earlier runs prepared.
        progress: Told about each new input.
        key: Key of the tokens that stand for personal data.
        releases: What people have let in.
    """
    shape = shape_id(params, key)
    lifted = {item.uri: lifted_for(releases, item.uri, stock.hashes[item.uri]) for item in stock.inputs}
    keys = {item.uri: _key(item, stock.hashes[item.uri], params, shape, lifted[item.uri]) for item in stock.inputs}
    done = {uri: _refused(problem) for uri, problem in stock.problems.items()}
    results = {key: memory.recall(key) for key in {keys[item.uri] for item in stock.inputs if item.uri not in done}}
    todo = {keys[item.uri]: item for item in reversed(stock.inputs) if results.get(keys[item.uri], done) is None}
    for number, (place, result) in enumerate(_prepare_new(todo, stock, params, key, lifted), start=1):
        results[place] = result
        if not any(item.code in _AGAIN for item in result.rejections):
            memory.keep(place, result)
        progress("parsing", number, len(todo))
    memory.prune(results)
    return {item.uri: done.get(item.uri) or _present(results[keys[item.uri]]) for item in stock.inputs}


def _key(item: Found, digest: str, params: IngestParams, shape: str, lifted: Lifted) -> str:
    source = params.sources[item.source]
    columns = source.columns.model_dump() if source.columns else None
    let_in = {content: sorted(rules) for content, rules in lifted.items()}
    return content_id(digest, item.suffix, columns, source.access, shape, let_in)


def _prepare_new(
    todo: dict[str, Found], stock: Stock, params: IngestParams, key: bytes, lifted: Mapping[str, Lifted]
) -> Iterator[tuple[str, Prepared]]:
    def prepare_one(item: Found) -> Prepared:
        handling = Handling(params, token_starts, key, lifted[item.uri])
        return _prepare_one(item, stock.hashes[item.uri], handling, pool)

    with ParserPool(params) as pool, ThreadPoolExecutor(params.parser_processes) as threads:
        yield from zip(todo, threads.map(prepare_one, todo.values()), strict=True)


def _prepare_one(item: Found, digest: str, handling: Handling, pool: ParserPool) -> Prepared:
    params = handling.params
    source = params.sources[item.source]
    limits = Limits.of(params, source.columns)
    try:
        data = read(item, params)
        if sha256(data) != digest:
            raise Rejected("unreadable", "changed_while_reading", "run again when nobody writes to it")
        if not data.strip():
            raise Rejected("empty", "no_bytes" if not data else "no_characters", f"{len(data)} bytes")
        kind = media_type(data, item.suffix)
        parsed = pool.parse(data, kind, limits) if kind in CONFINED else parse(data, kind, limits)
        return refine_file(parsed, source.access, digest, handling)
    except Rejected as problem:
        return _refused(problem)


def _refused(problem: Rejected) -> Prepared:
    return Prepared(rejections=(Rejection(problem.code, problem.rule, problem.detail),))


def _present(result: Prepared | None) -> Prepared:
    assert result is not None, "every input that is not a problem has been recalled or prepared"
    return result
