"""Judge whole batches before they are published: documents and chunks, by contract and by Great Expectations.

The rules of the tables' Pandera contracts are listed as they were checked a moment ago (`core.tables.check`);
to have Great Expectations repeat them costs half a second and can find nothing. It judges what no contract
says: bounds of the params over the batch, hard ones, whose breach stops publication, and soft ones, which only
warn. A result counts only when there were rows and expectations: an empty batch is not a success.
"""

import gc
import logging
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from flows.core.contracts import CHUNKS, DOCUMENTS
from flows.core.errors import ContractError, first_three
from flows.ingest.params import IngestParams

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

_SUSPICIOUS = "^(?!.*(?:injection_suspected|keyword_stuffing|hidden_text|active_content|macros)).*$"
HARD, SOFT = "critical", "warning"


def judge(documents: "pd.DataFrame", chunks: "pd.DataFrame", params: IngestParams) -> dict[str, Any]:
    """Judge both batches and return the result as JSON values, without any content.

    Args:
        documents: What `check` returned for the contract of documents.
        chunks: The same for chunks.
        params: The bounds.

    Raises:
        ContractError: A hard expectation fails, or nothing was evaluated.
    """
    context: Any = _great_expectations().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    suites = [
        _suite(context, documents, DOCUMENTS, _document_bounds(params)),
        _suite(context, chunks, CHUNKS, _chunk_bounds(params)),
    ]
    failed = [
        f"{suite['name']}.{item['column'] or 'table'}: {item['expectation']}"
        for suite in suites
        for item in suite["expectations"]
        if item["severity"] == HARD and not item["success"]
    ]
    empty = [suite["name"] for suite in suites if not suite["rows"] or not suite["expectations"]]
    if failed or empty:
        raise ContractError(
            f"the quality suite of 'ingest' fails: {first_three(failed or empty)} (failed or empty). "
            "Nothing was published. Check the sources, then run `llmops ingest --force`."
        )
    warnings = sum(not item["success"] for suite in suites for item in suite["expectations"])
    return {"suites": suites, "warnings": warnings}


@cache
def _great_expectations() -> Any:
    """Load the library, once, and let the garbage collector look no more at what is loaded by then.

    Half a million objects stay for as long as the process; each look at all of them takes a fifth of a second.
    """
    import great_expectations
    import great_expectations.expectations

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    gc.freeze()
    return great_expectations


def _expect(kind: str, **options: Any) -> Any:
    return getattr(_great_expectations().expectations, kind)(**options)


def _rules(contract: "pa.DataFrameSchema") -> Iterator[dict[str, Any]]:
    """Yield what the contract asks of each column and of the table, as a frame that `check` returned fulfils it."""
    yield _rule("", "columns_to_be", {"columns": list(contract.columns)})
    yield _rule("", "rows_to_be_unique_by", {"columns": list(contract.unique or [])})
    yield from (_rule("", str(check.name), {}) for check in contract.checks)
    for name, column in contract.columns.items():
        yield _rule(name, "values_to_be_of_type", {"type": str(column.dtype).partition("[")[0]})
        if not column.nullable:
            yield _rule(name, "values_to_not_be_null", {})
        for check in column.checks:
            wanted = {key: _plain_value(value) for key, value in (check.statistics or {}).items() if value is not None}
            yield _rule(name, str(check.name), wanted)


def _rule(column: str, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "expectation": name, "column": column, "wanted": wanted, "severity": HARD, "success": True, "unexpected": 0,
        "observed": None, "checked_by": "Pandera",
    }  # fmt: skip


def _plain_value(value: Any) -> Any:
    return value if isinstance(value, int | float) else str(getattr(value, "pattern", value))


def _document_bounds(params: IngestParams) -> list[Any]:
    bounds = params.quality
    return [
        _expect(
            "ExpectColumnValuesToNotBeInSet",
            column="language",
            value_set=["und"],
            mostly=1 - bounds.unknown_language_share_max,
            severity=SOFT,
        ),
        _expect(
            "ExpectColumnValuesToMatchRegex",
            column="flags",
            regex=_SUSPICIOUS,
            mostly=1 - bounds.suspicious_share_max,
            severity=SOFT,
        ),
    ]


def _chunk_bounds(params: IngestParams) -> list[Any]:
    bounds = params.quality
    return [
        _expect("ExpectColumnValuesToBeBetween", column="n_tokens", max_value=params.chunk_tokens_max, severity=HARD),
        _expect(
            "ExpectColumnValuesToBeNull",
            column="duplicate_of",
            mostly=1 - bounds.repeated_chunks_share_max,
            severity=SOFT,
        ),
        _expect(
            "ExpectColumnMedianToBeBetween",
            column="n_tokens",
            min_value=bounds.chunk_tokens_median_min,
            severity=SOFT,
        ),
    ]


def _suite(context: Any, frame: "pd.DataFrame", contract: "pa.DataFrameSchema", bounds: list[Any]) -> dict[str, Any]:
    name = str(contract.name)
    seen = frame[list(dict.fromkeys(item.column for item in bounds))]  # it hashes every value that it is given
    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": seen})
    result = batch.validate(
        _great_expectations().ExpectationSuite(name=name, expectations=bounds), result_format="BASIC"
    )
    items = [*map(_plain, result.results), *(_rules(contract) if len(frame) else ())]
    return {"name": name, "rows": len(frame), "expectations": sorted(items, key=_place)}


def _place(item: dict[str, Any]) -> tuple[str, ...]:
    return item["checked_by"], item["column"], item["expectation"]


def _plain(item: Any) -> dict[str, Any]:
    """Keep what was expected and how far it held; samples of values stay out."""
    config = item.expectation_config
    wanted = {key: value for key, value in config.kwargs.items() if key not in {"batch_id", "column"}}
    seen = item.result
    return {
        "expectation": config.type.removeprefix("expect_column_"),
        "column": config.kwargs.get("column", ""),
        "wanted": wanted,
        "severity": getattr(config.severity, "value", config.severity),
        "success": bool(item.success),
        "unexpected": int(seen.get("unexpected_count") or 0),
        "observed": float(seen["observed_value"]) if isinstance(seen.get("observed_value"), int | float) else None,
        "checked_by": "Great Expectations",
    }
