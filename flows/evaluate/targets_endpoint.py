"""An OpenAI-compatible endpoint as a target: the bare question goes there, its answer comes back.

It is asked through `flows.provider`, so budget, prices, cache, calls log and patience are those of every
other call, and an answer that was paid for is not asked for again. The key in the environment is
sent only to the address it belongs to; another address gets the one that `--key-env` names, or none.
"""

from collections.abc import Sequence

from flows.core.errors import SettingsError, UsageError
from flows.core.ids import content_id
from flows.core.progress import Progress
from flows.core.project import Project
from flows.core.settings import Settings, load_settings, named_secret
from flows.evaluate.answering import Wanted, turn_of
from flows.evaluate.replies import Reply
from flows.evaluate.targets import Given
from flows.provider.client import CallTags, ChatRequest, ChatResult, Message, ProviderFailure, open_provider
from flows.provider.local.catalog import is_local
from flows.provider.wire import OPENAI_URL
from flows.rag.params import RagParams

STEP = "target"


class Endpoint:
    """One model at one address.

    Args:
        project: Gives params, budget, cache and log.
        url: The address, ending in `/v1` as a rule.
        model: The model's name there.
        system: System prompt sent before each question; empty = none.
        key_env: Variable that holds the key; None = OPENAI_API_KEY, and only to its own address.
        max_usd: Most this may spend, beside the limits in params.

    Raises:
        UsageError: The address cannot be used, no model is named, or its name belongs to a local model.
        SettingsError: `key_env` names a variable that is not set.
    """

    repeats_itself = False

    def __init__(
        self, project: Project, url: str, *, model: str | None, system: str = "", key_env: str | None = None,
        max_usd: float | None = None,
    ) -> None:  # fmt: skip
        if not model:
            raise UsageError(f"{url!r} needs the name of a model. Add --model NAME.")
        if is_local(model):
            raise UsageError(f"model {model!r} belongs to this project's own server. Use `llmops compare` for it.")
        self._project, self._model, self._system, self._max_usd = project, model, system, max_usd
        self._settings = settings_for(url, load_settings(), key_env)
        self._rag = RagParams.load(project)
        self.name = f"{model} at {url}"
        asked = self._rag.model_dump(include={"temperature", "max_output_tokens", "seed"})
        self.target_id = content_id("target", "endpoint", url.rstrip("/"), model, system, asked)

    def answer(self, todo: Sequence[Wanted], *, progress: Progress) -> Given:
        """Ask every question with its earlier turns.

        Raises:
            TransientError: The endpoint is away; what was answered is kept for the next run.
            BudgetError: The money does not suffice; likewise.
            ProviderRefusedError: It refuses every call: key, quota or model.
        """
        with open_provider(
            self._project, use_case="evaluation", max_usd=self._max_usd, progress=progress, settings=self._settings
        ) as provider:
            rows = provider.chat([self._request(item) for item in todo])
            usage = provider.usage
        return Given(
            list(map(_reply, rows)), instructions=self._system, calls=usage.calls, cost_usd=usage.cost_usd
        )  # fmt: skip

    def _request(self, item: Wanted) -> ChatRequest:
        turn = turn_of(item)
        system = (Message("system", self._system),) if self._system else ()
        return ChatRequest(
            messages=(*system, *turn.history, Message("user", turn.question)),
            tags=CallTags(STEP, metadata={"target_id": self.target_id}),
            model=self._model,
            temperature=self._rag.temperature,
            max_output_tokens=self._rag.max_output_tokens,
            seed=self._rag.seed,
            sample=item.sample,
        )


def settings_for(url: str, settings: Settings, key_env: str | None) -> Settings:
    """Return the environment as it is for this address.

    Raises:
        UsageError: The address is no https URL, or carries credentials.
        SettingsError: `key_env` names a variable that is not set.
    """
    home = (settings.openai_base_url or OPENAI_URL).rstrip("/")
    key = settings.openai_api_key if url.rstrip("/") == home else None
    if key_env is not None and (key := named_secret(key_env)) is None:
        raise SettingsError(f"--key-env names {key_env!r}, which is not set. Export it, or put it into .env.")
    try:
        return Settings(openai_base_url=url, openai_api_key=key)
    except ValueError as error:
        why = str(error).split("Value error, ")[-1].split(" [type=")[0]
        raise UsageError(f"the address of the target {why}. Give one such as http://127.0.0.1:8000/v1.") from None


def _reply(row: ChatResult | ProviderFailure) -> Reply:
    if isinstance(row, ProviderFailure):
        return Reply(error=row.error_class, cost_usd=row.cost_usd, call_ids=(row.call_id,))
    return Reply(
        row.text, latency_ms=row.latency_ms, cost_usd=row.cost_usd, input_tokens=row.input_tokens,
        output_tokens=row.output_tokens, call_ids=(row.call_id,),
    )  # fmt: skip
