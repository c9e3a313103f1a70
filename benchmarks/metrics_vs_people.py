"""Rank correlation of our scorers, BLEU, chrF and ROUGE-L among them, with what people said about the same answers.

Run with `python -m benchmarks.metrics_vs_people DATA`, where DATA holds the public data sets `03_mtrag`,
`04_refchecker`, `10_summedits` and `23_summeval` (CONTRIBUTING says where they lie). Answers about one document
(a conversation in MTRAG) are not independent, so the 95 % interval of Spearman's rho is the jackknife that leaves out
a document at a time, on Fisher's z (Efron and Stein 1981). Beside it stand Kendall's tau-b and the mean of rho within
a document: the gate compares answers to the same question, so that is the comparison that matters to it.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, spearmanr, t

from benchmarks.metric_matrix import GOOD
from flows.evaluate.cases import Case, Passage, Unscored
from flows.evaluate.correctness import completeness, correctness
from flows.evaluate.groundedness import groundedness
from flows.evaluate.overlap import bleu, chrf, rouge_l
from flows.evaluate.params import EvaluateParams
from flows.evaluate.relevance import answer_relevance
from flows.evaluate.scoring import Scorer

PARAMS = EvaluateParams()
ANSWERS_MIN = 5  # fewer in one document make no correlation of their own
WEAK, FAIR = 0.3, 0.5
AGAINST_REFERENCE: tuple[Scorer, ...] = (correctness, completeness, bleu, chrf, rouge_l)


@dataclass(frozen=True)
class Agreement:
    """How one scorer ranks answers compared with people, on one data set."""

    data: str
    metric: str
    rated: str
    answers: int
    documents: int
    rho: float
    low: float
    high: float
    tau: float
    within: float | None

    @property
    def word(self) -> str:
        """What to make of it, judged by the estimate and by whether the interval excludes zero."""
        if self.low <= 0:
            return "not shown"
        return "weak" if self.rho < WEAK else "fair" if self.rho < FAIR else "good"


def answer_case(answer: str, *, question: str = "", reference: str = "", contexts: tuple[str, ...] = ()) -> Case:
    """Return a case of texts alone: what these scorers look at."""
    passages = tuple(Passage("d", "v", 0, len(text), text, f"c{n}") for n, text in enumerate(contexts))
    return Case(**vars(GOOD) | {"answer": answer, "question": question, "reference": reference, "retrieved": passages})


def compare(data: str, rated: str, scorer: Scorer, rows: Iterator[tuple[str, Case, float]]) -> Agreement:
    """Correlate a scorer with ratings; rows are (document, case, rating)."""
    found = pd.DataFrame(
        [(document, scorer(case, PARAMS), rating) for document, case, rating in rows],
        columns=["document", "score", "rating"],
    )
    return agreement(data, scorer.__name__, rated, found[[not isinstance(score, Unscored) for score in found["score"]]])


def agreement(data: str, metric: str, rated: str, rows: pd.DataFrame) -> Agreement:
    """Correlate scores with ratings over the rows (document, score, rating)."""
    rows = rows.dropna().astype({"score": float, "rating": float})
    rho, documents = spearman(rows), rows["document"].nunique()
    left_out = [atanh(spearman(rows[rows["document"] != document])) for document in rows["document"].unique()]
    half = t.ppf(0.975, documents - 1) * sqrt((documents - 1) * np.var(left_out))
    low, high = tanh(atanh(rho) - half), tanh(atanh(rho) + half)
    tau = float(kendalltau(rows["score"], rows["rating"])[0])
    return Agreement(data, metric, rated, len(rows), documents, rho, low, high, tau, within_documents(rows))


def spearman(rows: pd.DataFrame) -> float:
    return float(spearmanr(rows["score"], rows["rating"])[0])


def within_documents(rows: pd.DataFrame) -> float | None:
    """Return the mean of rho within the documents that have enough answers, not all alike."""
    groups = [group for _, group in rows.groupby("document") if len(group) >= ANSWERS_MIN]
    varied = [group for group in groups if group["score"].nunique() > 1 and group["rating"].nunique() > 1]
    return float(np.mean([spearman(group) for group in varied])) if varied else None


def mtrag(folder: Path) -> Iterator[Agreement]:
    """Answers of two models (and of people) in conversations over given contexts, rated 1 to 4 by three people."""
    rated = pd.read_parquet(folder / "responses_human_eval.parquet")
    rows = rated.merge(pd.read_parquet(folder / "tasks_human_eval.parquet"), on="task_id")
    answerable = rows[[list(kinds) == ["ANSWERABLE"] for kinds in rows["answerability"]]]
    by_models = answerable[answerable["model"] != "reference"]
    for scorer in AGAINST_REFERENCE:
        yield compare("MTRAG", "completeness", scorer, _mtrag_cases(by_models, "human_completeness_mean"))
    yield compare("MTRAG", "appropriateness", answer_relevance, _mtrag_cases(by_models, "human_appropriateness_mean"))
    yield compare("MTRAG", "faithfulness", groundedness, _mtrag_cases(answerable, "human_faithfulness_mean"))


def _mtrag_cases(rows: pd.DataFrame, rating: str) -> Iterator[tuple[str, Case, float]]:
    for row in rows.to_dict("records"):
        contexts = tuple(str(text) for text in row["contexts"])
        case = answer_case(row["response"], question=row["question"], reference=row["reference"], contexts=contexts)
        yield row["conversation_id"], case, row[rating]


def refchecker(folder: Path) -> Iterator[Agreement]:
    """Answers of seven models; the share of their claims that people found entailed by the paragraph."""
    rows = pd.read_parquet(folder / "responses_claim_labels.parquet").dropna(subset=["reference_paragraph"])
    rows = rows[rows["n_claims"] > 0]
    pairs = (
        (row["example_id"], answer_case(row["response"], contexts=(row["reference_paragraph"],)),
         row["n_entail"] / row["n_claims"])
        for row in rows.to_dict("records")
    )  # fmt: skip
    yield compare("RefChecker", "claims entailed", groundedness, pairs)


def summedits(folder: Path) -> Iterator[Agreement]:
    """Summaries with one fact edited or none: people said consistent or not."""
    rows = pd.read_parquet(folder / "summaries.parquet").merge(pd.read_parquet(folder / "docs.parquet"), on="doc_id")
    pairs = (
        (row["doc_id"], answer_case(row["summary"], contexts=(row["doc"],)), float(row["label_consistent"]))
        for row in rows.to_dict("records")
    )
    yield compare("SummEdits", "consistent", groundedness, pairs)


def summeval(folder: Path) -> Iterator[Agreement]:
    """Summaries of 16 systems, rated 1 to 5 by experts; a score is the mean over the references."""
    rows = pd.read_parquet(folder / "system_summaries.parquet").merge(
        pd.read_parquet(folder / "references.parquet"), on="doc_id"
    )
    for scorer in AGAINST_REFERENCE:
        yield _over_references("SummEval", "relevance", scorer, rows, ("doc_id", "summary", "human_relevance"))
    rows = pd.read_parquet(folder / "sfhot_d2t_outputs.parquet")
    for scorer in AGAINST_REFERENCE:
        columns = ("src", "output", "human_informativeness")
        yield _over_references("SFHOT", "informativeness", scorer, rows, columns)


def _over_references(
    data: str, rated: str, scorer: Scorer, rows: pd.DataFrame, columns: tuple[str, str, str]
) -> Agreement:
    document, answer, rating = columns
    found = []
    for row in rows.to_dict("records"):
        each = [scorer(answer_case(row[answer], reference=str(text)), PARAMS) for text in row["references"]]
        scored = [score for score in each if not isinstance(score, Unscored)]
        found.append((row[document], float(np.mean(scored)) if scored else np.nan, row[rating]))
    return agreement(data, scorer.__name__, rated, pd.DataFrame(found, columns=["document", "score", "rating"]))


SETS = {"03_mtrag": mtrag, "04_refchecker": refchecker, "10_summedits": summedits, "23_summeval": summeval}


def measure(data: Path) -> list[Agreement]:
    return [found for name, against in SETS.items() for found in against(data / name)]


def table(found: list[Agreement]) -> str:
    """Return the table that stands in docs/limits.md."""
    head = "| metric | data, rated for | answers, documents | rho (95 %) | tau | within a document | agreement |"
    lines = [
        f"| {one.metric} | {one.data}, {one.rated} | {one.answers}, {one.documents} "
        f"| {one.rho:.2f} ({one.low:.2f} to {one.high:.2f}) | {one.tau:.2f} "
        f"| {'' if one.within is None else f'{one.within:.2f}'} | {one.word} |"
        for one in found
    ]
    return "\n".join([head, "|---" * 7 + "|", *lines])


def main() -> None:
    print(table(measure(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
