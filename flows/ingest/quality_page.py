"""Render the quality result as one HTML page that needs no network, no script and no other file."""

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1d2330;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dce4;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.pass{color:#17663a}.warn{color:#8a5a00}.fail{color:#a3162a}code{font-size:.9em}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(quality: Mapping[str, Any], balance: Mapping[str, Any]) -> str:
    """Return the page for a quality result and the balance of the same run."""
    parts = [_balance_table(balance), *(_suite(suite) for suite in quality["suites"])]
    state = "all expectations hold" if not quality["warnings"] else f"{quality['warnings']} warning(s)"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>Quality of the documents</title><style>{_STYLE}</style></head><body>\n"
        "<h1>Quality of the documents</h1>\n"
        f"<p>Pandera and Great Expectations over the published batches: {escape(state)}.</p>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _balance_table(balance: Mapping[str, Any]) -> str:
    rows = [(name, value) for name, value in balance.items() if isinstance(value, int)]
    for group in ("quarantined_by_reason", "ignored_by_reason"):
        rows += [(f"{group.split('_', maxsplit=1)[0]}: {name}", value) for name, value in balance[group].items()]
    body = "".join(f'<tr><td>{escape(name)}</td><td class="n">{value:,}</td></tr>\n' for name, value in rows)
    return f"<h2>Balance</h2>\n<table><tr><th>What became of the inputs</th><th>Count</th></tr>\n{body}</table>"


def _suite(suite: Mapping[str, Any]) -> str:
    head = (
        "<tr><th>Result</th><th>Column</th><th>Expectation</th><th>Wanted</th><th>Unexpected</th><th>Observed</th>"
        "<th>Checked by</th></tr>"
    )
    rows = "\n".join(_expectation(item) for item in suite["expectations"])
    return f"<h2>{escape(suite['name'])}: {suite['rows']:,} rows</h2>\n<table>{head}\n{rows}\n</table>"


def _expectation(item: Mapping[str, Any]) -> str:
    state = "pass" if item["success"] else "warn" if item["severity"] == "warning" else "fail"
    wanted = ", ".join(f"{key} = {value}" for key, value in item["wanted"].items())
    observed = "" if item["observed"] is None else f"{item['observed']:g}"
    return (
        f'<tr><td class="{state}">{state}</td><td><code>{escape(item["column"])}</code></td>'
        f"<td>{escape(item['expectation'].replace('_', ' '))}</td><td><code>{escape(wanted)}</code></td>"
        f'<td class="n">{item["unexpected"]:,}</td><td class="n">{observed}</td>'
        f"<td>{escape(item['checked_by'])}</td></tr>"
    )
