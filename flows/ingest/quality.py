"""Judge whole batches with Great Expectations: documents and chunks, before they are published.

The hard expectations are derived from the tables' Pandera contracts, so the two cannot drift
apart; breaking one stops publication. The soft ones are the bounds of the params and only warn.
A result counts only when there were rows and expectations: an empty batch is not a success.
"""

import logging
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
    """Validate both batches and return the result as JSON values, without any content.

    Raises:
        ContractError: A hard expectation fails, or nothing was evaluated.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    suites = [
        _validate("documents", documents, [*_from_contract(DOCUMENTS), *_document_bounds(params)]),
        _validate("chunks", chunks, [*_from_contract(CHUNKS), *_chunk_bounds(params)]),
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


def _expect(kind: str, **options: Any) -> Any:
    import great_expectations.expectations

    return getattr(great_expectations.expectations, kind)(**options)


def _from_contract(contract: "pa.DataFrameSchema") -> list[Any]:
    """Translate a table's contract: nullability, patterns, lower bounds, allowed values, key."""
    found: list[Any] = [_expect("ExpectTableColumnsToMatchSet", column_set=list(contract.columns), severity=HARD)]
    for name, column in contract.columns.items():
        if not column.nullable:
            found.append(_expect("ExpectColumnValuesToNotBeNull", column=name, severity=HARD))
        for check in column.checks:
            found.extend(_from_check(name, check))
    if len(contract.unique or []) == 1:
        found.append(_expect("ExpectColumnValuesToBeUnique", column=contract.unique[0], severity=HARD))
    return found


def _from_check(column: str, check: "pa.Check") -> list[Any]:
    values = check.statistics or {}
    if check.name == "str_matches":
        return [
            _expect("ExpectColumnValuesToMatchRegex", column=column, regex=_pattern(values["pattern"]), severity=HARD)
        ]
    if check.name == "str_length":
        least = values["min_value"]
        return [_expect("ExpectColumnValueLengthsToBeBetween", column=column, min_value=least, severity=HARD)]
    if check.name == "greater_than_or_equal_to":
        return [_expect("ExpectColumnValuesToBeBetween", column=column, min_value=values["min_value"], severity=HARD)]
    if check.name == "isin":
        allowed = list(values["allowed_values"])
        return [_expect("ExpectColumnValuesToBeInSet", column=column, value_set=allowed, severity=HARD)]
    return []


def _pattern(pattern: Any) -> str:
    return str(getattr(pattern, "pattern", pattern))


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


def _validate(name: str, frame: "pd.DataFrame", expectations: list[Any]) -> dict[str, Any]:
    import great_expectations as gx

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result = batch.validate(gx.ExpectationSuite(name=name, expectations=expectations), result_format="BASIC")
    items = sorted((_plain(item) for item in result.results), key=lambda item: (item["column"], item["expectation"]))
    return {"name": name, "rows": len(frame), "expectations": items}


def _plain(item: Any) -> dict[str, Any]:
    """Keep what was expected and how far it held; samples of values stay out."""
    config = item.expectation_config
    wanted = {key: value for key, value in config.kwargs.items() if key not in {"batch_id", "column"}}
    seen = item.result
    return {
        "expectation": config.type,
        "column": config.kwargs.get("column", ""),
        "wanted": wanted,
        "severity": getattr(config.severity, "value", config.severity),
        "success": bool(item.success),
        "unexpected": int(seen.get("unexpected_count") or 0),
        "observed": float(seen["observed_value"]) if isinstance(seen.get("observed_value"), int | float) else None,
    }
