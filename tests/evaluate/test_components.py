"""Parts of the application: named metrics, intervals, worst groups first, small ones said to be small."""

import json

import pandas as pd
import pytest

from flows.core.contracts import QUESTIONS, SCORES
from flows.core.tables import check
from flows.evaluate.components import FOLLOWING, PARTS, TOO_FEW, components, flat, indexed, sentence, words
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import METRICS

PARAMS = EvaluateParams()
VERSION = "f" * 32
TEXT = "The gate has four verdicts and no more than that."


def questions(n=40, *, topics=("costs", "gate"), kinds=("simple", "complex")):
    rows = [
        {
            "question_id": f"{i:032x}", "question": f"What is {i}?", "question_type": kinds[i % len(kinds)],
            "reference_answer": "x", "answerable": True, "origin": "test", "topic": topics[i % len(topics)],
            "document_id": f"d{i // 2}", "document_version": VERSION, "stale": False,
            "reference_spans": json.dumps([
                {"document_id": f"d{i // 2}", "document_version": VERSION, "start": 0, "end": 20, "quote": TEXT[:20]}
            ]),
        }
        for i in range(n)
    ]  # fmt: skip
    empty = {name: None for name, column in QUESTIONS.columns.items() if column.nullable}
    return check(pd.DataFrame([empty | row for row in rows]), QUESTIONS)


def scores(asked, values, metrics=("retrieval_recall", "mrr", "correctness")):
    rows = [
        {"release_id": "a" * 32, "question_id": row["question_id"], "document_id": row["document_id"],
         "question_type": row["question_type"], "sample": 0, "metric": metric, "score": values(i, metric),
         "unscored_reason": None if values(i, metric) is not None else "no_answer"}
        for i, row in enumerate(asked.to_dict("records"))
        for metric in metrics
    ]  # fmt: skip
    return check(pd.DataFrame(rows), SCORES)


def part(name, asked, values, *, chain=("retrieve", "answer"), chunks=None, **options):
    found = components(scores(asked, values, **options), asked, PARAMS, chain=chain, chunks=chunks)
    return next(one for one in found if one.name == name)


def test_every_metric_of_a_part_is_a_known_metric():
    named = {metric for metrics in PARTS.values() for metric in metrics} - {"gold_indexed"}
    assert named <= set(METRICS)
    assert all(METRICS[name].kind == "bounded" and METRICS[name].higher_is_better for name in named)


def test_a_score_is_the_mean_of_its_metrics_with_an_interval_inside_the_range():
    found = part("retriever", questions(), lambda i, metric: 1.0 if metric == "mrr" else 0.5)
    assert found.score.mean == pytest.approx(0.75)
    assert found.score.lower < 0.75 < found.score.upper <= 1.0
    assert {item.name: item.mean for item in found.metrics} == {"retrieval_recall": 0.5, "mrr": 1.0}
    full = part("retriever", questions(), lambda i, metric: 1.0)
    assert full.score.upper == 1.0
    assert full.score.lower > 0.8


def test_the_worst_topic_and_type_come_first():
    found = part("generator", questions(80), lambda i, metric: 0.2 if i % 2 else 0.9)
    assert [item.name for item in found.topics] == ["gate", "costs"]
    assert [item.name for item in found.types] == ["complex", "simple"]
    assert "worst topic 'gate' 0.20" in sentence([found])


def test_a_group_about_too_few_documents_says_so_and_is_not_called_worst():
    asked = questions(42)
    asked.loc[40:, "topic"] = "rare"
    found = part("generator", asked, lambda i, metric: 0.0 if i >= 40 else 0.8)
    assert found.topics[-1].note == TOO_FEW
    assert found.topics[-1].lower is None
    assert words(found.topics[-1]) == "0.00 (too few: 1 documents)"


def test_what_is_missing_counts_as_worst_and_what_does_not_apply_does_not():
    asked = questions(40)
    table = scores(asked, lambda i, metric: None if i < 10 else 1.0)
    found = components(table, asked, PARAMS, chain=(), chunks=None)[0]
    assert found.score.mean == pytest.approx(0.75)
    table.loc[table["score"].isna(), "unscored_reason"] = "not_applicable"
    assert components(table, asked, PARAMS, chain=(), chunks=None)[0].score.mean == 1.0


def test_a_rewriter_is_measured_by_what_is_found_for_questions_that_follow():
    asked = questions(60, kinds=("simple", FOLLOWING))
    values = {"values": lambda i, metric: 0.3 if i % 2 else 1.0}
    assert part("rewriter", asked, **values).score.note == "not measured: the chain has no rewrite step"
    with_step = part("rewriter", asked, chain=("rewrite", "retrieve"), **values)
    assert with_step.score.mean == pytest.approx(0.3)
    assert "nothing was given" in part("rewriter", questions(), chain=("rewrite",), **values).score.note


def test_a_chain_without_a_router_has_no_score_for_one():
    assert part("router", questions(), lambda i, metric: 1.0).score.note == "not measured: the chain has no router"


def chunks(asked, end):
    rows = [{"document_id": document, "document_version": VERSION, "start": 0, "end": end, "text": TEXT[:end]}
            for document in asked["document_id"].unique()]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_knowledge_base_is_what_any_chunk_holds_of_the_gold():
    asked = questions()
    assert set(indexed(asked, chunks(asked, 20))["score"]) == {1.0}
    assert set(indexed(asked, chunks(asked, 10))["score"]) == {0.5}
    found = part("knowledge_base", asked, lambda i, metric: 1.0, chunks=chunks(asked.head(20), 20))
    assert found.score.mean == pytest.approx(0.5)
    assert part("knowledge_base", asked, lambda i, metric: 1.0).score.note.startswith("not measured")


def test_nothing_evaluated_is_not_measured():
    asked = questions()
    found = components(scores(asked, lambda i, m: 1.0).iloc[:0], asked, PARAMS, chain=("rewrite",), chunks=None)
    assert all(one.score.mean is None for one in found)
    assert sentence(found) == ""


def test_the_flat_table_has_every_group():
    asked = questions()
    found = components(scores(asked, lambda i, m: 0.5), asked, PARAMS, chain=(), chunks=None)
    table = flat(found)
    assert set(table["of"]) == {"all", "metric", "topic", "type"}
    assert len(table[table["of"] == "all"]) == len(PARTS)
