"""Chunks are exact slices, cover everything, fit the model, and follow the structure."""

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.ingest.blocks import blocks
from flows.ingest.chunking import chunks
from flows.ingest.tokenizer import token_starts

MARKUP = st.sampled_from(
    ["# Title", "## Part", "Under\n=====", "- item", "  - inner", "1. first", "| a | b |", "|---|---|", "```", "~~~"]
)
PROSE = st.text(alphabet="ab .!?\t\u00e9\u0301\u200d\U0001f468\u8fd4\u3002-#|>`", max_size=60)
TEXTS = st.lists(st.one_of(MARKUP, PROSE, st.just("")), max_size=25).map("\n".join)


def words(text):
    return [found.start() for found in re.finditer(r"\w+|[^\w\s]", text)]


@given(TEXTS, st.integers(1, 30), st.integers(0, 10))
@settings(max_examples=150, deadline=None)
def test_every_chunk_is_an_exact_slice_and_together_they_hold_every_visible_character(text, tokens_max, overlap):
    spans = chunks(text, words, tokens_max=tokens_max, overlap_tokens=overlap)
    held = set()
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        piece = text[span.start : span.end]
        assert piece == piece.strip()
        held.update(range(span.start, span.end))
    assert [text[at] for at in range(len(text)) if at not in held and not text[at].isspace()] == []


@given(TEXTS, st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_no_chunk_exceeds_its_tokens_and_without_overlap_none_repeats_another(text, tokens_max):
    spans = chunks(text, words, tokens_max=tokens_max)
    assert all(span.n_tokens <= tokens_max for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_blocks_are_in_order_and_hold_every_visible_character(text):
    found = blocks(text)
    assert all(one.end <= other.start for one, other in pairwise(found))
    held = "".join(text[block.start : block.end] for block in found)
    assert "".join(held.split()) == "".join(text.split())


def test_a_chunk_begins_at_its_heading_and_carries_the_path_above_it():
    text = "# House\n\nIntro.\n\n## Rooms\n\n### Kitchen\n\nStove.\n\n## Roof\n\nTiles."
    spans = chunks(text, words, tokens_max=50)
    assert [span.heading for span in spans] == ["House", "House > Rooms > Kitchen", "House > Roof"]
    assert text[spans[1].start : spans[1].end] == "## Rooms\n\n### Kitchen\n\nStove."


def test_tables_lists_and_code_are_whole_where_they_fit():
    code = "```\n# no heading\n\nx = 1\n```"
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    items = "- one\n- two\n- three"
    text = "\n\n".join(["Some words stand before it.", code, table, items])
    pieces = [text[span.start : span.end] for span in chunks(text, words, tokens_max=24)]
    assert all(any(block in piece for piece in pieces) for block in (code, table, items))
    assert {block.kind for block in blocks(text)} == {"paragraph", "code", "table", "list"}


def test_a_long_table_is_cut_between_rows_and_prose_between_sentences():
    table = "\n".join(f"| row {number} | value |" for number in range(20))
    assert all(piece.startswith("| row") and piece.endswith("|") for piece in cut(table, 20))
    prose = " ".join(f"Sentence {number} has six words here." for number in range(20))
    assert all(piece.startswith("Sentence") and piece.endswith("here.") for piece in cut(prose, 16))


def cut(text, tokens_max):
    return [text[span.start : span.end] for span in chunks(text, words, tokens_max=tokens_max)]


def test_overlap_repeats_whole_words_of_the_chunk_before_within_a_section():
    prose = " ".join(f"word{number}" for number in range(40))
    spans = chunks(prose, words, tokens_max=10, overlap_tokens=3)
    assert all(span.n_tokens <= 10 for span in spans)
    assert all(other.start < one.end for one, other in pairwise(spans))
    assert all(prose[span.start - 1] == " " for span in spans[1:])


def test_joined_letters_are_never_torn_apart():
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    pieces = cut(family * 20, 7)
    assert "".join(pieces) == family * 20
    assert not any(piece.startswith("\u200d") or piece.endswith("\u200d") for piece in pieces)


def test_the_tokens_of_a_chunk_are_what_the_model_counts():
    from flows.ingest.tokenizer import _tokenizer

    text = "# Returns\n\nReturns are accepted within 30 days; keep the receipt. " * 30
    for span in chunks(text, token_starts, tokens_max=50):
        counted = len(_tokenizer().encode(text[span.start : span.end], add_special_tokens=False).ids)
        assert counted == span.n_tokens <= 50


def test_a_wall_of_letters_is_not_one_token():
    assert len(token_starts("x" * 4000)) >= 900
    assert token_starts("") == []
    assert len(token_starts("word " * 30_000)) == 30_000
