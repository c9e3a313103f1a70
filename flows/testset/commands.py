"""Further verbs of `llmops testset`: status, export, import, review."""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from flows.core import versions
from flows.core.challenges import CHALLENGE
from flows.core.errors import ContractError, InputError, UsageError, first_three
from flows.core.project import Project
from flows.testset import review, stage
from flows.testset.adapters import Collection, entries_of, rows_of
from flows.testset.entries import Entry, Format, entry_of, recognised, record_of
from flows.testset.follow import MARKS, Existing, is_marked
from flows.testset.imports import Library, merge, problems, taken_in
from flows.testset.params import TestsetParams
from flows.testset.records import read_records, refuse, write_records
from flows.testset.splits import Split
from flows.testset.status import status

if TYPE_CHECKING:
    import pandas as pd

FORMATS = get_args(Format)
COLLECTIONS = get_args(Collection)
OWN: tuple[Format, ...] = ("csv", "jsonl")


def add_to(verbs: Any) -> None:
    """Add the verbs."""
    _add(verbs, "status", "say what the next run would do with the stored questions", show_status)
    out = _add(verbs, "export", "write the questions for people or for another tool", export)
    out.add_argument("file", metavar="FILE")
    out.add_argument("--format", choices=FORMATS, help="csv and jsonl are complete (default: by the file's name)")
    out.add_argument("--split", choices=get_args(Split), default="gate", help="the other side is for training only")
    into = _add(verbs, "import", "take questions from a CSV or JSONL file into the test set", import_)
    into.add_argument("file", metavar="FILE")
    into.add_argument(
        "--format", choices=("auto", *FORMATS, *COLLECTIONS), default="auto",
        help="refuse another one (default: by its fields); "
        f"{', '.join(COLLECTIONS)} are public collections, whose rows become challenges",
    )  # fmt: skip
    into.add_argument(
        "--limit",
        type=int,
        default=50,
        metavar="N",
        help="most challenges taken from a collection (default: %(default)s)",
    )
    into.add_argument("--reviewed-by", metavar="NAME", help="who vouches for the rows; such rows are never changed")
    people = _add(verbs, "review", "label a sample of the questions, blind to the labels of others", review_)
    people.add_argument("--as", dest="reviewer", required=True, metavar="NAME", help="who you are; stored with labels")
    people.add_argument("--again", action="store_true", help="label anew what people disagree about")


def _add(verbs: Any, name: str, text: str, handler: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(handler=handler)
    return parser


def show_status(options: argparse.Namespace) -> int:
    """Print how the stored questions stand to the documents."""
    _say(str(status(options.project)))
    return 0


def export(options: argparse.Namespace) -> int:
    """Write the stored questions; other tools get only those that hold."""
    path = Path(options.file)
    named: Format = "csv" if path.suffix.lower() == ".csv" else "jsonl"
    to: Format = options.format or named
    if named == "csv" and to != "csv":
        raise UsageError(f"{to} is written as JSON lines, and {path.name!r} is named as CSV. Name the file .jsonl.")
    project = Project.open(options.project)
    table = stage.stored_questions(project) if options.split == "gate" else stage.training_questions(project)
    if table.empty:
        raise InputError("there are no questions to export. Run `llmops testset`.")
    chosen = table if to in OWN else table[~table["stale"] & (table["question_type"] != CHALLENGE)]
    rows = chosen.astype(object).where(chosen.notna(), None).to_dict("records")
    write_records(path, [record_of({str(name): row[name] for name in row}, to) for row in rows], as_csv=to == "csv")
    _say(f"{len(rows)} questions written to {str(path)!r} as {to}")
    return 0


def import_(options: argparse.Namespace) -> int:
    """Check the file, merge it with the stored questions, and bring the test set up to date."""
    path = Path(options.file)
    notes: list[str] = []
    entries = _collected(options, path, notes) if options.format in COLLECTIONS else _entries(options, path)
    refuse(path, problems(entries))
    words_min = TestsetParams.load(Project.open(options.project)).anchor_words_min

    def change(documents: "pd.DataFrame", stored: "pd.DataFrame") -> "pd.DataFrame":
        library = Library.of(documents, words_min)
        found = taken_in(entries, library, file_name=path.name, reviewer=options.reviewed_by)
        merged, held = merge(stored, found)
        notes.extend(_notes(path, entries, found, held))
        return merged

    record = stage.run(options.project, change=change)
    versions.record(options.project, "testset")
    for note in notes:
        _say(note)
    _say(record.summary)
    return 0


def _entries(options: argparse.Namespace, path: Path) -> list[Entry]:
    records = read_records(path)
    refuse(path, [(line, f"is not {options.format}") for line, one in records if options.format not in recognised(one)])
    return [entry_of(record, line) for line, record in records]


def _collected(options: argparse.Namespace, path: Path, notes: list[str]) -> list[Entry]:
    """Read a public collection of challenges."""
    if options.limit < 1:
        raise UsageError(f"--limit is {options.limit}. Give a number from 1 on.")
    stored = stage.stored_questions(Project.open(options.project))
    simple = stored[(stored["question_type"] == "simple") & ~stored["stale"]].sort_values("question_id")
    entries, left = entries_of(rows_of(path), options.format, asked=list(simple["question"]), limit=options.limit)
    if not entries:
        raise ContractError(f"{str(path)!r} gives no challenge as {options.format!r}. Is it another collection?")
    if left:
        notes.append(f"{left} rows left out: nothing follows from them, or they are beyond --limit {options.limit}")
    return entries


def review_(options: argparse.Namespace) -> int:
    """Label what is left of the sample, show the agreement, and settle what two people agree on."""
    project = Project.open(options.project)
    params = TestsetParams.load(project)
    table = stage.stored_questions(project)
    if table.empty:
        raise InputError("there are no questions to review. Run `llmops testset`.")
    path, name = review.labels_file(project), options.reviewer.strip()
    if not name:
        raise UsageError("--as is blank. Give your name, so that two people can be told apart.")
    rows = review.to_label(
        table, review.read_labels(path), reviewer=name, size=params.review_questions, seed=params.seed,
        again=options.again,
    )  # fmt: skip
    done = 0
    for row, label in review.session(rows, read=sys.stdin.readline, say=_say):
        review.add_label(project, review.Label(row["question_id"], review.words_of(row), name, label))
        done += 1
    _say(f"\n{done} labelled now, {len(rows) - done} left; the same command goes on where you stopped")
    _agreement(options.project, review.current(review.read_labels(path), table))
    return 0


def _agreement(project: str, said: Mapping[str, Mapping[str, str]]) -> None:
    compared = review.agreements(said)
    for pair in compared:
        _say(str(pair))
    if not compared:
        _say("no second person has labelled these questions yet")
        return
    if open_ones := review.disputed(said):
        _say(f"{len(open_ones)} to talk about (--again labels them anew): {first_three(open_ones)}")
    stage.run(project, change=lambda _, stored: review.settled(stored, said))
    versions.record(project, "testset")


def _notes(path: Path, entries: Sequence[Entry], found: Sequence[Existing], held: int) -> list[str]:
    """Say what a person should know about the import, each only when it happened."""
    marks = Counter(item.draft.method.rsplit(":", 1)[-1] for item in found if is_marked(item.draft.method))
    unplaced = sum(not item.draft.spans and bool(item.draft.answer) for item in found)
    said = {
        f"{len(found) - held} questions taken from {path.name!r}": True,
        f"{held} left out: a reviewed question of the set has their id or words": held,
        f"{len(entries) - len(found)} left out: questions for training are never asked": len(entries) - len(found),
        f"{unplaced} without a place in the documents: retrieval is not scored for them": unplaced,
        **{f"{marks[mark]} not asked until repaired: {MARKS[mark]}": marks[mark] for mark in MARKS},
    }
    return [text for text, happened in said.items() if happened]


def _say(text: str) -> None:
    shown = "".join(sign if sign == "\n" or sign.isprintable() else " " for sign in text)
    print(shown)  # noqa: T201 - what a command says goes to standard output
