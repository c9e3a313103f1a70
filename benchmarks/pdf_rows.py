"""Tables of real PDF reports: how many rows keep their label and their amounts on one line of the text.

Run with `python -m benchmarks.pdf_rows DATA`, where DATA holds the public data sets (CONTRIBUTING says
where). A row is a line of a page, as the parser's page text draws it, that has letters and then at
least two amounts at its end. It is kept when a line of the document says the same; a label that the page
wraps is joined to its row there, and counts as lost here. "Before" is the parser's own Markdown.
"""

import re
import sys
from pathlib import Path

from flows.ingest.params import IngestParams
from flows.ingest.parsing import Limits, parse
from flows.ingest.sniff import PDF

AMOUNT = r"(?:[$€£] ?)?\(?\d(?:[\d,.]*\d)?\)?(?: ?%)?"
ROW = re.compile(rf".*[A-Za-z].* {AMOUNT} {AMOUNT}")


def kept_rows(data: bytes) -> tuple[int, int, int]:
    """Return (rows on the pages, kept by the parser's Markdown, kept by ours) of a PDF."""
    import kreuzberg

    pages = kreuzberg.PageConfig(extract_pages=True)
    config = kreuzberg.ExtractionConfig(use_cache=False, output_format="markdown", pages=pages)
    raw = kreuzberg.extract_bytes_sync(data, PDF, config)
    drawn = [line for page in raw.pages or [] for line in lines(page["content"])]
    rows = [line for line in drawn if ROW.fullmatch(line)]
    ours = parse(data, PDF, Limits.of(IngestParams(), None)).texts[0].text
    before, after = set(lines(raw.content)), set(lines(ours))
    return len(rows), sum(row in before for row in rows), sum(row in after for row in rows)


def lines(text: str) -> list[str]:
    """Return the lines of a text without what only Markdown or a page needs."""
    plain = text.replace("\r", "").replace("**", "").replace("\\", "").replace("\u2019", "'")
    return [" ".join(line.split()) for line in plain.split("\n")]


if __name__ == "__main__":
    print("| report | table rows | parser alone | ours |\n|---|---|---|---|")
    total = [0, 0, 0]
    for path in sorted((Path(sys.argv[1]) / "26_sec10q_pdf" / "docs").glob("*.pdf")):
        counts = kept_rows(path.read_bytes())
        total = [sum_ + count for sum_, count in zip(total, counts, strict=True)]
        print(f"| {path.stem} | {' | '.join(map(str, counts))} |")
    print(f"| all | {' | '.join(map(str, total))} |")
