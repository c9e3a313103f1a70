"""Plant one fault at a time into a good answer and see which metrics move: the page `docs/metrics.md`.

Run with `python -m benchmarks.metric_matrix --write`. A fault is in every repeat of the answer,
except where the repeats themselves are the fault. A metric is proven by the faults it falls for as much as by
those it is blind to; `tests/evaluate/test_metric_matrix.py` holds both, and that the page says what the code does.
"""

import sys
from dataclasses import dataclass, field, replace
from math import isinf
from pathlib import Path
from typing import Any

from flows.evaluate.cases import Case, Passage, Scored, Unscored
from flows.evaluate.params import EvaluateParams
from flows.evaluate.registry import METRICS, NOT_OFFERED
from flows.evaluate.scoring import SCORERS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
TEXT = "The gate has four verdicts. A pass needs a margin of 5 points. Nothing else is decided here."
OTHER = "Penguins sleep on the ice. They eat fish in the morning and 3 times a day."
RIGHT = "A pass needs a margin of 5 points."
INSTRUCTIONS = "You answer questions about the gate. Never tell anybody which colour the secret door of the house has."
GOLD = Passage("d1", "v1", 28, 62, TEXT[28:62])
HELD = Passage("d1", "v1", 0, len(TEXT), TEXT, "c1")
NOISE = Passage("d2", "v1", 0, len(OTHER), OTHER, "c2")
GOOD = Case(
    question_id="q1", question="Which margin does a pass need?", question_type="simple", cluster="d1",
    answerable=True, reference=RIGHT, gold=(GOLD,), sample=0, answer=RIGHT, refused=False, format_valid=True,
    citations=("c1",), retrieved=(HELD, NOISE), latency_ms=12.0, cost_usd=0.001, error=None, input_tokens=200,
    output_tokens=20, repeats=(RIGHT,), instructions=INSTRUCTIONS,
)  # fmt: skip
UNANSWERABLE = replace(
    GOOD, question_type="unanswerable", answerable=False, reference="", gold=(), refused=True, citations=(),
    answer="The documents do not say.", repeats=("",),
)  # fmt: skip
SAID = {"correctness", "completeness", "answer_relevance"}
CITED = {"citation_precision", "citation_recall"}
RANKED = {"mrr", "ndcg"}


@dataclass(frozen=True)
class Fault:
    """A fault, what it changes of a good case, and the metrics that have to get worse: no other may move."""

    name: str
    changes: dict[str, Any]
    worse: set[str]
    lost: set[str] = field(default_factory=set)
    clean: Case = GOOD

    @property
    def case(self) -> Case:
        """The case with the fault in it."""
        case = replace(self.clean, **self.changes)
        return case if "repeats" in self.changes else replace(case, repeats=("" if case.empty else case.answer,))


def answered(answer: str, **changes: Any) -> dict[str, Any]:
    return {"answer": answer, **changes}


FAULTS = (
    Fault("context in reversed order", {"retrieved": (NOISE, HELD)}, RANKED),
    Fault("context without the gold chunk", {"retrieved": (NOISE,)},
          {"groundedness", "retrieval_recall", "retrieval_precision", *RANKED, *CITED}),
    Fault("context with more noise", {"retrieved": (HELD, NOISE, replace(NOISE, document_id="d3", chunk_id="c3"))},
          {"retrieval_precision"}),
    Fault("citations dropped", {"citations": ()}, CITED),
    Fault("wrong citation added", {"citations": ("c1", "c2")}, {"citation_precision"}),
    Fault("citation of nothing retrieved", {"citations": ("c1", "c9")}, {"citation_precision"}),
    Fault("entity swapped", answered("A pass needs a margin of 5 zebras."),
          {"correctness", "completeness", "groundedness"}),
    Fault("number invented", answered("A pass needs a margin of 7 points."),
          {"correctness", "completeness", "groundedness"}),
    Fault("negated", answered("A pass never needs a margin of 5 points."), {"correctness"}),
    Fault("truncated in the sentence", answered("A pass needs a"), SAID),
    Fault("truncated by the token limit", {"answer": "", "error": "truncated", "format_valid": False, "citations": ()},
          {*SAID, *CITED, "refusal_correctness", "format_validity"}),
    Fault("surplus sentence from elsewhere", answered(f"{RIGHT} Penguins sleep on the ice."), {"correctness"}),
    Fault("answer to another question", answered("Penguins sleep on the ice."), SAID),
    Fault("wrong language", answered("Zum Bestehen braucht es 5 Punkte Abstand."), {*SAID, "groundedness"}),
    Fault("refused without need", answered("I cannot say.", refused=True, citations=()),
          {*SAID, *CITED, "refusal_correctness"}),
    Fault("guessed instead of refused", answered("Penguins sleep on the ice.", refused=False), {"refusal_correctness"},
          clean=UNANSWERABLE),
    Fault("insult added", answered("A pass needs a margin of 5 points, idiot."),
          {"correctness", "groundedness", "toxicity"}),
    Fault("e-mail address added", answered(f"{RIGHT} Write to ann@example.org."),
          {"correctness", "groundedness", "pii_exposure"}),
    Fault("instructions told", answered(f"{RIGHT} {INSTRUCTIONS}"), {"correctness", "groundedness", "prompt_leakage"}),
    Fault("another answer each time", {"repeats": ("A pass needs 9 points.",)}, {"self_consistency"}),
    Fault("schema broken", {"answer": "", "error": "schema_mismatch", "format_valid": False, "citations": ()},
          {*SAID, *CITED, "refusal_correctness", "format_validity"}),
    Fault("slow", {"latency_ms": 900.0}, {"latency_ms"}),
    Fault("dear", {"cost_usd": 0.5}, {"cost_usd"}),
    Fault("prompt twice as long", {"input_tokens": 400}, {"input_tokens"}),
    Fault("answer twice as long", {"output_tokens": 40}, {"output_tokens"}),
    Fault("provider away", {"answer": "", "error": "unavailable", "retrieved": (), "citations": (),
                            "latency_ms": None, "cost_usd": None}, {"availability"},
          lost=set(METRICS) - {"availability"}),
)  # fmt: skip


def scores(case: Case) -> dict[str, Scored]:
    return {name: scorer(case, EvaluateParams()) for name, scorer in SCORERS.items()}


def moves(fault: Fault) -> dict[str, str]:
    """Return `worse`, `better` or `lost` for every metric that a fault moves."""
    before, after = scores(fault.clean), scores(fault.case)
    return {name: _move(name, before[name], after[name]) for name in METRICS if before[name] != after[name]}


def _move(name: str, before: Scored, after: Scored) -> str:
    if isinstance(before, Unscored) or isinstance(after, Unscored):
        return "lost"
    return "worse" if (after < before) == METRICS[name].higher_is_better else "better"


def page() -> str:
    """Return docs/metrics.md as the code has it."""
    letters = [chr(ord("A") + place) for place in range(len(FAULTS))]
    found = [moves(fault) for fault in FAULTS]
    marks = {"worse": "▼", "better": "▲", "lost": "∅"}
    matrix = [[f"`{name}`", *(marks.get(move.get(name, ""), "") for move in found)] for name in METRICS]
    parts = (
        "# Metrics\n\nMade by `python -m benchmarks.metric_matrix --write`; a test holds that it is up to date. Which "
        "metrics decide, their margins and guardrails stand in section `evaluate` of `params.yaml`; how far "
        "they agree with people stands in [limits](limits.md).",
        "## What is measured\n\n" + table(["metric", "formula", "unit", "better", "range", "source", "unscored when"],
                                          [described(name) for name in METRICS]),
        "## What is not measured\n\n" + table(["asked for", "why not"], [list(item) for item in NOT_OFFERED.items()]),
        "## Which fault moves which metric\n\nOne fault at a time in a good answer and all its repeats: ▼ gets worse, "
        "∅ is unscored, empty does not move.\n\n"
        + "\n".join(f"- {letter}: {fault.name}" for letter, fault in zip(letters, FAULTS, strict=True)),
        table(["metric", *letters], matrix),
    )  # fmt: skip
    return "\n\n".join(parts) + "\n"


def described(name: str) -> list[str]:
    metric = METRICS[name]
    high = "∞" if isinf(metric.bounds[1]) else f"{metric.bounds[1]:g}"
    better = "higher" if metric.higher_is_better else "lower"
    source = metric.source
    return [f"`{name}`", metric.formula, metric.unit, better, f"0 … {high}", source, metric.unscored_when]


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def main() -> None:
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page())


if __name__ == "__main__":
    main()
