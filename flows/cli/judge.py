"""`llmops judge`: models that score answers, and how far people agree with them."""

import argparse
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.cli import output
from flows.core.errors import UsageError
from flows.core.project import Project

DESCRIPTION = """\
A judge is a prompt in data/prompts (output: judge or preference) asked of a model. Its scores inform; they decide a
release only after `calibrate` has held them against people's labels: enough labels, kappa high enough.

  1. llmops judge run ANSWERS.csv --judge correctness --out scored.csv     what does it say?
  2. let people label a sample in a column `label`, on the judge's scale    0, 0.5, 1 (or yes, no, tie)
  3. llmops judge calibrate LABELS.csv --judge correctness                  does it agree with them?
  4. params.yaml: evaluate.judges.correctness, and judge_correctness in evaluate.gated_metrics if it may decide"""
CALIBRATE = """\
LABELS is CSV, JSONL or Parquet, one row per answer: question_id, answer, label; document_id if questions share
documents; what the judge's prompt reads (question, reference_answer, chunks, other_answer) unless question_id and
answer_id name rows of this project. An empty label is unlabelled: the row takes part in the corrected mean.
For a preference, label 1 (or first) = `answer` is better, 0 (or second) = `other_answer`, 0.5 (or tie).

With --scores FILE nothing is asked: FILE holds decisions of any tool's judge as question_id, score (and sample;
score_swapped for the other order of a pair, as the preference for the same answer)."""
RUN = """\
ANSWERS is CSV, JSONL or Parquet, one row per answer: question_id, answer, and what the judge's prompt reads (question,
reference_answer, chunks as text or JSON list, other_answer) unless question_id and answer_id name rows of this
project. The output has the columns that `llmops gate` reads; an empty score has its reason and is never 0."""


def add_to(commands: Any) -> None:
    """Add the command and its verbs."""
    text = "models that score answers: run one over a file, hold it against people's labels, see what it may decide"
    shape = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser("judge", help=text, description=DESCRIPTION, formatter_class=shape)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=type(parser))
    _add_calibrate(verbs, shape)
    run = _asking(verbs, "run", "let a judge score every answer of a file", RUN, shape)
    run.add_argument("file", type=Path, metavar="ANSWERS", help="answers to score")
    run.add_argument("--out", type=Path, metavar="FILE", help="write the scores there: .csv or .jsonl")
    run.set_defaults(handler=run_file)
    listing = verbs.add_parser("list", help="every judge: prompt, model, agreement with people, whether it may decide")
    listing.add_argument("--json", action="store_true", help="print JSON only")
    listing.set_defaults(handler=list_judges)
    show = verbs.add_parser("show", help="one judge: its scale, its prompt and its last calibration")
    show.add_argument("judge", metavar="NAME", help="name in evaluate.judges, or a prompt's")
    show.add_argument("--json", action="store_true", help="print JSON only")
    show.set_defaults(handler=show_judge)


def _add_calibrate(verbs: Any, shape: Any) -> None:
    parser = _asking(verbs, "calibrate", "hold a judge against labels by people", CALIBRATE, shape)
    parser.add_argument("file", type=Path, metavar="LABELS", help="answers with people's labels")
    parser.add_argument("--scores", type=Path, metavar="FILE", help="recorded decisions; no model is asked")
    parser.add_argument("--cut", type=float, metavar="X", help="read labels and scores as good (X or more) or not")
    parser.set_defaults(handler=calibrate)


def _asking(verbs: Any, name: str, text: str, description: str, shape: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=f"{text.capitalize()}.\n\n{description}", formatter_class=shape
    )
    parser.add_argument("--judge", required=True, metavar="NAME", help="name in evaluate.judges, or a prompt's")
    parser.add_argument("--model", metavar="NAME", help="ask this model instead")
    parser.add_argument("--repeats", type=int, metavar="N", help="ask so often about each answer instead")
    parser.add_argument("--max-usd", type=float, metavar="USD", help="most this run may spend")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser


def calibrate(options: argparse.Namespace) -> int:
    """Calibrate, store the record, and print what it showed."""
    from flows.core.progress import printing
    from flows.evaluate import judge_calibrate
    from flows.evaluate.judge_records import write_calibration
    from flows.evaluate.judge_text import calibration_lines

    project = Project.open(options.project)
    if options.scores:
        found = judge_calibrate.calibrate_recorded(
            project, options.file, options.scores, file_name(options.judge), cut=options.cut
        )
    elif options.cut is not None:
        raise UsageError("--cut is for recorded decisions (--scores); a judge of ours scores on its own scale.")
    else:
        found = judge_calibrate.calibrate(project, options.file, _how(options), progress=printing())
    path = write_calibration(project, found.record)
    if options.json:
        output.line(json.dumps(summary(found), indent=2, allow_nan=False))
        return 0
    for text in calibration_lines(found):
        output.line(text)
    for text in found.notes:
        output.note(text)
    output.line(f"Written to {project.relative(path)}; `llmops evaluate` reads it.")
    return 0


def file_name(judge: str) -> str:
    """Return a recorded judge's name if it can name a file.

    Raises:
        UsageError: It cannot.
    """
    import re

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", judge):
        raise UsageError(f"--judge {judge!r} cannot name a file. Use letters, digits, '_', '-' and '.'.")
    return judge


def summary(found: Any) -> dict[str, Any]:
    """Return a calibration as JSON: the decision, then all that was measured."""
    record = found.record
    return {
        "judge": record.judge,
        "may_gate": found.trust.may_gate,
        "why": found.trust.why,
        "calibration_id": record.calibration_id,
        "identity": dict(record.identity),
        "anchors": record.anchors,
        "anchors_right": record.anchors_right,
        **record.agreement,
        **record.stability,
        "cost_usd": found.cost_usd,
        "calls": found.calls,
        "notes": list(found.notes),
    }


def run_file(options: argparse.Namespace) -> int:
    """Score a file and write or print the scores."""
    from flows.core.progress import printing
    from flows.evaluate.judge_agreement import stability
    from flows.evaluate.judge_calibrate import ask_file
    from flows.evaluate.judge_text import rows_of, run_lines

    if options.out and options.out.suffix not in WRITERS:
        raise UsageError(f"--out {options.out.name!r} ends neither in .csv nor in .jsonl.")
    project = Project.open(options.project)
    asked = ask_file(project, options.file, _how(options), strict=True, progress=printing())
    found = asked.judged
    rows, stable = rows_of(found), stability(found.judgements)
    if options.out:
        from flows.core.files import write_text

        write_text(options.out, WRITERS[options.out.suffix](rows))
    if options.json:
        said = {"judge": found.judge.name, "identity": found.judge.identity, "scores": rows}
        anchors = {"anchors": found.anchors, "anchors_right": found.anchors_right}
        spent = {"cost_usd": asked.cost_usd, "calls": asked.calls}
        output.line(json.dumps(said | anchors | stable.to_json() | spent, indent=2))
        return 0
    for text in run_lines(found, stable):
        output.line(text)
    if not options.out:
        output.line("Give --out FILE.csv for the score and the reason of each answer.")
    return 0


def _how(options: argparse.Namespace) -> Any:
    from flows.evaluate.judge_calibrate import Asking

    if options.repeats is not None and not 1 <= options.repeats <= 20:
        raise UsageError(f"--repeats {options.repeats!r} is not between 1 and 20.")
    return Asking(options.judge, options.model, options.repeats, options.max_usd)


def _csv(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


WRITERS = {".csv": _csv, ".jsonl": _jsonl}


def list_judges(options: argparse.Namespace) -> int:
    """Print every judge of params.yaml and every prompt that could be one."""
    from flows.evaluate.judge_status import statuses

    found = statuses(Project.open(options.project))
    if options.json:
        output.line(json.dumps([one.to_json() for one in found], indent=2))
        return 0
    output.table([(one.name, one.sentence()) for one in found])
    if not found:
        output.line("No judge: add a prompt with `output: judge` to data/prompts.")
    return 0


def show_judge(options: argparse.Namespace) -> int:
    """Print one judge with its prompt and its calibration."""
    from flows.evaluate.judge_status import status_of

    found = status_of(Project.open(options.project), options.judge)
    if options.json:
        output.line(json.dumps(found.to_json(), indent=2))
        return 0
    output.line(f"{found.name}: {found.sentence()}")
    output.line(f"scale {', '.join(f'{step:g}' for step in found.judge.scale)}; {found.judge.prompt.path}")
    if found.trust.record:
        output.line(f"calibrated on {found.trust.record.calibrated_on}: {_known(found.trust.record.agreement)}")
    output.line("")
    output.line(found.judge.prompt.text)
    return 0


def _known(agreement: Mapping[str, Any]) -> str:
    kappa, bias = agreement["kappa"]["estimate"], agreement["bias"]["estimate"]
    shown = "undefined" if kappa is None else f"{round(kappa, 2) + 0.0:.2f}"  # no -0.00
    return f"kappa {shown} on {agreement['labels']} labels, bias {bias:+.2f}"
