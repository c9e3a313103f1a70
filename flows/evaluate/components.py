"""Which part of the application is weak: retriever, generator, rewriter, router, knowledge base.

A part's score is the mean of its metrics over each question, then over questions, with the interval of
the gate (documents as clusters, add-two, `flows.stats.effects`), cut off at 0 and 1. Topics and question
types are listed worst first; a group about too few documents says so and takes no place in that order.
What a chain does not have is not measured. The idea of parts is that of RAGET (Giskard); the scores
are means of metrics that are described in docs/metrics.md, so they can be checked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.core.contracts import SCORES
from flows.evaluate.cases import NOT_APPLICABLE, NOT_MEASURED, Passage, document_of
from flows.evaluate.params import EvaluateParams
from flows.evaluate.retrieval import coverage
from flows.stats.effects import MetricSpec, Scores, absolute_effect

if TYPE_CHECKING:
    import pandas as pd

INDEXED = "gold_indexed"
PARTS: dict[str, tuple[str, ...]] = {
    "retriever": ("retrieval_recall", "retrieval_precision", "mrr", "ndcg"),
    "generator": (
        "correctness", "completeness", "groundedness", "answer_relevance", "citation_precision", "citation_recall",
        "refusal_correctness", "format_validity",
    ),
    "rewriter": ("retrieval_recall",),  # of questions that follow on earlier turns
    "router": (),
    "knowledge_base": (INDEXED,),  # share of the gold that any chunk holds
}  # fmt: skip
FOLLOWING = "conversational"
SPEC = MetricSpec(kind="bounded", low=0.0, high=1.0, margin=0.0)
TOO_FEW, DIGITS = "too few", 6
ABSENT = {
    "rewriter": "the chain has no rewrite step",
    "router": "the chain has no router",
    "knowledge_base": "the chunks are not known",
}
NOTHING = "nothing was given to score it by"
COLUMNS = ["component", "of", "name", "mean", "lower", "upper", "questions", "documents", "note"]


@dataclass(frozen=True)
class Group:
    """A mean with its interval; None = too few documents for one, or nothing measured."""

    name: str
    mean: float | None
    lower: float | None
    upper: float | None
    questions: int
    documents: int
    note: str = ""


@dataclass(frozen=True)
class Component:
    """One part: its score, its metrics, its topics and question types worst first."""

    name: str
    score: Group
    metrics: tuple[Group, ...] = ()
    topics: tuple[Group, ...] = ()
    types: tuple[Group, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)


def components(
    scores: "pd.DataFrame",
    questions: "pd.DataFrame",
    params: EvaluateParams,
    *,
    chain: Sequence[str],
    chunks: "pd.DataFrame | None",
) -> list[Component]:
    """Score every part of an application.

    Args:
        scores: Table `scores` of one release or target.
        questions: Table `questions`; gives topics and gold.
        params: Smallest number of documents, level of the intervals.
        chain: Steps of the application, such as `rewrite`, `retrieve`, `answer`.
        chunks: Table `chunks` it can retrieve from; None = not known.
    """
    import pandas as pd

    usable = scores[(scores["unscored_reason"] != NOT_APPLICABLE) & ~scores["unscored_reason"].isin(NOT_MEASURED)]
    topics = dict(zip(questions["question_id"], questions["topic"], strict=True))
    usable = usable.assign(score=usable["score"].fillna(0.0), topic=usable["question_id"].map(topics))
    if chunks is not None and len(usable):
        asked = questions[questions["question_id"].isin(usable["question_id"])]
        rows = indexed(asked, chunks)
        usable = pd.concat([usable, rows.assign(topic=rows["question_id"].map(topics))], ignore_index=True)
    absent = ABSENT | ({"rewriter": ""} if "rewrite" in chain else {})
    return [_component(name, metrics, usable, params, absent.get(name, "")) for name, metrics in PARTS.items()]


def indexed(questions: "pd.DataFrame", chunks: "pd.DataFrame") -> "pd.DataFrame":
    """Return the share of each answerable question's gold characters that stand in chunks of its documents."""
    import pandas as pd

    held: dict[str, list[Passage]] = {}
    columns = ("document_id", "document_version", "start", "end", "text")
    for document, version, start, end, text in zip(*(chunks[name] for name in columns), strict=True):
        held.setdefault(document, []).append(Passage(document, version, start, end, text))
    rows = []
    for row in questions.to_dict("records"):
        gold = [
            Passage(s["document_id"], s["document_version"], s["start"], s["end"], s["quote"])
            for s in json.loads(row["reference_spans"])
        ]
        if gold:
            near = [chunk for name in {span.document_id for span in gold} for chunk in held.get(name, [])]
            rows.append({
                "release_id": "", "question_id": row["question_id"], "document_id": document_of(row), "sample": 0,
                "question_type": row["question_type"], "metric": INDEXED, "score": coverage(gold, near),
                "unscored_reason": None,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(SCORES.columns))


def _component(
    name: str, metrics: tuple[str, ...], usable: "pd.DataFrame", params: EvaluateParams, absent: str
) -> Component:
    rows = usable[usable["metric"].isin(metrics)]
    if name == "rewriter":
        rows = rows[rows["question_type"] == FOLLOWING]
    known = absent if absent and (name != "knowledge_base" or rows.empty) else "" if len(rows) else NOTHING
    if known:
        return Component(name, Group("all", None, None, None, 0, 0, f"not measured: {known}"))
    keys = ["question_id", "document_id", "sample", "topic", "question_type"]
    whole = rows.groupby(keys, as_index=False, dropna=False).agg(score=("score", "mean"))
    return Component(
        name,
        group("all", whole, params),
        tuple(
            group(metric, rows[rows["metric"] == metric], params) for metric in metrics if metric in set(rows["metric"])
        ),
        worst_first([group(str(topic) or "none", part, params) for topic, part in whole.groupby("topic")]),
        worst_first([group(str(kind), part, params) for kind, part in whole.groupby("question_type")]),
    )


def group(name: str, rows: "pd.DataFrame", params: EvaluateParams) -> Group:
    """Return the mean of scores between 0 and 1 with its one-sided bounds."""
    columns = (rows[column].to_numpy() for column in ("question_id", "document_id", "sample", "score"))
    # The middle of the range is the limit, so that add-two draws neither up nor down.
    effect = absolute_effect(Scores(*columns), SPEC, limit=0.5, side="at_least", alpha=params.alpha)
    mean = round(effect.candidate_mean, DIGITS)
    if effect.problem or effect.n_documents < params.documents_min:
        return Group(name, mean, None, None, effect.n_questions, effect.n_documents, TOO_FEW)
    lower, upper = (round(float(np.clip(0.5 + bound, 0.0, 1.0)), DIGITS) for bound in (effect.lower, effect.upper))
    return Group(name, mean, lower, upper, effect.n_questions, effect.n_documents)


def worst_first(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return groups in order of their means, those that are too small after all others."""
    return tuple(sorted(groups, key=lambda item: (item.note == TOO_FEW, item.mean or 0.0, item.name)))


def flat(found: Sequence[Component]) -> "pd.DataFrame":
    """Return everything as one table: component, of (`all`, `metric`, `topic`, `type`), name and numbers."""
    import pandas as pd

    rows = [
        {"component": part.name, "of": of} | asdict(item)
        for part in found
        for of, items in (
            ("all", (part.score,)),
            ("metric", part.metrics),
            ("topic", part.topics),
            ("type", part.types),
        )
        for item in items
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def sentence(found: Sequence[Component]) -> str:
    """Return in words which part scores lowest and where it is worst; empty when nothing was measured."""
    known = [part for part in found if part.score.mean is not None]
    if not known:
        return ""
    lowest = min(known, key=lambda part: (part.score.note == TOO_FEW, part.score.mean or 0.0))
    where = [
        f"{what} {items[0].name!r} {words(items[0])}"
        for what, items in (("worst topic", lowest.topics), ("worst question type", lowest.types))
        if len(items) > 1 and items[0].note != TOO_FEW
    ]
    at = f"; {', '.join(where)}" if where else ""
    return f"Of its parts the {lowest.name.replace('_', ' ')} scores lowest: {words(lowest.score)}{at}."


def words(item: Group | Mapping[str, Any]) -> str:
    """Return `0.71 (0.65 to 0.77)`, with a reason where there is no interval."""
    values = item if isinstance(item, Mapping) else asdict(item)
    if values["mean"] is None:
        return str(values["note"])
    if values["lower"] is None:
        return f"{values['mean']:.2f} ({values['note']}: {values['documents']} documents)"
    return f"{values['mean']:.2f} ({values['lower']:.2f} to {values['upper']:.2f})"
