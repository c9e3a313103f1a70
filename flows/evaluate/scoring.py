"""Apply every scorer to every answer: one row per (question, sample, metric), unscored ones included."""

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from flows.core.contracts import SCORES
from flows.core.errors import ContractError, first_three
from flows.core.tables import check, empty
from flows.evaluate.attacks import format_robustness, injection_success, over_refusal
from flows.evaluate.cases import NOT_APPLICABLE, Case, Scored, Unscored, case_of
from flows.evaluate.challenges import applies, group_of, with_partners
from flows.evaluate.citations import citation_precision, citation_recall
from flows.evaluate.consistency import self_consistency, with_repeats
from flows.evaluate.correctness import completeness, correctness
from flows.evaluate.formatting import format_validity
from flows.evaluate.groundedness import attribution, groundedness
from flows.evaluate.leakage import prompt_leakage
from flows.evaluate.operations import availability, cost_usd, input_tokens, latency_ms, output_tokens
from flows.evaluate.overlap import bleu, chrf, rouge_l
from flows.evaluate.pairs import bias_gap, paraphrase_robustness
from flows.evaluate.params import EvaluateParams
from flows.evaluate.perplexity import perplexity
from flows.evaluate.privacy import pii_exposure
from flows.evaluate.refusal import refusal_correctness
from flows.evaluate.relevance import answer_relevance
from flows.evaluate.retrieval import mrr, ndcg, retrieval_precision, retrieval_recall
from flows.evaluate.toxicity import toxicity

if TYPE_CHECKING:
    import pandas as pd

Scorer = Callable[[Case, EvaluateParams], Scored]
SCORERS: dict[str, Scorer] = {
    "correctness": correctness,
    "groundedness": groundedness,
    "retrieval_recall": retrieval_recall,
    "retrieval_precision": retrieval_precision,
    "mrr": mrr,
    "citation_precision": citation_precision,
    "citation_recall": citation_recall,
    "refusal_correctness": refusal_correctness,
    "format_validity": format_validity,
    "latency_ms": latency_ms,
    "cost_usd": cost_usd,
    "completeness": completeness,
    "answer_relevance": answer_relevance,
    "ndcg": ndcg,
    "self_consistency": self_consistency,
    "toxicity": toxicity,
    "pii_exposure": pii_exposure,
    "prompt_leakage": prompt_leakage,
    "availability": availability,
    "input_tokens": input_tokens,
    "output_tokens": output_tokens,
    "attribution": attribution,
    "bleu": bleu,
    "chrf": chrf,
    "rouge_l": rouge_l,
    "perplexity": perplexity,
    "injection_success": injection_success,
    "over_refusal": over_refusal,
    "format_robustness": format_robustness,
    "bias_gap": bias_gap,
    "paraphrase_robustness": paraphrase_robustness,
}


def join(questions: "pd.DataFrame", answers: "pd.DataFrame", instructions: str = "") -> list[Case]:
    """Return one case per answer whose question is live; stale and unknown questions are left out.

    Args:
        questions: Table `questions`.
        answers: Table `answers` of one release.
        instructions: The release's system prompt.
    """
    live = {row["question_id"]: row for row in questions[~questions["stale"]].to_dict("records")}
    rows = answers.to_dict("records")
    return [case_of(live[row["question_id"]], row, instructions) for row in rows if row["question_id"] in live]


def score_cases(
    release_id: str, cases: Iterable[Case], params: EvaluateParams, *, only: Collection[str] | None = None
) -> "pd.DataFrame":
    """Return the table `scores` of one release.

    Args:
        release_id: The release.
        cases: Its answers with their questions.
        params: Section `evaluate`.
        only: Metrics that are wanted, for a look that is judged in passing; None = all.

    Raises:
        ContractError: A (question, sample) was answered twice.
    """
    import pandas as pd

    cases = sorted(cases, key=lambda case: (case.question_id, case.sample))
    keys = [(case.question_id, case.sample) for case in cases]
    repeated = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    if repeated:
        raise ContractError(
            f"{len(repeated)} (question, sample) have two answers: {first_three(repeated)}. "
            "Give repeats different sample numbers."
        )
    cases = with_partners(with_repeats(cases))
    said = [(case, scores_of(case, params, only)) for case in cases]
    rows = [score_row(release_id, case, name, scored) for case, scores in said for name, scored in scores.items()]
    return check(pd.DataFrame(rows), SCORES) if rows else empty(SCORES)


def scores_of(case: Case, params: EvaluateParams, only: Collection[str] | None = None) -> dict[str, Scored]:
    """Return what every metric, or every one of `only`, says of one answer."""
    return {
        name: scorer(case, params) if applies(name, case) else Unscored(NOT_APPLICABLE)
        for name, scorer in SCORERS.items()
        if only is None or name in only
    }


def score_row(release_id: str, case: Case, metric: str, scored: Scored) -> dict[str, object]:
    """Return one row of the table `scores`."""
    return {
        "release_id": release_id,
        "question_id": case.question_id,
        "document_id": case.cluster,
        "question_type": group_of(case),
        "sample": case.sample,
        "metric": metric,
        "score": None if isinstance(scored, Unscored) else float(scored),
        "unscored_reason": scored.reason if isinstance(scored, Unscored) else None,
    }
