"""Give the calls log to other tools: spans to an OpenTelemetry collector, cost rows in the form of FOCUS.

Spans go out as OTLP JSON over HTTP in batches; what a collector refuses is counted, never taken for delivered. Ids of
spans come from the calls' ids, so sending again makes no second trace. Text of prompts never leaves.
"""

import csv
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flows.core.errors import ProviderDownError, ProviderRefusedError, UsageError
from flows.core.settings import LOOPBACK
from flows.forecast.otlp import trace
from flows.forecast.spending import NOBODY, exact, plain

if TYPE_CHECKING:
    import pandas as pd

BATCH_SPANS = 500
TIMEOUT_S = 10.0
FOCUS = (
    "BilledCost", "EffectiveCost", "BillingCurrency", "ChargeCategory", "ChargeDescription", "ChargePeriodStart",
    "ChargePeriodEnd", "ConsumedQuantity", "ConsumedUnit", "ProviderName", "PublisherName", "InvoiceIssuerName",
    "ServiceCategory", "ServiceName", "SkuId", "Tags",
)  # fmt: skip
GRAIN = ("provider", "request_model", "use_case", "step", "release_id")


def send_spans(calls: "pd.DataFrame", url: str) -> tuple[int, int]:
    """Send calls as spans; return how many the collector took and how many it refused.

    Args:
        calls: By the calls contract.
        url: The collector's address for traces, such as `http://127.0.0.1:4318/v1/traces`.

    Raises:
        UsageError: The address is not https, nor http on this machine.
        ProviderDownError: The collector did not answer, or asked to come back later.
        ProviderRefusedError: It refused a batch.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise UsageError(f"the collector's address must be https, or http on this machine, not {parts.scheme}://….")
    refused = 0
    for start in range(0, len(calls), BATCH_SPANS):
        body = trace(calls.iloc[start : start + BATCH_SPANS].to_dict("records"))
        refused += _post(url, json.dumps(body, allow_nan=False).encode())
    return len(calls) - refused, refused


def _post(url: str, data: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310
            answer = json.loads(reply.read() or b"{}")
    except urllib.error.HTTPError as error:
        kind = ProviderDownError if error.code in (408, 429, 502, 503, 504) else ProviderRefusedError
        raise kind(f"the collector answered HTTP {error.code}. Check its address and log, then send again.") from None
    except (OSError, ValueError) as error:
        raise ProviderDownError(
            f"the collector did not answer ({type(error).__name__}). Start it, then send again."
        ) from None
    return int((answer.get("partialSuccess") or {}).get("rejectedSpans") or 0)


def focus_csv(calls: "pd.DataFrame") -> str:
    """Return one cost row per UTC day, provider, model, use case, step and release, as CSV.

    A row without any price has an empty cost; calls in other currencies are rows of no cost in dollars.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, FOCUS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_focus_rows(calls))
    return text.getvalue()


def _focus_rows(calls: "pd.DataFrame") -> Iterator[dict[str, Any]]:
    if calls.empty:
        return
    named = calls.assign(
        release_id=calls["release_id"].astype(object).fillna(NOBODY), day=calls["started_at"].dt.floor("D")
    )
    for key, rows in named.groupby(["day", *GRAIN], sort=True):
        day, (provider, model, use_case, step, release) = rows["day"].iloc[0], map(str, key[1:])
        priced = rows["cost_usd"].dropna()
        cost = plain(exact(priced)) if len(priced) else ""
        tags = {"use_case": use_case, "step": step, "release_id": release, "unpriced_calls": len(rows) - len(priced)}
        yield {
            "BilledCost": cost, "EffectiveCost": cost, "BillingCurrency": "USD", "ChargeCategory": "Usage",
            "ChargeDescription": f"{len(rows)} calls", "ChargePeriodStart": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "ChargePeriodEnd": f"{day + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "ConsumedQuantity": int(rows["input_tokens"].sum() + rows["output_tokens"].sum()), "ConsumedUnit": "Tokens",
            "ProviderName": _inert(provider), "PublisherName": _inert(provider), "InvoiceIssuerName": _inert(provider),
            "ServiceCategory": "AI and Machine Learning", "ServiceName": "LLM inference", "SkuId": _inert(model),
            "Tags": json.dumps(tags, sort_keys=True),
        }  # fmt: skip


def _inert(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
