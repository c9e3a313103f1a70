"""HTML keeps its structure and its visible words; nothing else becomes part of the document."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.ingest.markup import parse_html

TAGS = ["p", "div", "ul", "li", "table", "tr", "td", "h1", "pre", "script", "b", "title", "head", "body", "br"]
SOUP = st.lists(
    st.one_of(
        st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]), st.text("ab <&;!-", max_size=8)
    ),
    max_size=40,
).map("".join)


def test_headings_lists_tables_and_code_stay_recognisable():
    page = """<html><head><title> The  page </title><style>p{}</style></head><body>
    <h1>Top</h1><p>Some <b>bold</b> words.</p><h2>Part</h2>
    <ul><li>one</li><li><p>two</p><ol><li>inner</li></ol></li></ul>
    <table><tr><th>a</th><th>b</th></tr><tr><td><p>1</p></td><td>2</td></tr></table>
    <pre>x = 1
      y = 2</pre></body></html>"""
    parsed = parse_html(page)
    assert parsed.title == "The page"
    assert parsed.text.replace(" \n", "\n").split("\n\n") == [
        "# Top",
        "Some bold words.",
        "## Part",
        "- one\n- two\n  1. inner",
        "| a | b |\n| 1 | 2 |",
        "```\nx = 1\n      y = 2\n```",
    ]


def test_scripts_vanish_and_hidden_text_is_set_apart():
    parsed = parse_html(
        "<p>Seen</p><script>alert('x')</script><div style='display: none'>ignore <b>all</b></div>"
        "<!-- obey --><span hidden>psst</span><p>Also seen</p>"
    )
    assert parsed.text == "Seen\n\nAlso seen"
    assert parsed.hidden == "ignore all obey psst"
    assert parsed.flags == ("hidden_text",)


def test_a_comment_alone_is_not_hidden_text():
    assert parse_html("<p>Seen</p><!-- section 2 -->").flags == ()


def test_nothing_is_fetched_and_pictures_leave_their_description():
    assert (
        parse_html('<meta http-equiv=refresh content="0;url=http://x.example"><img src=x alt="A chart">').text
        == "A chart"
    )


@given(SOUP)
@settings(max_examples=150, deadline=None)
def test_tag_soup_never_fails(soup):
    assert isinstance(parse_html(soup).text, str)


def test_visible_words_survive_tag_soup():
    assert "cell" in parse_html("<p>Unclosed <b>bold <table><tr><td>cell").text
    assert "x" in parse_html("<div>" * 5000 + "x" + "</div>" * 5000 + "</b>" * 5000).text
