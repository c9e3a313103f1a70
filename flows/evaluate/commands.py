"""Further verb of `llmops evaluate`: measure any target by the metrics and the gate of a release."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.errors import ContractError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from flows.core.project import Project
    from flows.evaluate.targets import Target
    from flows.evaluate.targets_run import Outcome

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 4}
TARGET = """\
Let a target answer the test set, score it by the same metrics as a release, and judge it: by the guardrails of
params.yaml alone, or in pairs against --baseline, which is a target too. A target is one of

  https://host/v1 --model NAME   any OpenAI-compatible endpoint; it gets the bare question and its earlier turns
  module:function                a Python function (question, history) that returns a text or a dict
  answers.jsonl|.csv|.parquet    recorded answers, one row per question_id (or question) and sample
  candidate | production | ID    a release of this project

Nothing below data/ is changed. What a target cannot give is not measured, and said."""
EPILOG = """\
A dict has the key answer and may have refused, contexts, citations, latency_ms, cost_usd, input_tokens, output_tokens,
format_valid, error; files have the same columns, lists as JSON. See flows/evaluate/README.md.
exit codes: 0 pass; 1 fail; 3 inconclusive; 4 invalid, broken data included; 2 wrong usage; others as `llmops --help`"""


def add_to(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "target", help="measure an endpoint, a Python function, recorded answers or a release; nothing is promoted",
        description=TARGET, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    hidden = argparse.SUPPRESS  # the stage's own --max-usd stands before the verb and must not be overwritten
    parser.add_argument("target", metavar="TARGET", help="what is on trial")
    parser.add_argument("--baseline", metavar="TARGET", help="what it must not be worse than")
    parser.add_argument("--model", metavar="NAME", help="model at the endpoint")
    parser.add_argument("--baseline-model", metavar="NAME", help="model at the baseline's endpoint (as --model)")
    parser.add_argument(
        "--system", type=Path, metavar="FILE", help="system prompt for endpoints, sent before questions"
    )
    parser.add_argument("--key-env", metavar="NAME", help="variable with the endpoint's key (default: OPENAI_API_KEY, "
                        "sent only to its own address)")  # fmt: skip
    parser.add_argument("--questions", type=Path, metavar="FILE", help="ask these (.csv, .jsonl, .parquet) instead")
    parser.add_argument("--samples", type=int, metavar="N", help="answers per question (evaluate.candidate_samples)")
    parser.add_argument("--baseline-samples", type=int, metavar="N", help="of the baseline (evaluate.baseline_samples)")
    parser.add_argument("--max-usd", type=float, default=hidden, metavar="USD", help="most each side may spend")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="of one call of a function (60)")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="processes that call a function (4)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write answers, scores and verdict there")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON only")
    parser.set_defaults(handler=target)


def target(options: argparse.Namespace) -> int:
    """Measure and judge; data that cannot be judged are `invalid` and no crash."""
    try:
        outcome = _judged(options)
    except ContractError as error:
        sys.stderr.write(f"invalid: {error}\n")
        if options.json:
            _say(json.dumps({"verdict": "invalid", "metrics": {}}))
        return EXIT_CODES["invalid"]
    if options.out:
        from flows.evaluate.targets_run import write

        write(outcome, options.out)
    for text in [json.dumps(outcome.verdict, indent=2, allow_nan=False)] if options.json else shown(outcome):
        _say(text)
    for note in outcome.verdict["notes"]:
        sys.stderr.write(f"note: {_printable(note)}\n")
    return EXIT_CODES[outcome.verdict["verdict"]]


def _judged(options: argparse.Namespace) -> "Outcome":
    from flows.core.clock import utc_now
    from flows.core.progress import printing
    from flows.core.project import Project
    from flows.evaluate.params import EvaluateParams
    from flows.evaluate.targets_run import judge, measure, samples_of

    _require_whole(options)
    project = Project.open(options.project)
    params = EvaluateParams.load(project)
    questions = _questions(project, options.questions)
    ours = open_target(project, options.target, options, questions, model=options.model)
    theirs = None
    if options.baseline:
        model = options.baseline_model or options.model
        theirs = open_target(project, options.baseline, options, questions, model=model)
    times = options.samples or params.candidate_samples, options.baseline_samples or params.baseline_samples
    sides = [
        measure(side, questions, params, samples=samples_of(side, n), progress=printing())
        for side, n in zip((ours, theirs), times, strict=True)
        if side is not None
    ]
    return judge(sides[0], sides[1] if theirs else None, questions, params, today=utc_now().date())


def open_target(
    project: "Project", spec: str, options: argparse.Namespace, questions: "pd.DataFrame", *, model: str | None
) -> "Target":
    """Return the target that a word of the command line names.

    Raises:
        UsageError: It names none, or lacks what its kind needs.
    """
    from flows.evaluate.targets import parse

    kind, max_usd = parse(spec), getattr(options, "max_usd", None)
    if kind == "endpoint":
        from flows.evaluate.targets_endpoint import Endpoint

        system = _read(options.system) if options.system else ""
        return Endpoint(project, spec, model=model, system=system, key_env=options.key_env, max_usd=max_usd)
    if kind == "function":
        from flows.evaluate.targets_function import Function

        return Function(spec, folder=project.root, timeout_s=options.timeout, workers=options.workers)
    if kind == "recorded":
        from flows.evaluate.targets_recorded import Recorded

        live = questions[~questions["stale"]]
        return Recorded(Path(spec), dict(zip(live["question_id"], live["question"], strict=True)))
    from flows.evaluate.targets_release import Release

    return Release(project, spec, max_usd=max_usd)


def _require_whole(options: argparse.Namespace) -> None:
    for name in ("samples", "baseline_samples", "workers", "timeout"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise UsageError(f"--{name.replace('_', '-')} {value!r} is not above 0. Give a number from 1 on.")


def _read(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"{str(path)!r} does not exist. Give the path of a text file to --system.")
    return path.read_text(encoding="utf-8")


def _questions(project: "Project", path: Path | None) -> "pd.DataFrame":
    if path is not None:
        from flows.evaluate.questionfile import read_questions

        return read_questions(path)
    from flows.core.contracts import QUESTIONS
    from flows.core.tables import read_table

    remedy = "Run `llmops testset`, or give --questions FILE"
    return read_table(project.data("testset", "questions.parquet"), QUESTIONS, remedy=remedy)


def shown(outcome: "Outcome") -> Iterator[str]:
    """Return the lines for people: verdict, paragraph, means, parts, worst questions with the answers."""
    from flows.evaluate.components import words
    from flows.evaluate.gatetext import aligned, number

    verdict = outcome.verdict
    yield f"{verdict['verdict'].upper()}: {verdict['paragraph']}"
    yield ""
    compared, rails = verdict["metrics"] | verdict["informed"], verdict["guardrails"]
    rows = [("metric", "gate", "guardrail", "candidate", "baseline")]
    for name, mean in verdict["means"].items():
        decided = verdict["metrics"].get(name, {}).get("verdict", "informs")
        before = compared.get(name, {}).get("baseline_mean")
        held = rails.get(name, {}).get("verdict", "")
        rows.append((name, decided if compared else "", held, number(mean), number(_nan(before))))
    yield from aligned(rows)
    yield ""
    yield from aligned([("part", "score"), *((part.name, words(part.score)) for part in outcome.components)])
    if outcome.worst:
        yield ""
        yield f"The {len(outcome.worst)} worst questions:"
        yield from _worst(outcome)


def _worst(outcome: "Outcome") -> Iterator[str]:
    sides = {"candidate": outcome.candidate, "baseline": outcome.baseline}
    said = {
        name: dict(zip(side.answers["question_id"], side.answers["answer"], strict=True))
        for name, side in sides.items()
        if side is not None
    }
    for row in outcome.worst:
        yield f"  {row['question_type']:<15} asked      {_line(row['question'])}"
        for name, answers in said.items():
            mean = row[f"{name}_mean"]
            yield f"  {'' if mean is None else format(mean, '.2f'):>15} {name:<10} {_line(answers[row['question_id']])}"


def _line(text: str, chars: int = 160) -> str:
    flat = " ".join(text.split()) or "(nothing)"
    return flat if len(flat) <= chars else f"{flat[:chars]}…"


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _printable(text: str) -> str:
    return "".join(sign if sign == "\n" or sign.isprintable() else " " for sign in text)


def _say(text: str) -> None:
    print(_printable(text))  # noqa: T201 - what a command says goes to standard output
