"""Rehearse a stage: find out what it would ask, and what that would cost, without sending anything.

The stage's own code asks a `Rehearsal`, which stands in for a `Provider`: it returns what the cache holds, counts the
rest and sends nothing. Input is counted as it would be sent. Output is what logged calls of the same step and model
wrote, with the 95 % interval of a sum of that many calls (Student's t); where too few are logged, anything up to
`max_output_tokens`. Repeats after lost answers are not foreseen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property, partial
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from flows.core.calls import read_calls
from flows.core.clock import Clock, utc_now
from flows.core.errors import InputError
from flows.core.project import Project
from flows.core.settings import Settings, load_settings
from flows.provider import tokens as count
from flows.provider.cache import Cache, chat_key, vector_keys
from flows.provider.estimate import Estimate, Span
from flows.provider.fingerprints import PROBES
from flows.provider.local.catalog import is_local
from flows.provider.outcomes import Tokens, Vectors
from flows.provider.params import ProviderParams
from flows.provider.prices import OwnPrices, Price, cost_usd, load_prices, price_at
from flows.provider.requests import ChatRequest, ChatResult, EmbeddingFingerprint, EmbedMode
from flows.provider.session import resolve, source_of, space_of
from flows.provider.wire import OPENAI_URL, provider_name

if TYPE_CHECKING:
    from flows.provider.client import Provider

LOGGED_MIN = 10  # calls behind an expected length; below it a spread says nothing
LEVEL = 0.975  # of each end of the interval
Lengths = tuple[int, float, float]  # how many answers were logged, their mean length and its deviation


@dataclass(frozen=True)
class Planned:
    """One request that would be sent, or may be (`sure`); its input may be off by `loose_tokens`."""

    operation: str
    model: str
    step: str
    input_tokens: int
    output_max: int = 0
    loose_tokens: int = 0
    sure: bool = True


@dataclass
class Rehearsal:
    """A stand-in for `Provider` that counts requests instead of sending them; it writes nothing.

    Args:
        project: The project.
        embedded: The fingerprint of the embedding model, as the index has it; None = nothing is embedded yet.
        loose_tokens: How far a chat request's input may be off when it was made without its vector.
        settings: The environment; None = read it.
        clock: The moment whose prices hold.
    """

    project: Project
    embedded: EmbeddingFingerprint | None = None
    loose_tokens: int = 0
    settings: Settings = field(default_factory=load_settings)
    clock: Clock = utc_now
    cached: int = 0
    planned: list[Planned] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.params = ProviderParams.load(self.project)
        self.chat_model, self.embedding_model = resolve(self.params, self.settings)
        exists = self.project.state("cache", "provider.sqlite").is_file()
        self._cache = Cache(self.project) if exists else None
        self._seen: set[bytes] = set()
        self.blind = False  # what later requests hold depends on something that is not known yet
        self.sure = True  # whether later requests are made at all is known

    @property
    def provider(self) -> "Provider":
        """This rehearsal for code that asks a provider: such code chats, embeds and wants the fingerprint."""
        return cast("Provider", self)

    def chat(self, requests: Sequence[ChatRequest]) -> list[ChatResult]:
        """Return what the cache holds, and blank answers for what would be asked."""
        return [self._chat(request, request.model or self.chat_model) for request in requests]

    def _chat(self, request: ChatRequest, model: str) -> ChatResult:
        key = chat_key(source_of(self.settings, model), model, request)
        known = self._cache.get_chat(key) if self._cache else None
        if known is not None:
            self.cached += 1
            return known
        if key not in self._seen:
            self._seen.add(key)
            size = count.count_messages(request.messages, model, request.response_schema)
            loose = self.loose_tokens if self.blind else 0
            most = request.max_output_tokens
            self.planned.append(Planned("chat", model, request.tags.step, size, most, loose, self.sure))
        return ChatResult("", _blank(request.response_schema), "stop", "", model, model, None, 0, 0, 0, 0.0, None)

    def embed(self, texts: Sequence[str], *, mode: EmbedMode) -> Vectors:
        """Return the vectors the cache holds, and one and the same vector for the others."""
        keys = vector_keys(space_of(self.settings, self.params, self.embedding_model), mode, texts)
        known = self._cache.get_vectors(list(dict.fromkeys(keys))) if self._cache else {}
        self.cached += sum(key in known for key in keys)
        todo = {key: text for key, text in zip(keys, texts, strict=True) if key not in known and key not in self._seen}
        self._seen |= set(todo)
        self._plan_embedding(sorted(todo.values(), key=len))
        dims = next(map(len, known.values()), self.embedded.dims if self.embedded else 1)
        blank = np.eye(1, dims, dtype=np.float32)[0]
        self.blind |= mode == "query" and any(key not in known for key in keys)
        return np.stack([known.get(key, blank) for key in keys]) if keys else np.zeros((0, dims), dtype=np.float32)

    def _plan_embedding(self, texts: Sequence[str]) -> None:
        model = self.embedding_model
        step = self.params.texts_per_request(local=is_local(model))
        for start in range(0, len(texts), step):
            size = sum(count.count(text, model) for text in texts[start : start + step])
            self.planned.append(Planned("embeddings", model, "embed", size))

    def probe(self) -> None:
        """Count the request that identifies a hosted embedding model; a local one is known by its code."""
        if not is_local(self.embedding_model):
            self._plan_embedding(PROBES)

    def fingerprint(self) -> EmbeddingFingerprint:
        """Return the index's, after the request that would be made to see that it still holds.

        Raises:
            InputError: Nothing is embedded yet.
        """
        self.probe()
        if self.embedded is None:
            raise InputError("nothing is embedded yet. Run `llmops embed` first.")
        return self.embedded

    def estimate(self, *notes: str) -> Estimate:
        """Add up what was asked so far."""
        groups: dict[tuple[str, str], list[Planned]] = {}
        for item in self.planned:
            groups.setdefault((item.model, item.step), []).append(item)
        logged = self._logged if any(item.output_max for item in self.planned) else {}
        own = load_prices(self.project)
        total = Estimate(cached=self.cached, notes=notes)
        for (model, step), items in groups.items():
            total += self._group(items, logged.get((model, step)), partial(self._price, model, own))
        return total

    def _price(self, model: str, own: OwnPrices, size: int) -> Price | None:
        url = self.settings.openai_base_url or OPENAI_URL
        name = "local" if is_local(model) else provider_name(url)
        return price_at(name, model, self.clock(), own=own, input_tokens=size, base_url=url)

    @cached_property
    def _logged(self) -> Mapping[tuple[str, str], Lengths]:
        """Return count, mean and deviation of the output tokens of logged chat calls, by model and step."""
        since = self.clock().date() - timedelta(days=self.params.estimate_history_days)
        names = ("request_model", "step", "operation", "status", "output_tokens")
        calls = read_calls(self.project, since=since, columns=names)
        good = calls[(calls["operation"] == "chat") & (calls["status"] == "ok") & calls["output_tokens"].notna()]
        groups = good.astype({"output_tokens": "float64"}).groupby(["request_model", "step"])["output_tokens"]
        return {
            (str(model), str(step)): (len(rows), float(rows.mean()), float(rows.std(ddof=1)))
            for (model, step), rows in groups
        }

    def _group(
        self, items: Sequence[Planned], logged: Lengths | None, price_of: Callable[[int], Price | None]
    ) -> Estimate:
        factor, number, sizes = self.params.reserve_factor, len(items), [item.input_tokens for item in items]
        fed = Span(
            sum(max(0.0, item.input_tokens / factor - item.loose_tokens) for item in items),
            sum(sizes),
            sum(item.input_tokens * factor + item.loose_tokens + 1 for item in items),
        )
        made, why = self._output(items, logged)
        cached = logged is not None and any(item.loose_tokens for item in items)  # the cache may answer some of them
        unsure = cached or not all(item.sure for item in items)
        if unsure:
            fed, made = replace(fed, low=0.0), replace(made, low=0.0)
        usd = _priced([price_of(size) for size in (min(sizes), sum(sizes) // number, max(sizes))], fed, made)
        return Estimate(
            calls=Span(0 if unsure else number, number, number), input_tokens=fed, output_tokens=made, usd=usd,
            notes=(why,) if why else (),
        )  # fmt: skip

    def _output(self, items: Sequence[Planned], logged: Lengths | None) -> tuple[Span, str]:
        most, number = sum(item.output_max for item in items), len(items)
        if not most:
            return Span(), ""
        name = f"{items[0].step} by {items[0].model}"
        if logged is None or logged[0] < LOGGED_MIN:
            guess = self.params.estimate_output_share
            return Span(
                0.0, guess * most, most
            ), f"{name}: hardly any such call is logged, so output may be up to its limit"
        from scipy import special

        have, mean, deviation = logged
        reach = float(special.stdtrit(have - 1, LEVEL)) * deviation * sqrt(number + number**2 / have)
        middle = min(number * mean, most)
        spread = Span(max(0.0, middle - reach), middle, min(most, middle + reach))
        return spread, f"{name}: output length of {have:,} logged calls"


def _priced(prices: Sequence[Price | None], fed: Span, made: Span) -> Span | None:
    """Return the cost of tokens: at least with all input read from the provider's cache, at most all written to it."""
    low, middle, high = prices
    ends = (
        cost_usd(Tokens(int(fed.low), int(made.low), cached=int(fed.low)), low),
        cost_usd(Tokens(round(fed.expected), round(made.expected)), middle),
        cost_usd(Tokens(ceil(fed.high), ceil(made.high), cache_write=ceil(fed.high)), high),
        cost_usd(Tokens(ceil(fed.high), ceil(made.high)), high),
    )
    known = [end for end in ends if end is not None]
    return Span(min(known), known[1], max(known)) if len(known) == len(ends) else None


def _blank(schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the emptiest answer of a flat schema."""
    if schema is None:
        return None
    blanks = {"string": "", "array": [], "boolean": False, "integer": 0, "number": 0}
    return {name: blanks.get(str(kind.get("type")), "") for name, kind in schema.get("properties", {}).items()}
