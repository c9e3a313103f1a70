"""Every metric as data: what it measures, how it is read, what loss is tolerated by default.

`params.yaml` overrides margins and guardrails; formula, range and direction belong to the scorer
and stand here. The docs and the report print this table.
"""

from dataclasses import dataclass
from math import inf

from flows.stats.effects import MetricKind, MetricSpec


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: As in the scores table.
        formula: In one line.
        unit: `share` (0 … 1), `ms` or `usd`.
        kind: How the gate compares it; `ratio` compares totals by the logarithm of their ratio.
        higher_is_better: Direction.
        margin: Default loss tolerated by the gate: score units, natural log for `ratio`.
        source: Where the formula comes from.
        unscored_when: When there is no number.
    """

    name: str
    formula: str
    unit: str
    kind: MetricKind
    higher_is_better: bool
    margin: float
    source: str
    unscored_when: str

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible score; no metric is ever below 0."""
        return 0.0, 1.0 if self.kind == "bounded" else inf

    def spec(self, margin: float | None = None, *, kind: MetricKind | None = None) -> MetricSpec:
        """Return how `flows.stats` reads the metric; `kind` overrides the comparison."""
        low, high = self.bounds
        return MetricSpec(
            kind=kind or self.kind, low=low, high=high, higher_is_better=self.higher_is_better,
            margin=self.margin if margin is None else margin,
        )  # fmt: skip


UNANSWERABLE, LOST = "unanswerable question", "the chain failed for a reason that is not the release's"


def _share(name: str, formula: str, source: str, unscored_when: str = "") -> Metric:
    unscored = "; ".join(part for part in (unscored_when, LOST) if part)
    return Metric(name, formula, "share", "bounded", True, 0.05, source, unscored)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _share(
            "correctness", "F-beta of the reference's key facts (words, numbers, negations) found in the answer",
            "token F1, SQuAD (arXiv:1606.05250), on key facts", UNANSWERABLE,
        ),
        _share(
            "groundedness", "mean over the answer's sentences of the share of facts held by the best retrieved chunk; "
            "0 for a sentence with a number that is not there; 1 for a refusal",
            "lexical support after ALCE (arXiv:2305.14627)",
        ),
        _share("retrieval_recall", "gold characters covered by the retrieved chunks / gold characters",
               "recall@k by span", UNANSWERABLE),
        _share("retrieval_precision", "retrieved chunks that hold gold / retrieved chunks", "precision@k by span",
               UNANSWERABLE),
        _share("mrr", "1 / rank of the first retrieved chunk that holds gold", "mean reciprocal rank by span",
               UNANSWERABLE),
        _share("citation_precision", "citations that hold gold or support a sentence of the answer / citations",
               "ALCE (arXiv:2305.14627), lexical support", UNANSWERABLE),
        _share("citation_recall", "gold characters covered by the cited chunks / gold characters",
               "ALCE (arXiv:2305.14627), by span", UNANSWERABLE),
        _share("refusal_correctness", "1 when exactly the unanswerable questions are refused, else 0", "definition"),
        _share("format_validity", "1 when the output keeps to its schema and cites only given chunks, else 0",
               "definition"),
        Metric("latency_ms", "milliseconds of the answer's model calls", "ms", "unbounded", False, 500.0,
               "calls log, as first measured", "no call ended well"),
        Metric("cost_usd", "US dollars of the answer's model calls", "usd", "ratio", False, 0.09531,
               "calls log times prices", "a model without a known price"),
    )
}  # fmt: skip
