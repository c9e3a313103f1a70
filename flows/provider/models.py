"""Which models a project asks, known without loading or asking one: `auto` means hosted where a provider is set."""

from flows.core.errors import SettingsError, did_you_mean
from flows.core.settings import Settings
from flows.provider.local.catalog import MODELS, is_local
from flows.provider.params import ProviderParams

AUTO_CHAT, AUTO_EMBEDDING = "local-extract-1", "all-MiniLM-L6-v2"


def resolve(params: ProviderParams, settings: Settings) -> tuple[str, str]:
    """Return the chat and the embedding model that `auto` stands for.

    Raises:
        SettingsError: A model is hosted and no provider is configured.
    """
    chat = params.hosted_chat_model if settings.hosted else AUTO_CHAT
    embedding = params.hosted_embedding_model if settings.hosted else AUTO_EMBEDDING
    chosen = (
        chat if params.chat_model == "auto" else params.chat_model,
        embedding if params.embedding_model == "auto" else params.embedding_model,
    )
    for model in chosen:
        require_provider(model, settings)
    return chosen


def require_provider(model: str, settings: Settings) -> None:
    """Raise SettingsError when a model needs a hosted provider and there is none."""
    if not is_local(model) and not settings.hosted:
        raise SettingsError(
            f"model {model!r} is not one of the local models, and no hosted provider is configured."
            f"{did_you_mean(model, MODELS)} Set OPENAI_API_KEY (and OPENAI_BASE_URL for another endpoint), or name "
            "a local model in params.yaml."
        )
