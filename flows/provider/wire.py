"""One request over the OpenAI wire, and nothing more: no repeats, no redirects, bounded time and size.

The SDK brings the protocol, the connections and Azure-style gateways; its own retries are off, because
it would repeat requests that were billed (it sends no idempotency key), and its models are not used,
because a damaged body must become an outcome, not an AttributeError. The only importer of `openai`.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from flows.core.clock import Clock
from flows.core.settings import LOOPBACK
from flows.provider.outcomes import redact
from flows.provider.params import ProviderParams
from flows.provider.retry import Failure, classify_lost, classify_status

if TYPE_CHECKING:
    import httpx2

OPENAI_URL = "https://api.openai.com/v1"
_NO_KEY = "none"  # servers without keys still want the header
_NEVER_CONNECTED = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")


class CallFailedError(Exception):
    """A request brought no usable body; `failure` says what that means."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Endpoint:
    """One provider at one address; use it from one event loop.

    Args:
        base_url: The address, such as `https://api.openai.com/v1`.
        key: The key, or None.
        concurrency: Requests in flight at once; None = `provider.concurrency`.
        name: What the calls log and the price list call it; None = from the address.
        params: Time and size limits.
        clock: Reads dates in `Retry-After` against.
    """

    def __init__(
        self, base_url: str, *, key: str | None, params: ProviderParams, clock: Clock, name: str | None = None,
        concurrency: int | None = None,
    ) -> None:  # fmt: skip
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        host = urlsplit(base_url).hostname or base_url
        self.base_url, self.name = base_url, name or provider_name(base_url)
        self.openai_dialect = host.endswith((".openai.com", ".azure.com"))
        self.concurrency = concurrency or params.concurrency
        self.slots = asyncio.Semaphore(self.concurrency)
        self.paused_until = 0.0  # monotonic seconds: every worker shares the provider's request to wait
        self._key, self._params, self._clock = key or _NO_KEY, params, clock
        http = DefaultAsyncHttpxClient(
            follow_redirects=False,
            trust_env=host not in LOOPBACK,
            verify=_trust_nobody() if base_url.startswith("http://") else True,
            event_hooks={"response": [self._bound]},
        )
        self._client = AsyncOpenAI(base_url=base_url, api_key=self._key, max_retries=0, http_client=http)

    async def post(self, path: str, body: Mapping[str, Any], *, seconds: float) -> bytes:
        """Send one request and return the whole body of a good answer.

        Raises:
            CallFailedError: Anything else, already classified and free of keys.
        """
        import httpx2
        from openai import APIConnectionError, APIStatusError

        limits = httpx2.Timeout(seconds, connect=min(seconds, self._params.connect_timeout_s))
        options: Any = {"timeout": limits, "headers": {"accept-encoding": "identity"}}
        try:
            async with asyncio.timeout(seconds):
                answer = await self._client.post(path, cast_to=httpx2.Response, body=body, options=options)
            return answer.content
        except TimeoutError:
            self._lost(True, f"no answer within {seconds:.0f} s")
        except APIStatusError as error:
            raise CallFailedError(self._refusal(error.response)) from None
        except APIConnectionError as error:
            cause = type(error.__cause__).__name__
            self._lost(cause not in _NEVER_CONNECTED, f"{cause}: {redact(str(error.__cause__), self._key)}")

    def _lost(self, connected: bool, what: str) -> NoReturn:
        message = f"{urlsplit(self.base_url).netloc}: {what}"
        raise CallFailedError(classify_lost(connected=connected, what=message)) from None

    def _refusal(self, response: "httpx2.Response") -> Failure:
        try:
            error = response.json()["error"]
            code, detail = error.get("code") or error.get("type"), redact(str(error.get("message")), self._key)
        except (ValueError, KeyError, TypeError, AttributeError):
            code, detail = None, "no readable reason"
        return classify_status(response.status_code, code and str(code), detail, response.headers, self._clock())

    async def _bound(self, response: "httpx2.Response") -> None:
        """Read the body up to the limit; compression was declined, so sizes are what they seem."""
        import httpx2

        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.DecodingError("the answer is compressed although that was declined")
        stream, chunks, size = response.stream, [], 0
        async for chunk in stream:  # type: ignore[union-attr]
            size += len(chunk)
            if size > self._params.response_bytes_max:
                raise httpx2.DecodingError(f"the answer is longer than {self._params.response_bytes_max:,} bytes")
            chunks.append(chunk)
        await stream.aclose()  # type: ignore[union-attr]
        response.stream = httpx2.ByteStream(b"".join(chunks))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def provider_name(base_url: str) -> str:
    """Return what the calls log and the price list call the provider at an address."""
    return "openai" if base_url == OPENAI_URL else urlsplit(base_url).hostname or base_url


def _trust_nobody() -> ssl.SSLContext:
    """Return what an address without TLS needs; loading the list of authorities takes longer than a local answer."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
