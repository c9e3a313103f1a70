"""Parquet tables: one document per row by named columns, refused before anything large is unpacked."""

import io
import struct

import pandas as pd
import pytest

from flows.ingest.drafts import Rejected
from flows.ingest.params import Columns, IngestParams
from flows.ingest.parsing import Limits, parse
from flows.ingest.sniff import PARQUET, media_type
from flows.ingest.workers import ParserPool

COLUMNS = Columns(id="ticket", title="subject", text="body", version="edited")


def table(**columns):
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def limits(columns=COLUMNS, **params):
    return Limits.of(IngestParams(**params), columns)


GOOD = table(
    ticket=[1, 2, 3, 2],
    subject=["Fees", None, "Hours", "Parking"],
    body=["There are none.", "It is free.", None, "It is free on Sundays."],
    edited=[1.0, 1.0, 1.0, 2.0],
    other=["x" * 100] * 4,
)


def refusal(data, rules):
    with pytest.raises(Rejected) as caught:
        parse(data, PARQUET, rules)
    return caught.value.code, caught.value.rule


def test_rows_become_documents_and_bad_ones_are_told():
    made = parse(GOOD, PARQUET, limits())
    assert [(item.row, item.title, item.text) for item in made.texts] == [
        ("1", "Fees", "# Fees\n\nThere are none."),
        ("2", "Parking", "# Parking\n\nIt is free on Sundays."),
    ]
    assert [(item.code, item.rule, item.row) for item in made.rejections] == [("schema", "row_text", "line-3")]
    assert (made.inputs, made.superseded) == (4, 1)


def test_the_type_is_known_by_content_and_a_false_name_is_damage():
    assert media_type(GOOD, ".parquet") == PARQUET
    with pytest.raises(Rejected, match="type_mismatch"):
        media_type(b"id,text\n1,a\n", ".parquet")


def test_a_table_is_refused_as_a_whole_with_its_reason():
    assert refusal(GOOD, limits(columns=None)) == ("unsupported", "no_columns")
    assert refusal(GOOD, limits(columns=Columns(id="ticket", text="missing"))) == ("schema", "no_column")
    assert refusal(GOOD[:-10], limits()) == ("corrupt", "parquet")
    lie = b"PAR1" + bytes(200) + struct.pack("<i", 2_000_000_000) + b"PAR1"
    assert refusal(lie, limits()) == ("corrupt", "parquet")
    big = table(ticket=[1, 2], body=["a" * 200_000, "b" * 200_000])
    assert refusal(big, limits(unpacked_max_mb=0.1)) == ("archive_bomb", "unpacked_max_mb")


@pytest.mark.slow
def test_a_confined_process_has_room_for_it():
    with ParserPool(IngestParams(parser_processes=1)) as pool:
        assert [item.row for item in pool.parse(GOOD, PARQUET, limits()).texts] == ["1", "2"]
