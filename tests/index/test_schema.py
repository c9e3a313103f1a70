import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from flows.index.schema import SHOWN, _hashes, _text, context, rows_of
from tests.index.corpus import COLUMNS

WORDS = st.text(st.sampled_from("ab 1\x00\n☂"), max_size=4)
ROWS = st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=8)


def chunks(rows, originals=()):
    """Chunks of (title, heading, text) with ids 0, 1, …; each names its original or None."""
    records = [
        dict.fromkeys(SHOWN, "x") | {"chunk_id": str(at), "title": title, "heading": heading, "text": f"t{text}"}
        | {"start": at, "end": at + 1, "n_tokens": 1, "duplicate_of": originals[at] if originals else None}
        for at, (title, heading, text) in enumerate(rows)
    ]  # fmt: skip
    return pd.DataFrame(records, columns=COLUMNS)


@given(ROWS)
def test_rows_have_equal_hashes_exactly_when_every_value_is_equal(rows):
    hashes = _hashes({str(place): _text(list(column)) for place, column in enumerate(zip(*rows, strict=True))})
    found = hashes.to_pylist()
    assert all((found[a] == found[b]) == (rows[a] == rows[b]) for a in range(len(rows)) for b in range(len(rows)))


@given(ROWS)
def test_the_search_text_is_the_context_above_the_text_as_it_is_written(rows):
    found = rows_of(chunks(rows))
    for (title, heading, text), search in zip(rows, found["search_text"], strict=True):
        above = context(title, heading)
        assert search == (f"{above}\nt{text}" if above else f"t{text}")
    assert found["vector_text"].tolist() == found["search_text"].tolist()
    assert found["chunk_id"].tolist() == [str(at) for at in range(len(rows))]


@given(ROWS, st.data())
def test_a_duplicate_has_the_vector_of_its_original_and_a_row_of_its_own(rows, data):
    named = st.none() | st.sampled_from([*map(str, range(len(rows))), "gone"])
    originals = [data.draw(named) for _ in rows]
    found = rows_of(chunks(rows, originals))
    for at, original in enumerate(originals):
        source = int(original) if original not in (None, "gone") else at
        assert found["vector_text"][at] == found["search_text"][source]
    assert found["row_key"].is_unique
    same = found.groupby("vector_text")["vector_key"].nunique()
    assert (same == 1).all()
    assert found["vector_key"].nunique() == len(same)


def test_whatever_a_reader_sees_is_in_the_key_of_its_row():
    base = chunks([("a title", "a heading", "a text")])
    keys = {rows_of(base)["row_key"][0]}
    for name in SHOWN:
        keys.add(rows_of(base.assign(**{name: 7 if name in ("start", "end") else "other"}))["row_key"][0])
    assert len(keys) == len(SHOWN) + 1


def test_no_chunks_are_no_rows():
    assert rows_of(chunks([("", "", "")]).head(0)).empty
