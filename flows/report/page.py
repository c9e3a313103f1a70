"""Build one HTML page that needs nothing else: no script, no network, no file beside it to be read.

Everything from outside is escaped, and the page carries a policy that forbids scripts and requests
(`Content-Security-Policy: default-src 'none'`), so that a document's markup is inert in it.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

STYLE = """
:root { --ink: #1d2733; --soft: #5b6775; --line: #dde3ea; --pass: #1c7c54; --fail: #b3261e; --wait: #9a6700; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; }
p { max-width: 46rem; margin: .4rem 0 .8rem; } .soft { color: var(--soft); } small { color: var(--soft); }
a { color: #0b5cad; text-decoration: none; } a:hover { text-decoration: underline; }
nav a { margin-right: .9rem; white-space: nowrap; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; margin: 1rem 0; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.card.pass b { color: var(--pass); } .card.fail b, .card.invalid b { color: var(--fail); }
.card.inconclusive b, .card.wait b { color: var(--wait); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: .6rem 0 1rem; }
th { text-align: left; font-weight: 600; color: var(--soft); } td.number, th.number { text-align: right; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; vertical-align: top; }
figure { margin: .8rem 0; } figure svg { max-width: 100%; height: auto; } figcaption { color: var(--soft); }
code { font: .85em ui-monospace, Menlo, Consolas, monospace; background: #f4f6f8; padding: .1em .3em; }
.notice { background: #fff4d6; border-left: .35rem solid var(--wait); padding: .5rem .8rem; }
@media print { nav { display: none; } body { max-width: none; } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Section(NamedTuple):
    """A part of the page with its anchor, title and finished HTML."""

    anchor: str
    title: str
    body: str


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return the whole page."""
    links = "\n".join(f'<a href="#{item.anchor}">{escape(item.title)}</a>' for item in sections)
    bodies = "".join(f'<h2 id="{item.anchor}">{escape(item.title)}</h2>\n{item.body}\n' for item in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(subtitle)}</p>\n<nav>{links}</nav>\n'
        f"{bodies}</body>\n</html>\n"
    )


def paragraph(text: str, *, soft: bool = False) -> str:
    """Return a paragraph of plain text."""
    return f"<p{' class=soft' if soft else ''}>{escape(text)}</p>\n"


def notice(text: str) -> str:
    """Return a paragraph on yellow ground: something that somebody has to look at."""
    return f'<p class="notice">{escape(text)}</p>\n'


def card(label: str, value: str, note: str = "", *, source: str = "", tone: str = "") -> str:
    """Return a number with its label and the artifact it was read from."""
    link = f" · {artifact(source)}" if source else ""
    return (
        f'<div class="card {escape(tone, quote=True)}"><small>{escape(label)}</small><b>{escape(value)}</b>'
        f"<small>{escape(note)}{link}</small></div>"
    )


def cards(items: Iterable[str]) -> str:
    """Return cards side by side."""
    return f'<div class="cards">{"".join(items)}</div>\n'


def artifact(path: str) -> str:
    """Return a link to an artifact, given relative to the project, as seen from `data/report/`."""
    relative = path.removeprefix("data/")
    return f'<a href="../{escape(relative, quote=True)}"><code>{escape(path)}</code></a>'


def table(columns: Sequence[str], rows: Sequence[Sequence[str | float | int | None]], *, source: str = "") -> str:
    """Return a table; numbers are aligned right, None is shown as `not measured`."""
    if not rows:
        return paragraph("None.", soft=True)
    numeric = [all(isinstance(row[index], int | float | None) for row in rows) for index in range(len(columns))]
    kind = [' class="number"' if is_number else "" for is_number in numeric]
    head = "".join(f"<th{kind[index]}>{escape(name)}</th>" for index, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td{kind[index]}>{escape(shown(cell))}</td>" for index, cell in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    origin = f"<p><small>from {artifact(source)}</small></p>" if source else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>{origin}\n'


def figure(svg: str, caption: str, *, source: str) -> str:
    """Return an inline drawing with its caption and artifact."""
    return f"<figure>{svg}<figcaption>{escape(caption)} · {artifact(source)}</figcaption></figure>\n"


def shown(value: str | float | int | None) -> str:
    """Return a cell's text: thousands separated, four significant digits, None as `not measured`."""
    if value is None or value != value:
        return "not measured"
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
