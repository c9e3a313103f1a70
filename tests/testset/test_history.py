"""A real document stream: four snapshots of the 18F handbook, edits, additions and deletions."""

import json

import pandas as pd
import pytest

from flows.core.contracts import QUESTIONS
from flows.core.tables import empty
from flows.testset.build import build
from flows.testset.params import TestsetParams


def snapshots(folder):
    rows = pd.read_parquet(folder / "18_docs_history" / "handbook18f_snapshots.parquet")
    text_of = pd.read_parquet(folder / "18_docs_history" / "handbook18f_versions.parquet").set_index("blob")["text"]
    for _, files in rows.groupby("snapshot", sort=True):
        known = files[files["blob"].isin(text_of.index)]
        texts = {path: text_of[blob] for path, blob in zip(known["path"], known["blob"], strict=True)}
        yield {path: text for path, text in texts.items() if text.strip()}


def fate(row, text_of):
    """What must become of a question, by looking for its quotes."""
    spans = json.loads(row["reference_spans"])
    if any(span["document_id"] not in text_of for span in spans):
        return "retired"
    folded = {name: " ".join(text_of[name].split()) for name in {span["document_id"] for span in spans}}
    return "live" if all(" ".join(s["quote"].split()) in folded[s["document_id"]] for s in spans) else "stale"


@pytest.mark.shared_data
@pytest.mark.slow
def test_questions_follow_a_real_handbook_through_four_snapshots(shared_data, framed):
    table = empty(QUESTIONS)
    fates = []
    for texts in snapshots(shared_data):
        frame = framed(texts)
        text_of = dict(zip(frame["document_id"], frame["text"], strict=True))
        after, _, _ = build(frame, table, TestsetParams())
        now = after.set_index("question_id")["stale"].map({True: "stale", False: "live"})
        for row in table[table["answerable"]].to_dict("records"):
            assert now.get(row["question_id"], "retired") == fate(row, text_of)
            fates.append(fate(row, text_of))
        table = after
    assert {"live", "stale", "retired"} == set(fates)
    assert fates.count("live") > 400
