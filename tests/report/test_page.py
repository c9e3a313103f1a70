"""The page: self-contained, inert, and honest about what is missing."""

from html.parser import HTMLParser

import pytest

from flows.report import page
from flows.report.page import Section

HOSTILE = '<script>alert(1)</script><img src="https://example.com/x" onerror="x()">'


class Tags(HTMLParser):
    """Collects what could act or fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            fetches = name in {"src", "href", "action", "data"} and (value or "").startswith(
                ("http", "//", "javascript")
            )
            if name.startswith("on") or fetches:
                self.found.append((tag, name))
        if tag in {"script", "iframe", "object", "embed", "link"}:
            self.found.append((tag, ""))


def acting(html):
    parser = Tags()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize(
    "body",
    [
        page.paragraph(HOSTILE),
        page.card(HOSTILE, HOSTILE, HOSTILE, source=f"data/{HOSTILE}", tone=HOSTILE),
        page.table([HOSTILE], [[HOSTILE]], source=f"data/{HOSTILE}"),
    ],
)
def test_markup_from_outside_is_inert(body):
    html = page.render(HOSTILE, HOSTILE, [Section("a", HOSTILE, body)])

    assert acting(html) == []
    assert "<script>alert" not in html


def test_the_page_forbids_scripts_and_requests():
    assert "default-src 'none'" in page.render("t", "s", [])


def test_links_to_sections_can_break_into_lines_on_a_narrow_screen():
    sections = [Section("a", "A", ""), Section("b", "B", "")]
    assert '<nav><a href="#a">A</a>\n<a href="#b">B</a></nav>' in page.render("t", "s", sections)


def test_missing_is_not_zero():
    assert page.shown(None) == page.shown(float("nan")) == "not measured"
    assert page.shown(0.0) == "0"
    assert page.shown(12345) == "12,345"


def test_an_artifact_is_linked_as_seen_from_the_page():
    assert page.artifact("data/embed/manifest.json") == (
        '<a href="../embed/manifest.json"><code>data/embed/manifest.json</code></a>'
    )
