"""Draw the report's pictures as inline SVG: the same numbers give the same bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

INK, SOFT, BAND = "#1d2733", "#8a96a3", "#c9dcf2"
TONE = {"pass": "#1c7c54", "fail": "#b3261e", "inconclusive": "#9a6700", "invalid": "#b3261e"}
WIDTH_IN = 9.0


class Bar(NamedTuple):
    """One line of a forest plot: a value with its one-sided bounds, on the scale of the plot."""

    label: str
    center: float
    lower: float
    upper: float
    verdict: str


def _figure(height_in: float, rows: int = 1) -> "tuple[Figure, Any]":
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "llmops"  # ids in the SVG depend on it
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: small, searchable, readable aloud
    drawing = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = drawing.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=INK, labelsize=8)
    return drawing, axes


def _svg(drawing: "Figure") -> str:
    buffer = io.StringIO()
    drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def forest(bars: Sequence[Bar], *, scale: str, tolerated: float) -> str:
    """Return values with their bounds under each other; right is better.

    Args:
        bars: The lines, first on top.
        scale: What the axis shows, in words.
        tolerated: Where the dashed line stands; what lies left of it is not tolerated.
    """
    drawing, (axis,) = _figure(0.7 + 0.32 * len(bars))
    for row, bar in enumerate(reversed(bars)):
        color = TONE.get(bar.verdict, SOFT)
        axis.plot([bar.lower, bar.upper], [row, row], color=color, linewidth=2)
        axis.plot(bar.center, row, "o", color=color, markersize=5)
    axis.axvline(0, color=SOFT, linewidth=0.8)
    axis.axvline(tolerated, color=TONE["fail"], linewidth=0.8, linestyle="--")
    axis.set_ylim(-0.6, len(bars) - 0.4)
    axis.set_yticks(range(len(bars)), [bar.label for bar in reversed(bars)])
    axis.set_xlabel(scale, fontsize=8)
    return _svg(drawing)


def channels(frame: "pd.DataFrame") -> str:
    """Return the daily channels under each other, with the days on which an alarm was raised."""
    names = list(dict.fromkeys(frame["channel"]))
    drawing, axes = _figure(1.1 * len(names) + 0.3, rows=len(names))
    for axis, name in zip(axes, names, strict=True):
        rows = frame[frame["channel"] == name]
        axis.plot(rows["ds"], rows["mean"], color=INK, linewidth=1)
        for day in rows.loc[rows["alarm"], "ds"]:
            axis.axvline(day, color=TONE["fail"], linewidth=1.2)
        axis.set_ylabel(name.replace("_", "\n", 1), fontsize=8, rotation=0, ha="right", va="center")
        axis.set_ylim(bottom=0)
    return _svg(drawing)


def forecast(history: "pd.DataFrame", future: "pd.DataFrame") -> str:
    """Return daily cost so far and ahead.

    Args:
        history: Columns ds, cost_usd; one row per UTC day.
        future: Columns ds, level, cost_usd, lower_usd, upper_usd; one row per day and level.
    """
    drawing, (axis,) = _figure(2.8)
    axis.plot(history["ds"], history["cost_usd"], color=INK, linewidth=1, label="actual")
    for level, alpha in ((95, 0.45), (80, 0.9)):
        rows = future[future["level"] == level]
        label = f"{level} % interval"
        axis.fill_between(rows["ds"], rows["lower_usd"], rows["upper_usd"], color=BAND, alpha=alpha, lw=0, label=label)
    axis.plot(rows["ds"], rows["cost_usd"], color="#0b5cad", linewidth=1.4, label="forecast")
    axis.set_ylim(bottom=0)
    axis.set_ylabel("USD a day", fontsize=8)
    axis.legend(fontsize=8, frameon=False, loc="upper left", ncols=4)
    return _svg(drawing)


def against(days: "Sequence[Mapping[str, Any]]") -> str:
    """Return daily cost as forecast and as it came true.

    Args:
        days: `ds`, `forecast` and `actual` in USD, one per UTC day.
    """
    import pandas as pd

    drawing, (axis,) = _figure(2.2)
    when = pd.to_datetime([day["ds"] for day in days])
    axis.plot(when, [day["actual"] for day in days], color=INK, linewidth=1, label="came true")
    axis.plot(when, [day["forecast"] for day in days], color="#0b5cad", linewidth=1.4, label="forecast")
    axis.set_ylim(bottom=0)
    axis.set_ylabel("USD a day", fontsize=8)
    axis.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)
    return _svg(drawing)
