"""Hold a judge against people: agreement beyond chance, bias, stability, and the mean that corrects for it.

Every number has a 95 % interval over documents: means by the interval of the gate (`flows.stats.effects`, whose two
pseudo documents keep "never in 40" from looking certain), kappas and differences by the jackknife that leaves out a
document at a time (Efron & Stein 1981). The corrected mean is PPI++ (`flows.stats.judges`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from flows.evaluate.judge_items import Judgement
from flows.stats.effects import MetricSpec, Scores, absolute_effect
from flows.stats.judges import cohen_kappa, ppi_mean
from flows.stats.scores import FloatArray, IntArray, TextArray

TAIL = 0.025  # of each side of an interval
TIES_MIN = 3  # different values from which labels are an order and no mere yes or no


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; NaN where the data cannot tell."""

    estimate: float
    low: float = np.nan
    high: float = np.nan

    def to_json(self) -> dict[str, float | None]:
        """Return the numbers, None for what does not exist."""
        known = {"estimate": self.estimate, "low": self.low, "high": self.high}
        return {name: float(value) if np.isfinite(value) else None for name, value in known.items()}

    def __str__(self) -> str:
        """Return `0.42 (0.18 to 0.66)`."""
        if not np.isfinite(self.estimate):
            return "undefined"
        mid, low, high = (f"{round(value, 2) + 0.0:.2f}" for value in (self.estimate, self.low, self.high))  # no -0.00
        return mid + (f" ({low} to {high})" if np.isfinite(self.low) else "")


@dataclass(frozen=True, eq=False)
class Rated:
    """Answers with a judge's scores, some with a label by people; one entry per answer, (n,) each."""

    label: FloatArray  # NaN = nobody labelled it
    score: FloatArray  # NaN = the judge gave no score
    level: FloatArray  # the score as a category, for kappa
    document: TextArray  # answers about one document hang together
    chars: FloatArray  # length of the answer; NaN = unknown


@dataclass(frozen=True)
class Agreement:
    """How far a judge agrees with people, and what its scores are worth."""

    labels: int  # answers with label and score
    labels_unscored: int  # labelled, and the judge gave no score
    documents: int
    kappa: Interval
    weighted_kappa: Interval | None  # None for labels of two values
    bias: Interval  # judge minus people
    bias_short: float  # in the shorter half of the answers; NaN = lengths unknown
    bias_long: float
    bias_length: Interval  # long minus short: above 0 = it favours length
    confusion: dict[str, dict[str, int]]  # label -> level of the judge -> answers
    answers: int  # answers with a score, labelled or not
    naive: Interval  # the judge's mean over them
    corrected: Interval  # the same by PPI++; of the labels' scale
    label_gain: float  # the labels count as if there were so many times as many

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        values: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Interval):
                values[name] = value.to_json()
            else:
                values[name] = None if isinstance(value, float) and not np.isfinite(value) else value
        return values


def agreement(rated: Rated) -> Agreement:
    """Hold the judge's scores against the labels; at least two answers must have both."""
    labelled, scored = np.isfinite(rated.label), np.isfinite(rated.score)
    both = labelled & scored
    label, score, level = (part[both] for part in (rated.label, rated.score, rated.level))
    document, error, chars = rated.document[both], score - label, rated.chars[both]
    long = chars > np.median(chars) if both.any() else chars > 0
    widest = max(1.0, float(np.abs(error).max(initial=0.0)))
    corrected, gain = corrected_mean(label, score, rated.score[scored & ~labelled])
    ordered = len({*label, *level}) >= TIES_MIN
    return Agreement(
        labels=int(both.sum()),
        labels_unscored=int((labelled & ~scored).sum()),
        documents=len(set(document.tolist())),
        kappa=kappa_interval(label, level, document),
        weighted_kappa=kappa_interval(label, level, document, ordinal=True) if ordered else None,
        bias=mean_interval(error, document, low=-widest, high=widest),
        bias_short=_mean(error[~long]) if np.isfinite(chars).all() else np.nan,
        bias_long=_mean(error[long]),
        bias_length=jackknife(lambda kept: _mean(error[kept][long[kept]]) - _mean(error[kept][~long[kept]]), document),
        confusion=confusion(label, level),
        answers=int(scored.sum()),
        naive=naive_mean(rated.score[scored]),
        corrected=corrected,
        label_gain=gain,
    )


def naive_mean(score: FloatArray) -> Interval:
    """Return the judge's own mean over two answers or more."""
    return _t_interval(_mean(score), float(np.std(score, ddof=1)) / len(score) ** 0.5, len(score) - 1)


def corrected_mean(label: FloatArray, judged: FloatArray, unlabelled: FloatArray) -> tuple[Interval, float]:
    """Return the mean people would have given, and what the judge's scores gain over the labels alone (PPI++).

    It is cut to the range of all values seen, which a judge with a bias may push it out of.
    """
    found = ppi_mean(label, judged, unlabelled)
    wide = _t_interval(found.estimate, found.se, found.df)
    seen = np.concatenate([label, judged, unlabelled])
    low, mid, high = np.clip([wide.low, wide.estimate, wide.high], seen.min(), seen.max()).tolist()
    return Interval(mid, low, high), found.label_gain


def _t_interval(center: float, se: float, df: float) -> Interval:
    reach = float(special.stdtrit(df, 1 - TAIL)) * se
    return Interval(center, center - reach, center + reach)


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def kappa_interval(label: FloatArray, level: FloatArray, document: TextArray, *, ordinal: bool = False) -> Interval:
    """Return Cohen's kappa, weighted by squares if `ordinal`, with its interval over documents."""
    return jackknife(lambda kept: cohen_kappa(label[kept].tolist(), level[kept].tolist(), ordinal=ordinal), document)


def jackknife(statistic: Callable[[IntArray], float], document: TextArray) -> Interval:
    """Return a statistic of rows (given by their numbers) with its interval, leaving out a document at a time."""
    rows = np.arange(len(document))
    if not len(rows):
        return Interval(np.nan)
    estimate, names = statistic(rows), np.unique(document)
    if len(names) < 2:
        return Interval(estimate)
    without = np.array([statistic(rows[document != name]) for name in names])
    n = len(names)
    se = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    return _t_interval(estimate, se, n - 1)


def mean_interval(values: FloatArray, document: TextArray, *, low: float, high: float) -> Interval:
    """Return the mean of values in [low, high] with its interval over documents, cut at that range."""
    if not len(values):
        return Interval(np.nan)
    middle, spec = (low + high) / 2, MetricSpec(kind="bounded", low=low, high=high, margin=0.0)
    rows = Scores(np.arange(len(values)).astype(str), document, np.zeros(len(values), dtype=np.int64), values)
    found = absolute_effect(rows, spec, limit=middle, side="at_least", alpha=TAIL)
    return Interval(float(values.mean()), max(middle + found.lower, low), min(middle + found.upper, high))


def confusion(label: FloatArray, level: FloatArray) -> dict[str, dict[str, int]]:
    """Return how often people said this and the judge that."""
    levels = sorted({*label.tolist(), *level.tolist()})
    return {
        f"{said:g}": {f"{judged:g}": int(np.sum((label == said) & (level == judged))) for judged in levels}
        for said in sorted(set(label.tolist()))
    }


@dataclass(frozen=True)
class Stability:
    """How far a judge agrees with itself; None where it was not asked twice."""

    flips: Interval | None  # share of pairs whose orders disagree
    first_preferred: Interval | None  # of the clear choices, share of the answer shown first; .5 = no position bias
    self_agreement: Interval | None  # share of pairs of repeats with the same opinion

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON holds them."""
        return {name: value and value.to_json() for name, value in vars(self).items()}


def stability(judgements: Sequence[Judgement]) -> Stability:
    """Measure flips and position bias of pairs, and agreement between repeats."""
    documents = [said.item.document or said.item.question_id for said in judgements]
    orders = [
        (document, one, other)
        for document, said in zip(documents, judgements, strict=True)
        for one, other in said.orders
        if one is not None and other is not None
    ]
    flips = [(document, float(one != other)) for document, one, other in orders]
    shown = [(document, value) for document, one, other in orders for value in (one, 1 - other) if value != 0.5]
    repeated = [
        (document, _same(opinions))
        for document, said in zip(documents, judgements, strict=True)
        if len(opinions := [value for value in said.opinions if value is not None]) > 1
    ]
    return Stability(_share(flips), _share(shown), _share(repeated))


def _same(opinions: Sequence[float]) -> float:
    """Return the share of pairs of opinions that are equal."""
    counts = np.unique(opinions, return_counts=True)[1]
    return float(np.sum(counts * (counts - 1)) / (len(opinions) * (len(opinions) - 1)))


def _share(rows: Sequence[tuple[str, float]]) -> Interval | None:
    if not rows:
        return None
    documents, values = zip(*rows, strict=True)
    return mean_interval(np.array(values), np.array(documents), low=0.0, high=1.0)
