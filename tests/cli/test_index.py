"""`llmops index` and `llmops ask --as-of`: what there is, whether it is whole, and asking the past."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from flows.cli.ask import moment
from flows.cli.main import main
from flows.core.contracts import CHUNKS
from flows.core.errors import UsageError
from flows.core.tables import write_table
from flows.embed import stage
from flows.embed.compaction import compact
from flows.index.manifest import database, published
from flows.index.store import open_index, open_writer
from tests.index.corpus import chunks_of

PARAMS = {"provider": {"embedding_model": "local-hash-384"}, "embed": {"recall_queries": 5, "recall_texts": 2}}


@pytest.fixture
def project(project):
    project.params_file.write_text(yaml.safe_dump(PARAMS))
    return project


def embed(project, documents, now):
    write_table(project.data("ingest", "chunks.parquet"), chunks_of(documents), CHUNKS)
    return stage.run(str(project.root), clock=lambda: now)


@pytest.mark.slow
def test_an_index_is_listed_verified_and_compacted(project, now, capsys):
    index = ["--project", str(project.root), "index"]
    for day in range(3):
        embed(project, {"alpha.md": f"the cat sat on mat number {day}", "beta.md": "a gate"}, now + timedelta(days=day))
    before, record = published(project), embed(project, {"beta.md": "a gate"}, now + timedelta(days=3))

    assert main([*index, "list"]) == 0
    listed = capsys.readouterr().out
    assert [name in listed for name in (before.tag, "live", "2026-11-04T12:00:00Z", "local-hash-384")] == [True] * 4
    assert main([*index, "verify"]) == 0
    assert "4 version(s)" in capsys.readouterr().out

    live = published(project)
    assert main([*index, "compact"]) == 0
    after = published(project)
    assert (after.tag, after.created_at, after.rows) == (live.tag, live.created_at, live.rows)
    assert len(open_index(project).rows()) == 1
    again = stage.run(str(project.root), clock=lambda: now)
    assert (again.did_work, again.fingerprint) == (False, record.fingerprint)
    assert main([*index, "verify"]) == 0


def test_damage_is_named_with_its_file_and_exit_code(project, now, capsys):
    embed(project, {"alpha.md": ("the cat sat", "hr"), "beta.md": "a gate"}, now)
    assert main(["--project", str(project.root), "index", "list"]) == 0
    assert "hr: 1, public: 1" in " ".join(capsys.readouterr().out.split())
    name = next(name for name in published(project).files if "/data/" in name)
    path = database(project) / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    assert main(["--project", str(project.root), "index", "verify"]) == 70
    assert f"{name} differs" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["verify", "compact"])
def test_without_an_index_the_verbs_say_what_to_run(project, verb, capsys):
    assert main(["--project", str(project.root), "index", verb]) == 66
    assert "llmops embed" in capsys.readouterr().err


def test_rows_that_a_killed_run_left_are_not_compacted_away(project, now, capsys):
    embed(project, {"alpha.md": "the cat sat"}, now)
    live = published(project)
    with open_writer(project, live.fingerprint) as writer:
        writer.remove(writer.hashes()["chunk_id"].tolist())

    assert main(["--project", str(project.root), "index", "compact"]) == 66
    assert "`llmops embed`, which finishes it" in capsys.readouterr().err
    assert published(project) == live


@pytest.mark.slow
def test_readers_of_the_version_before_go_on(project, now):
    for day in range(3):
        embed(project, {"alpha.md": f"the cat sat on mat {day}", "beta.md": "a gate"}, now + timedelta(days=day))
    reader = open_index(project)

    compact(str(project.root))

    assert [hit.source_uri for hit in reader.search("cat", None, access=["public"], k=1, mode="text")] == ["alpha.md"]


@pytest.mark.parametrize(("text", "meant"), [
    ("2026-10-01", datetime(2026, 10, 1, 23, 59, 59, 999999, UTC)),
    ("2026-10-01T14:30", datetime(2026, 10, 1, 14, 30, tzinfo=UTC)),
    ("2026-10-01T14:30+02:00", datetime(2026, 10, 1, 12, 30, tzinfo=UTC)),
])  # fmt: skip
def test_a_day_stands_for_its_end_and_a_time_without_zone_for_utc(text, meant):
    assert moment(text) == meant


def test_what_is_no_time_is_refused():
    with pytest.raises(UsageError, match="2026-10-01T14:30"):
        moment("last week")
