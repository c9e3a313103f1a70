"""Read the prices and the events that are given to `llmops forecast` as files.

Unlike usage, a price that is wrong is refused: nothing tells which of the others to trust.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.core.errors import ContractError, ParamsError
from flows.core.params import read_yaml
from flows.forecast.frame import PRICE_COLUMNS
from flows.forecast.params import Event, ForecastParams
from flows.forecast.rowfile import SetAside, read_rows

if TYPE_CHECKING:
    import pandas as pd

PRICE_MAX = 100_000.0  # USD per million tokens
WIDE = "_usd_per_mtok"
MODEL_COLUMNS = ("model", "token_type")
BEFORE_MODEL = ("", "*/", "*:")  # nothing, a use case, a provider: a longer name that ends alike is another model


def read_price_table(path: Path) -> "pd.DataFrame":
    """Read `unique_id, valid_from, usd_per_mtok`; `unique_id` may hold * and ?.

    `model, token_type` may stand in for `unique_id`, and so may `model` with a column per token type
    (`input_usd_per_mtok`, `output_usd_per_mtok`, …). Without `valid_from` a price has always held.

    Raises:
        ContractError: A column is missing, a value is no price in USD or no date, or a price stands twice; names the
            lines.
    """
    import pandas as pd

    aside = SetAside()
    table = read_rows(path, aside)
    _refuse_other_currencies(path, table)
    if "valid_from" not in table.columns:
        table = table.assign(valid_from=table["ds"] if "ds" in table.columns else "1970-01-01")
    table = _by_token_type(table)
    by_model = "unique_id" not in table.columns and set(MODEL_COLUMNS) <= set(table.columns)
    if by_model:
        table = table.assign(unique_id=table["model"] + "/" + table["token_type"])
    missing = [name for name in PRICE_COLUMNS if name not in table.columns]
    if missing:
        raise ContractError(f"{path.name!r} lacks column(s) {missing}. Its columns are {', '.join(PRICE_COLUMNS)}.")
    start = pd.to_datetime(table["valid_from"], utc=True, format="ISO8601", errors="coerce")
    price = pd.to_numeric(table["usd_per_mtok"], errors="coerce").to_numpy("float64", na_value=np.nan)
    wrong = {
        "no date": start.isna().to_numpy(),
        f"no price in USD per million tokens from 0 to {PRICE_MAX:,.0f}": ~((price >= 0) & (price <= PRICE_MAX)),
        "a second price of one series and day": table.assign(s=start).duplicated(["unique_id", "s"]).to_numpy(),
    }
    for reason, mask in wrong.items():
        aside.add(reason, table["line"][mask].tolist())
    if aside.counts:
        raise ContractError(f"{path.name!r} has wrong prices: {'; '.join(aside.notes())}. Mend those lines.")
    found = pd.DataFrame({"unique_id": table["unique_id"], "valid_from": start, "usd_per_mtok": price})
    names = [found.assign(unique_id=before + found["unique_id"]) for before in BEFORE_MODEL]
    return pd.concat(names, ignore_index=True) if by_model else found


def _refuse_other_currencies(path: Path, table: "pd.DataFrame") -> None:
    if "currency" not in table.columns:
        return
    named = table["currency"].astype(str).str.strip().str.upper()
    other = table["line"][~named.isin(["", "USD"])].tolist()
    if other:
        shown = ", ".join(map(str, other[:3]))
        raise ContractError(
            f"{path.name!r} has {len(other)} price(s) in another currency than USD (line {shown}). Convert them first."
        )


def _by_token_type(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a row per token type for a table with a price column for each; an empty cell is no price."""
    wide = [name for name in table.columns if name.endswith(WIDE)]
    if "model" not in table.columns or not wide:
        return table
    long = table.melt(["model", "valid_from", "line"], wide, var_name="token_type", value_name="usd_per_mtok")
    long = long[long["usd_per_mtok"] != ""].reset_index(drop=True)
    return long.assign(token_type=long["token_type"].str.removesuffix(WIDE))


def read_events(path: Path) -> tuple[Event, ...]:
    """Read planned events from a YAML file with one list called `events`.

    Raises:
        ParamsError: Another form, or a wrong key or value by name.
    """
    values = read_yaml(path)
    if set(values) != {"events"}:
        raise ParamsError(f"{path.name!r} must hold one list called 'events' and has {sorted(map(str, values))}.")
    return ForecastParams.parse({"events": values["events"]}, where=path.name).events
