"""Draw the gate's effects as a forest plot: one line per metric, its interval, zero and its margin.

Metrics have different units, so each line has its own scale around a common zero; what can be
compared between lines is the interval's place relative to zero and to the margin's mark. Plain SVG:
no fonts, scripts or links to load.
"""

from html import escape
from math import isfinite

from flows.evaluate.gatecheck import Comparison
from flows.evaluate.gatetext import size
from flows.stats.effects import MetricSpec
from flows.stats.gate import MetricVerdict

COLOURS = {"pass": "#1a7f37", "fail": "#b42318", "inconclusive": "#8a6100", "invalid": "#57606a"}
WIDTH, ROW, TOP = 860, 34, 46  # pixels
ZERO, REACH = 400, 150  # pixels: where no change lies, and how far a line may go to each side
WIDEST = 1.15  # the largest value of a line lies a little inside its end


def forest(title: str, found: Comparison) -> str:
    """Return the plot as the text of an SVG file."""
    metrics = found.result.metrics
    height = TOP + ROW * max(len(metrics), 1) + 34
    rows = [
        _row(TOP + ROW * i + ROW // 2, name, metric, found.specs[name])
        for i, (name, metric) in enumerate(metrics.items())
    ]
    colour = COLOURS[found.result.verdict]
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}: {found.result.verdict}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15">{escape(title)}: <tspan fill="{colour}" font-weight="bold">'
        f"{found.result.verdict}</tspan></text>",
        f'<line x1="{ZERO}" y1="{TOP}" x2="{ZERO}" y2="{height - 30}" stroke="#57606a"/>',
    ]
    foot = (
        f'<text x="{ZERO - 8}" y="{height - 12}" text-anchor="end" fill="#57606a">worse</text>'
        f'<text x="{ZERO + 8}" y="{height - 12}" fill="#57606a">better</text>'
        f'<text x="12" y="{height - 12}" fill="#57606a">dashed: tolerated loss</text>'
    )
    return "\n".join([*head, *rows, foot, "</svg>"]) + "\n"


def _row(y: int, name: str, metric: MetricVerdict, spec: MetricSpec) -> str:
    effect, colour = metric.effect, COLOURS[metric.verdict]
    parts = [f'<text x="12" y="{y + 4}">{escape(name)}</text>']
    words: str = metric.verdict
    if isfinite(effect.lower):
        scale = REACH / (WIDEST * max(abs(effect.lower), abs(effect.upper), spec.margin, 1e-12))
        low, mid, high = (ZERO + scale * value for value in (effect.lower, effect.center, effect.upper))
        mark = ZERO - scale * spec.margin
        parts += [
            f'<line x1="{mark:.1f}" y1="{y - 11}" x2="{mark:.1f}" y2="{y + 11}" stroke="#b42318" '
            'stroke-dasharray="3 2"/>',
            f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="{mid:.1f}" cy="{y}" r="5" fill="{colour}"/>',
        ]
        words = f"{size(effect.effect, spec)} ({size(effect.lower, spec)} .. {size(effect.upper, spec)})"
    parts.append(f'<text x="{ZERO + REACH + 20}" y="{y + 4}" fill="{colour}">{escape(words)}</text>')
    return "\n".join(parts)
