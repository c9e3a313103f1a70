"""The one client of every model: `open_provider`, then `chat` and `embed`, from ordinary code.

with open_provider(project, use_case="evaluation") as provider:
    results = provider.chat(requests)
    matrix = provider.embed(texts, mode="document")
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np

from flows.core.clock import Clock, utc_now
from flows.core.errors import ContractError, ProviderDownError, ProviderRefusedError, first_three
from flows.core.progress import Progress, silent
from flows.core.project import Project
from flows.core.settings import Settings, load_settings
from flows.provider import fingerprints
from flows.provider.asks import chat_ask, embed_ask
from flows.provider.cache import chat_key, vector_keys
from flows.provider.calling import RowFailedError, down_message
from flows.provider.local.catalog import is_local
from flows.provider.loop import work_through
from flows.provider.outcomes import Vectors
from flows.provider.requests import (
    CallTags,
    ChatRequest,
    ChatResult,
    EmbeddingFingerprint,
    EmbedMode,
    Loan,
    Message,
    ProviderFailure,
    ProviderUsage,
)
from flows.provider.session import Session

__all__ = [
    "CallTags",
    "ChatRequest",
    "ChatResult",
    "EmbeddingFingerprint",
    "Message",
    "Provider",
    "ProviderFailure",
    "ProviderUsage",
    "open_provider",
]
Row = ChatResult | ProviderFailure
_AWAY = {"unavailable", "unknown_outcome"}


@contextmanager
def open_provider(
    project: Project,
    *,
    use_case: str,
    max_usd: float | None = None,
    progress: Progress = silent,
    settings: Settings | None = None,
    clock: Clock = utc_now,
) -> Iterator["Provider"]:
    """Open the models that params.yaml and the environment name, for the length of a block.

    Args:
        project: The project.
        use_case: Why models are asked: `answer` for production traffic, else `evaluation`, `indexing`, ….
        max_usd: Most this run may spend, beside the limits in params; None = those only.
        progress: Told about every finished row.
        settings: The environment; None = read it.
        clock: Source of recorded times.

    Raises:
        ParamsError: The section `provider` or an own price is wrong.
        SettingsError: A model needs a provider that is not configured.
    """
    environment = settings or load_settings()
    session = Session(project, use_case=use_case, max_usd=max_usd, progress=progress, settings=environment, clock=clock)
    try:
        yield Provider(session)
    finally:
        session.close()


class Provider:
    """Asks models for answers and vectors; safe to use from several threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.chat_model, self.embedding_model = session.chat_model, session.embedding_model

    @property
    def usage(self) -> ProviderUsage:
        """What this session has used so far."""
        return self._session.caller.usage

    def chat(self, requests: Sequence[ChatRequest]) -> list[Row]:
        """Ask every request and return one row for each, in the same order.

        Equal requests are asked once. What was answered before comes from the cache.

        Raises:
            ProviderRefusedError: Key, quota or model: the first such answer stops the batch.
            ProviderDownError: The provider is away or wants a long wait; answers so far are kept.
            BudgetError: The worst case of a call does not fit; answers so far are kept.
        """
        keys = [self._chat_key(request) for request in requests]
        rows: dict[bytes, Row] = {key: row for key in dict.fromkeys(keys) if (row := self._session.cache.get_chat(key))}
        self.usage.cached += sum(key in rows for key in keys)
        todo = {key: request for key, request in zip(keys, requests, strict=True) if key not in rows}
        if todo:
            self._ask_all(todo, rows, total=len(rows) + len(todo))
        return [rows[key] for key in keys]

    def embed(self, texts: Sequence[str], *, mode: EmbedMode) -> Vectors:
        """Return one unit vector per text, float32 of shape (texts, dims).

        Args:
            texts: What to embed; none may be blank.
            mode: Documents and queries are cached apart, because models may treat them differently.

        Raises:
            ContractError: A text is blank.
            ProviderRefusedError: The provider refuses, or its vectors are unusable or of another model.
            ProviderDownError: The provider is away; vectors so far are kept.
            BudgetError: The worst case of a call does not fit; vectors so far are kept.
        """
        blank = [position for position, text in enumerate(texts) if not text.strip()]
        if blank:
            raise ContractError(f"{len(blank)} of {len(texts)} texts are blank (at {first_three(blank)}). Drop them.")
        keys = vector_keys(self._session.space(self.embedding_model), mode, texts)
        if not keys:
            return np.zeros((0, self.fingerprint().dims), dtype=np.float32)
        found = self._session.cache.get_vectors(list(dict.fromkeys(keys)))
        self.usage.cached += sum(key in found for key in keys)
        todo = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        self._embed_all(todo, mode, found)
        return self._stacked([found[key] for key in keys])

    def fingerprint(self) -> EmbeddingFingerprint:
        """Return the identity of the embedding model; asks it for three probe texts."""
        return fingerprints.fingerprint(self._session, self.probe)

    def probe(self, texts: Sequence[str]) -> Vectors:
        """Embed texts now, whatever the cache holds."""
        found: dict[bytes, Vectors] = {}
        keys = vector_keys("probe", "document", texts)
        self._embed_all(dict(zip(keys, texts, strict=True)), "document", found, keep=False)
        return np.stack([found[key] for key in keys])

    @contextmanager
    def lending(self) -> Iterator[Loan]:
        """Lend what this run may still spend to other processes for a block; book what they `used` at its end.

        Nobody else can spend it meanwhile. A killed block leaves it booked, as an unknown outcome does.

        Raises:
            BudgetError: It does not fit into a limit of the day or month.
        """
        session, ledger, loan_id = self._session, self._session.caller.ledger, uuid4().hex
        limit = 0.0 if is_local(self.embedding_model) else ledger.limits.run_usd
        loan = Loan(None if limit is None else max(0.0, limit - ledger.committed_usd()))
        ledger.reserve(loan_id, loan.usd or 0.0, provider="cluster", model=self.embedding_model, now=session.clock())
        try:
            yield loan
        finally:
            ledger.settle(loan_id, loan.used.cost_usd)
            self.usage.add(loan.used)

    def _model(self, request: ChatRequest) -> str:
        return request.model or self.chat_model

    def _chat_key(self, request: ChatRequest) -> bytes:
        model = self._model(request)
        return chat_key(self._session.source(model), model, request)

    def _ask_all(self, todo: dict[bytes, ChatRequest], rows: dict[bytes, Row], *, total: int) -> None:
        session, caller = self._session, self._session.caller
        endpoints = {self._model(request): session.endpoint(self._model(request)) for request in todo.values()}

        async def one(job: tuple[bytes, ChatRequest]) -> None:
            key, request = job
            model = self._model(request)
            try:
                delivered = await caller.deliver(chat_ask(request, model, endpoints[model], session.params))
                row: Row = _remembered(session, key, _result(model, delivered))
            except RowFailedError as error:
                row = ProviderFailure(error.error_class, str(error), error.call_id, error.cost_usd)
            rows[key] = row
            session.progress("answers", len(rows), total)

        workers = max(endpoint.concurrency for endpoint in endpoints.values())
        session.loop.run(work_through(todo.items(), one, workers=workers, stop=caller.sender.stop))
        missed = [job for job in todo.items() if _error_class(rows[job[0]]) == "unavailable"]
        if len(missed) < len(todo):  # the provider was there for others: try once more, now that they are done
            session.loop.run(work_through(missed, one, workers=workers, stop=caller.sender.stop))
        new = [rows[key] for key in todo]
        if all(_error_class(row) in _AWAY for row in new):
            raise ProviderDownError(down_message(str(getattr(new[0], "message", "")), len(new)))

    def _embed_all(
        self, todo: dict[bytes, str], mode: EmbedMode, found: dict[bytes, Vectors], *, keep: bool = True
    ) -> None:
        if not todo:
            return
        session, model, params = self._session, self.embedding_model, self._session.params
        endpoint, total = session.endpoint(model), len(found) + len(todo)
        ordered = sorted(todo.items(), key=lambda item: len(item[1]))  # equal lengths pad little
        size = params.texts_per_request(local=is_local(model))
        batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]

        async def one(batch: list[tuple[bytes, str]]) -> None:
            ask = embed_ask([text for _, text in batch], mode, model, endpoint, params, step="embed")
            try:
                checked = (await session.caller.deliver(ask)).checked
            except RowFailedError as error:
                raise _embedding_error(model, error) from None
            fingerprints.same_model(session, model, checked.model, dims=checked.value.shape[1])
            keys = [key for key, _ in batch]
            if keep:
                session.cache.put_vectors(keys, checked.value)
            found.update(zip(keys, checked.value, strict=True))
            session.progress("vectors", len(found), total)

        stop = session.caller.sender.stop
        session.loop.run(work_through(batches, one, workers=endpoint.concurrency, stop=stop))

    def _stacked(self, vectors: list[Vectors]) -> Vectors:
        lengths = sorted({len(vector) for vector in vectors})
        if len(lengths) > 1:
            raise ProviderRefusedError(
                f"model {self.embedding_model!r} now gives vectors of {lengths} dimensions. Two models must never "
                "share an index: name another embedding model in params.yaml, or clear '.llmops/cache' and embed again."
            )
        return np.stack(vectors)


def _error_class(row: Row) -> str | None:
    return row.error_class if isinstance(row, ProviderFailure) else None


def _remembered(session: Session, key: bytes, result: ChatResult) -> ChatResult:
    session.cache.put_chat(key, result)
    return result


def _embedding_error(model: str, error: RowFailedError) -> Exception:
    if error.error_class in _AWAY:
        return ProviderDownError(down_message(str(error), 1))
    return ProviderRefusedError(
        f"embedding model {model!r} gave no usable vectors ({error.error_class}: {error}). Nothing of that batch was "
        "stored; check the model's name and the length of the texts."
    )


def _result(model: str, delivered: Any) -> ChatResult:
    checked = delivered.checked
    text, parsed = checked.value
    return ChatResult(
        text=text,
        parsed=parsed,
        finish_reason=checked.finish_reason,
        call_id=delivered.call_id,
        request_model=model,
        response_model=checked.model,
        system_fingerprint=checked.system_fingerprint,
        input_tokens=checked.tokens.input,
        output_tokens=checked.tokens.output,
        cached_input_tokens=checked.tokens.cached,
        latency_ms=delivered.latency_ms,
        cost_usd=delivered.cost_usd,
    )
