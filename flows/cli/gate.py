"""`llmops gate`: the gate as a tool of its own, for the scores of any evaluator.

Exit codes: 0 pass, 1 fail, 3 inconclusive, 4 invalid (broken data included), 2 wrong usage or config.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flows.cli import output
from flows.core.errors import ContractError, UsageError

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 4}
NO_ANSWER: dict[str, Any] = {"verdict": "invalid", "metrics": {}}
DESCRIPTION = """\
Compare two releases' scores in pairs and decide: pass (shown not to be worse than tolerated), fail (shown to be
worse), inconclusive, or invalid. Files are CSV, JSONL or Parquet with the columns question_id, document_id,
sample, metric, score; an empty score is missing. Without --config every metric is read as bounded in 0..1."""
EPILOG = "exit codes: 0 pass; 1 fail; 3 inconclusive; 4 invalid, broken data included; 2 wrong usage or gate.yaml"


def add_to(commands: Any) -> None:
    """Add the command and its verbs."""
    text = "judge any evaluator's scores: pass, fail, inconclusive or invalid; plan, simulate, follow nights"
    shape = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser("gate", help=text, description=DESCRIPTION, epilog=EPILOG, formatter_class=shape)
    _files(parser, default=None)
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="write the forest plot")
    parser.add_argument("--worst", type=_count, default=10, metavar="N", help="questions shown that lost most (10)")
    parser.set_defaults(handler=_guarded(judge))
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=False, parser_class=type(parser))
    _add_plan(verbs)
    _add_nights(verbs)
    _add_simulate(verbs)


def _files(parser: argparse.ArgumentParser, *, default: Any = argparse.SUPPRESS) -> None:
    parser.add_argument("--baseline", type=Path, default=default, metavar="FILE", help="scores of what is in use")
    parser.add_argument("--candidate", type=Path, default=default, metavar="FILE", help="scores of what is on trial")
    parser.add_argument(
        "--look", type=int, choices=(1, 2, 3, 4), default=default,
        help="the files hold the first 25, 50, 75, 100 %% of the documents in random order",
    )  # fmt: skip
    _config(parser, default=default)


def _config(parser: argparse.ArgumentParser, *, default: Any = argparse.SUPPRESS) -> None:
    parser.add_argument("--config", type=Path, default=default, metavar="gate.yaml", help="metrics, margins, alpha")
    parser.add_argument("--json", action="store_true", default=default or False, help="print JSON only")


def _add_plan(verbs: Any) -> None:
    text = "say what a test set of a size can find; with two files, what would decide them and what it costs"
    parser = verbs.add_parser("plan", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("--questions", type=_count, metavar="N", help="questions asked of both releases")
    parser.add_argument("--documents", type=_count, metavar="N", help="what they are about (default: one each)")
    parser.add_argument(
        "--sd", type=_amount, help="of a question's paired difference: .15 steady, .3 flaky, .45 judged"
    )
    parser.add_argument("--range", type=_amount, default=1.0, help="highest minus lowest score (1)")
    parser.add_argument("--margin", type=_amount, default=0.05, help="tolerated loss (0.05)")
    parser.add_argument("--alpha", type=float, help="one-sided error of each bound (0.05)")
    parser.add_argument("--power", type=float, default=0.8, help="chance wanted (0.8)")
    parser.add_argument("--baseline-samples", type=_count, default=4, metavar="K", help="answers per question (4)")
    parser.add_argument("--usd-per-call", type=_amount, metavar="USD", help="price of one answer")
    parser.add_argument("--max-usd", type=_amount, metavar="USD", help="what may be spent on deciding")
    _files(parser)
    parser.set_defaults(handler=_guarded(plan))


def _add_nights(verbs: Any) -> None:
    text = "follow a release night after night against its frozen baseline (night -1)"
    parser = verbs.add_parser("nights", help=text, description=f"{text.capitalize()}. Exit 1: the newest night alarms.")
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="scores with the column night")
    parser.add_argument("--days", type=_count, default=365, help="nights per false alarm, all metrics together (365)")
    _config(parser)
    parser.set_defaults(handler=_guarded(nights))


def _add_simulate(verbs: Any) -> None:
    text = "re-simulate the gate on your own rows: how often it passes or fails a release that lost so much"
    parser = verbs.add_parser("simulate", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("--runs", type=_count, default=400, help="simulated worlds (400)")
    parser.add_argument("--seed", type=int, default=20261101, help="same seed, same numbers")
    parser.add_argument("--broken-share", type=float, default=0.4, help="documents in which a loss sits (0.4)")
    _files(parser)
    parser.set_defaults(handler=_guarded(simulate))


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _amount(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return number


def _guarded(handler: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return the handler; data that cannot be judged is `invalid` and no crash."""

    def run(options: argparse.Namespace) -> int:
        try:
            return handler(options)
        except ContractError as error:
            sys.stderr.write(f"invalid: {error}\n")
            if options.json:
                output.line(json.dumps(NO_ANSWER))
            return EXIT_CODES["invalid"]

    return run


def judge(options: argparse.Namespace) -> int:
    """Judge the candidate."""
    from flows.evaluate import gatecheck, gateconfig, gatefile

    config = gateconfig.read_config(options.config)
    baseline, candidate = (gatefile.read_scores(path) for path in _both(options))
    found = gatecheck.compare(baseline, candidate, config, look=options.look)
    if options.plot and options.plot.suffix.lower() != ".svg":
        raise UsageError(f"--plot {options.plot.name!r} does not end in .svg, and nothing else is drawn.")
    if options.plot:
        from flows.core.files import write_text
        from flows.evaluate.forest import forest

        write_text(options.plot, forest(f"{candidate.name} against {baseline.name}", found))
    _say(options, found.result.to_json(), found.notes, lambda: _judged(options, baseline, candidate, found))
    return EXIT_CODES[found.result.verdict]


def _judged(options: argparse.Namespace, baseline: Any, candidate: Any, found: Any) -> Iterable[str]:
    from flows.evaluate import gatecheck, gatetext

    yield gatetext.paragraph((baseline.name, candidate.name), found)
    yield ""
    yield from gatetext.table(found)
    lost = gatecheck.lost_questions(baseline, candidate, found, options.worst)
    if lost:
        yield ""
        yield f"The {len(lost)} questions that lost most:"
        yield from gatetext.worst_table(lost, baseline.texts, candidate.texts)
    if found.result.verdict == "inconclusive" and not options.look:
        yield ""
        yield "What would decide it: llmops gate plan --baseline … --candidate … [--usd-per-call USD] [--max-usd USD]"


def plan(options: argparse.Namespace) -> int:
    """Plan a test set, or what would decide two files."""
    if options.baseline or options.candidate:
        return _plan_more(options)
    if options.questions is None or options.sd is None:
        raise UsageError("give --questions N --sd S to plan a test set, or --baseline and --candidate to decide them.")
    from flows.evaluate import gateconfig, gateplan
    from flows.stats.planning import Design

    alpha = options.alpha or gateconfig.read_config(options.config).alpha
    _require_share("--alpha", alpha, 0.5)
    _require_share("--power", options.power, 1.0)
    documents = options.documents or options.questions
    design = Design(options.questions, documents, options.sd, score_range=options.range)
    terms = {"margin": options.margin, "alpha": alpha, "power": options.power}
    shown = gateplan.sentence(
        design, baseline_samples=options.baseline_samples, usd_per_call=options.usd_per_call, **terms
    )
    _say(options, gateplan.plan(design, **terms), (), lambda: [shown])
    return 0


def _plan_more(options: argparse.Namespace) -> int:
    from flows.evaluate import gatecheck, gateconfig, gatefile, gateplan
    from flows.evaluate.evidence import Terms

    config = gateconfig.read_config(options.config)
    baseline, candidate = (gatefile.read_scores(path) for path in _both(options))
    found = gatecheck.compare(baseline, candidate, config, look=options.look)
    sides = (gatecheck.checked_scores(side, found.specs, config) for side in (baseline, candidate))
    known = gateplan.undecided(found.result.metrics, found.specs, *sides)
    terms = Terms(config.alpha, options.power, options.usd_per_call, options.max_usd, len(found.specs))
    bought = gateplan.offer(known, terms, look=options.look)
    _say(options, {"verdict": found.result.verdict} | bought.to_json(), found.notes, lambda: [bought.sentence()])
    return 0


def nights(options: argparse.Namespace) -> int:
    """Follow the nights."""
    from flows.evaluate import gateconfig, gatefile, gatetext
    from flows.evaluate.nights import alarmed, follow_nights
    from flows.stats.ecusum import AlarmPolicy

    config = gateconfig.read_config(options.config)
    file = gatefile.read_scores(options.input, with_night=True)
    policy = AlarmPolicy(days_per_false_alarm=options.days)
    found, notes = follow_nights(file, config, policy)
    answer = {"metrics": {series.metric: series.to_json() for series in found}}
    _say(options, answer, notes, lambda: gatetext.nights_table(found, policy))
    return 1 if alarmed(found) else 0


def simulate(options: argparse.Namespace) -> int:
    """Simulate the operating curve."""
    from flows.evaluate import gatecheck, gateconfig, gatefile, gatetext
    from flows.evaluate.operating import Worlds
    from flows.evaluate.operating import simulate as draw

    if not options.baseline:
        raise UsageError("give --baseline FILE, the scores to simulate from.")
    _require_share("--broken-share", options.broken_share, 1.0)
    config = gateconfig.read_config(options.config)
    file = gatefile.read_scores(options.baseline)
    specs = config.specs(file.metrics)
    how = Worlds(options.runs, options.seed, options.broken_share)
    found = draw(gatecheck.checked_scores(file, specs, config), specs, config.policy, how)
    notes = gatetext.simulation_notes(found)
    _say(options, found.to_json(), notes, lambda: gatetext.curves_table(found, specs, how))
    return 0


def _both(options: argparse.Namespace) -> tuple[Path, Path]:
    if not (options.baseline and options.candidate):
        raise UsageError("give --baseline FILE and --candidate FILE, or a verb: plan, nights, simulate.")
    return options.baseline, options.candidate


def _require_share(name: str, value: float, below: float) -> None:
    if not 0 < value <= below or (value == below and name != "--broken-share"):
        raise UsageError(f"{name} {value!r} is not between 0 and {below:g}. Give a share such as 0.05.")


def _say(options: argparse.Namespace, answer: Any, notes: Iterable[str], lines: Callable[[], Iterable[str]]) -> None:
    """Print JSON and nothing else, or the lines for people; notes go to standard error either way."""
    for text in [json.dumps(answer, indent=2, allow_nan=False)] if options.json else lines():
        output.line(text)
    for note in notes:
        output.note(note)
