"""Prepare every input once: sniff, parse, refine, and keep the result by content.

What is kept is found again by the hash of the bytes and of all that shapes the result, so only new
and changed content is ever parsed. What waits for others, a confined process of `workers.py` or a
remote source, runs ahead in a thread per process; all else is done here, as threads of Python take
turns and taking turns costs a quarter more. A killed run has lost nothing that was kept.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

from flows.core.ids import canonical_json, content_id, sha256
from flows.core.progress import Progress
from flows.ingest.discover import Found
from flows.ingest.drafts import ParsedFile, Prepared, Rejected, Rejection
from flows.ingest.memory import Memory
from flows.ingest.params import IngestParams, Source
from flows.ingest.parsing import CONFINED, Limits, parse
from flows.ingest.reading import read
from flows.ingest.refine import Handling, refine_file
from flows.ingest.releases import Lifted, Release, lifted_for
from flows.ingest.shape import shape_id
from flows.ingest.sniff import BY_SUFFIX, media_type
from flows.ingest.stock import Stock
from flows.ingest.tokenizer import token_starts
from flows.ingest.workers import ParserPool

Results = dict[str, Prepared]
_AGAIN = frozenset({"timeout", "memory"})  # verdicts of a busy machine are not remembered


@dataclass(frozen=True)
class Task:
    """What is to be prepared, and by what.

    Args:
        stock: What is in the sources.
        params: Limits and policies.
        key: Key of the tokens that stand for personal data.
        releases: What people have let in.
    """

    stock: Stock
    params: IngestParams
    key: bytes = b""
    releases: Sequence[Release] = ()

    @cached_property
    def lifted(self) -> dict[str, Lifted]:
        """Lifted rules of those inputs by address for which there are any."""
        if not self.releases:
            return {}
        lifted = {
            item.uri: lifted_for(self.releases, item.uri, self.stock.hashes[item.uri]) for item in self.stock.inputs
        }
        return {uri: rules for uri, rules in lifted.items() if rules}

    @cached_property
    def keys(self) -> dict[str, str]:
        """Key of each input by address: its bytes, and all else that decides what it comes to."""
        shape = shape_id(self.params, self.key)
        sources = [_source_key(source, shape) for source in self.params.sources]
        hashes, lifted = self.stock.hashes, self.lifted
        return {
            item.uri: content_id(hashes[item.uri], item.suffix, sources[item.source], _let_in(lifted.get(item.uri, {})))
            for item in self.stock.inputs
        }


def prepare(task: Task, memory: Memory, progress: Progress, known: Mapping[str, Prepared] | None = None) -> Results:
    """Return what each input comes to, by address; parse only what is not remembered.

    Args:
        task: What is to be prepared.
        memory: What earlier runs prepared.
        progress: Told about each new input.
        known: Inputs that need nothing, by address; their results are returned as they are.
    """
    keys, inputs = task.keys, task.stock.inputs
    done = {**(known or {}), **{uri: _refused(problem) for uri, problem in task.stock.problems.items()}}
    results = {key: memory.recall(key) for key in {keys[item.uri] for item in inputs if item.uri not in done}}
    todo = {keys[item.uri]: item for item in reversed(inputs) if results.get(keys[item.uri], done) is None}
    for number, (place, result) in enumerate(_prepare_new(todo, task), start=1):
        results[place] = result
        if not any(item.code in _AGAIN for item in result.rejections):
            memory.keep(place, result)
        progress("parsing", number, len(todo))
    memory.prune(keys.values())
    return {item.uri: done.get(item.uri) or _present(results[keys[item.uri]]) for item in inputs}


def _source_key(source: Source, shape: str) -> str:
    return content_id(source.columns.model_dump() if source.columns else None, source.access, shape)


def _let_in(lifted: Lifted) -> str:
    return canonical_json({content: sorted(rules) for content, rules in lifted.items()}) if lifted else ""


def _prepare_new(todo: Mapping[str, Found], task: Task) -> Iterator[tuple[str, Prepared]]:
    params, hashes = task.params, task.stock.hashes
    with ParserPool(params) as pool, ThreadPoolExecutor(params.parser_processes) as threads:
        works = {place: partial(_parsed, item, hashes[item.uri], params, pool) for place, item in todo.items()}
        for place, parsed in _ahead(todo, works, threads, most=2 * params.parser_processes):
            item = todo[place]
            handling = Handling(params, token_starts, task.key, task.lifted.get(item.uri, {}))
            yield place, _refined(parsed, params.sources[item.source].access, hashes[item.uri], handling)


def _ahead(
    todo: Mapping[str, Found], works: Mapping[str, Callable[[], ParsedFile]], threads: ThreadPoolExecutor, *, most: int
) -> Iterator[tuple[str, Callable[[], ParsedFile]]]:
    """Yield what returns each result; at most `most` that wait for others are begun before their turn."""
    waiting = deque[tuple[str, Future[ParsedFile]]]()
    for place, item in todo.items():
        if _waits(item):
            waiting.append((place, threads.submit(works[place])))
        else:
            yield place, works[place]
        while waiting and (len(waiting) > most or waiting[0][1].done()):
            place, future = waiting.popleft()
            yield place, future.result
    yield from ((place, future.result) for place, future in waiting)


def _waits(item: Found) -> bool:
    return item.remote or BY_SUFFIX.get(item.suffix) in CONFINED


def _parsed(item: Found, digest: str, params: IngestParams, pool: ParserPool) -> ParsedFile:
    data = read(item, params)
    if sha256(data) != digest:
        raise Rejected("unreadable", "changed_while_reading", "run again when nobody writes to it")
    if not data.strip():
        raise Rejected("empty", "no_bytes" if not data else "no_characters", f"{len(data)} bytes")
    kind, limits = media_type(data, item.suffix), Limits.of(params, params.sources[item.source].columns)
    return pool.parse(data, kind, limits) if kind in CONFINED else parse(data, kind, limits)


def _refined(parsed: Callable[[], ParsedFile], access: str, digest: str, handling: Handling) -> Prepared:
    try:
        return refine_file(parsed(), access, digest, handling)
    except Rejected as problem:
        return _refused(problem)


def _refused(problem: Rejected) -> Prepared:
    return Prepared(rejections=(Rejection(problem.code, problem.rule, problem.detail),))


def _present(result: Prepared | None) -> Prepared:
    assert result is not None, "every input that is not a problem has been recalled or prepared"
    return result
