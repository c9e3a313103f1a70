"""Any history of increments ends in the index that a rebuild from scratch gives."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.core.project import Project
from flows.index.store import open_index
from tests.conftest import NOW
from tests.index.corpus import publish, vector_of

PLACES = st.sampled_from(["a.md", "b.md", "c.md"])
TEXTS = st.sampled_from(["the cat sat", "the cat sat\na dog ran", "a dog ran\nthe cat sat", 'it\'s "quoted"'])
STATES = st.dictionaries(PLACES, TEXTS, min_size=1)


def fresh(folder):
    (Path(folder) / "params.yaml").write_text("ingest: {}\n")
    return Project.open(folder)


def answers(project):
    index = open_index(project)
    found = {"rows": index.rows().to_dict("list"), "tag": index.manifest.tag}
    for mode in ("vector", "text", "hybrid"):
        hits = index.search("cat dog quoted", vector_of("cat"), access=["public"], k=99, mode=mode)
        found[mode] = [(hit.chunk_id, hit.vector_score, round(hit.text_score or 0, 4)) for hit in hits]
    return found


def compare(states):
    with tempfile.TemporaryDirectory() as grown, tempfile.TemporaryDirectory() as rebuilt:
        for state in states:
            publish(fresh(grown), state, NOW)
        publish(fresh(rebuilt), states[-1], NOW)
        assert answers(fresh(grown)) == answers(fresh(rebuilt))


def test_add_change_rename_delete_and_restore_end_in_the_rebuilt_index():
    first = {"a.md": "the cat sat", "b.md": "a dog ran\nthe cat sat"}
    renamed = {"c.md": "the cat sat", "b.md": "a dog ran\nthe cat sat"}
    compare([first, first | {"c.md": "new"}, {"b.md": "changed"}, renamed, first, renamed])


@pytest.mark.slow
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(STATES, min_size=2, max_size=5))
def test_any_history_ends_in_the_rebuilt_index(states):
    compare(states)
