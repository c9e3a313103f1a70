"""The OpenAI wire as the local server understands it: request models and the error envelope.

A parameter that would change a result and is not supported is refused, never ignored; parameters
that only steer a hosted service (storage, tiers, cache keys) are accepted without effect.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

MAX_CHOICES = 8
MAX_INPUTS = 2048  # the hosted API's own limit per embedding request


class ApiError(Exception):
    """A request that is answered with OpenAI's error envelope.

    Args:
        message: What is wrong and what to do.
        status: HTTP status, 400 to 599.
        code: Machine-readable cause such as `model_not_found`.
        param: The parameter at fault.
    """

    def __init__(self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param

    def envelope(self) -> dict[str, Any]:
        """Return the body of the answer."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class Body(BaseModel):
    """Base of all request bodies: unknown keys are an error."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


Metadata = Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)]
T = TypeVar("T", bound="Body")
NoTools = Annotated[list[Any], Field(max_length=0)]


class TextPart(Body):
    """A piece of a message; only text can be read."""

    type: Literal["text"]
    text: str


class ChatMessage(Body):
    """One message of a chat; `None` stands for an assistant turn without text."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None
    name: str | None = None
    refusal: str | None = None

    def text(self) -> str:
        """Return the message's text, its parts joined by line breaks."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class JsonSchema(Body):
    """A named JSON schema, carried as given."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    body: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """The form of the answer: prose, any JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Body):
    """What a stream carries beside the text."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatRequest(Body):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    response_format: ResponseFormat = ResponseFormat(type="text")
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    seed: int | None = None
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    stop: str | list[str] | None = None
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    # accepted at the values that mean "off"
    logprobs: Literal[False] | None = None
    tools: NoTools | None = None
    # accepted without effect
    top_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    user: str | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class EmbeddingRequest(Body):
    """`POST /v1/embeddings`."""

    model: str
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS)]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None

    def texts(self) -> list[str]:
        """Return the inputs as a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class ModerationRequest(Body):
    """`POST /v1/moderations`."""

    input: str | list[str] | list[TextPart]
    model: str | None = None

    def texts(self) -> list[str]:
        """Return the inputs as a list."""
        parts = [self.input] if isinstance(self.input, str) else self.input
        return [part if isinstance(part, str) else part.text for part in parts]


class FineTuningRequest(Body):
    """`POST /v1/fine_tuning/jobs`; hyperparameters are accepted and have no effect."""

    model: str
    training_file: str
    validation_file: str | None = None
    suffix: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    metadata: Metadata | None = None
    hyperparameters: dict[str, Any] | None = None
    method: dict[str, Any] | None = None


class BatchRequest(Body):
    """`POST /v1/batches`."""

    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/embeddings", "/v1/moderations"]
    completion_window: Literal["24h"]
    metadata: Metadata | None = None


def parse(kind: type[T], body: Any) -> T:
    """Validate a request body.

    Raises:
        ApiError: 400 that names the first wrong parameter; the value itself is not repeated.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        raise ApiError(f"Invalid value for {param!r}: {first['msg']}.", param=param, code="invalid_value") from None
