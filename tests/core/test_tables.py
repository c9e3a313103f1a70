"""Contract tables: what breaks its contract goes nowhere, and the error shows no values."""

import pytest

from flows.core.contracts import CHUNKS, QUARANTINE
from flows.core.errors import ContractError, InputError, IntegrityError
from flows.core.tables import check, empty, read_table, write_table


def test_an_empty_table_round_trips(tmp_path):
    write_table(tmp_path / "q.parquet", empty(QUARANTINE), QUARANTINE)

    assert read_table(tmp_path / "q.parquet", QUARANTINE, remedy="").empty


def test_a_broken_rule_is_counted_and_values_stay_secret(tmp_path):
    frame = (
        empty(QUARANTINE)
        .reindex([0, 1])
        .assign(
            source_uri="secret text",
            sha256="not a hash",
            reason_code="empty",
            rule="r",
            detail="",
            first_seen="2026-11-01",
        )
    )

    with pytest.raises(ContractError) as error:
        write_table(tmp_path / "q.parquet", frame, QUARANTINE)

    assert "sha256" in str(error.value)
    assert "(2 of 2 rows)" in str(error.value)
    assert "secret text" not in str(error.value)
    assert not (tmp_path / "q.parquet").exists()


def test_an_unknown_column_is_refused():
    with pytest.raises(ContractError, match=r"unknown column\(s\) \['extra'\]"):
        check(empty(CHUNKS).assign(extra=1), CHUNKS)


def test_a_missing_column_is_named():
    with pytest.raises(ContractError, match="heading"):
        check(empty(CHUNKS).drop(columns="heading"), CHUNKS)


def test_missing_and_damaged_files_are_different_errors(tmp_path):
    with pytest.raises(InputError, match="Run `llmops ingest`"):
        read_table(tmp_path / "c.parquet", CHUNKS, remedy="Run `llmops ingest`")
    (tmp_path / "c.parquet").write_bytes(b"not parquet")

    with pytest.raises(IntegrityError, match="not readable Parquet"):
        read_table(tmp_path / "c.parquet", CHUNKS, remedy="Run `llmops ingest`")
