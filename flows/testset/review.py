"""Let people check a sample of the questions, each blind to the other, and say how far they agree.

Everybody labels the same sample, chosen by seed, in an order of their own, and sees neither the
labels of others nor how a question was made. Agreement is Cohen's kappa (1960): what is left of it
beyond chance. A question that two or more people call good, and nobody calls poor, is reviewed; one
that two or more call poor, and nobody good, is not asked any more; the rest they must talk about.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.challenges import CHALLENGE
from flows.core.errors import IntegrityError
from flows.core.files import write_text
from flows.core.ids import content_id, sha256
from flows.core.locks import writer_lock
from flows.core.project import Project
from flows.stats.judges import cohen_kappa
from flows.testset.build import table_of
from flows.testset.follow import POOR, Existing, existing_of

if TYPE_CHECKING:
    import pandas as pd

GOOD = "good"
LABELS = {"g": GOOD, "w": "wrong answer", "n": "not supported by the text", "u": "unclear question"}
ASK = "[g]ood, [w]rong answer, [n]ot supported by the text, [u]nclear question, [q]uit: "
TWO = 2  # people who must agree


@dataclass(frozen=True)
class Label:
    """What one person said about one question, as it was worded then."""

    question_id: str
    words: str  # hash of question and reference answer
    reviewer: str
    label: str


@dataclass(frozen=True)
class Agreement:
    """How two people's labels of the same questions compare."""

    first: str
    second: str
    questions: int
    same: int
    kappa: float  # NaN when both used one label only

    def __str__(self) -> str:
        """One line for a person."""
        kappa = "undefined, one label only" if isnan(self.kappa) else f"{self.kappa:.2f}"
        return f"{self.first} and {self.second}: {self.same} of {self.questions} labels equal, kappa {kappa}"


def labels_file(project: Project) -> Path:
    """Return where labels are kept: beside the questions, one JSON object per line."""
    return project.data("testset", "reviews.jsonl")


def read_labels(path: Path) -> list[Label]:
    """Return all labels, oldest first; none before the first review.

    Raises:
        IntegrityError: A line is not a label.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Label(**json.loads(line)))
        except (ValueError, TypeError):
            raise IntegrityError(f"{str(path)!r} line {number} is no label. Restore the file or delete it.") from None
    return found


def add_label(project: Project, label: Label) -> None:
    """Add a label to the file, whole or not at all."""
    path = labels_file(project)
    with writer_lock(project.state("locks", "review.lock"), what="the file of reviews", wait=True):
        lines = [json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in [*read_labels(path), label]]
        write_text(path, "".join(lines))


def words_of(row: Mapping[Any, Any]) -> str:
    """Return the hash of what a person judges."""
    return content_id(row["question"], row["reference_answer"])


def current(labels: Iterable[Label], table: "pd.DataFrame") -> dict[str, dict[str, str]]:
    """Return question id -> reviewer -> newest label, for questions still worded as they were."""
    worded = {row["question_id"]: words_of(row) for row in table.to_dict("records")}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for item in labels:
        if worded.get(item.question_id) == item.words:
            found[item.question_id][item.reviewer] = item.label
    return dict(found)


def to_label(
    table: "pd.DataFrame", labels: Sequence[Label], *, reviewer: str, size: int, seed: int, again: bool = False
) -> list[Any]:
    """Return the rows of the sample that a person has not labelled yet, in that person's order.

    With `again` those that people disagree about are returned instead, for a label after the talk.
    """
    said = current(labels, table)
    if again:
        return table[table["question_id"].isin(disputed(said))].to_dict("records")
    ordinary = table[table["question_type"] != CHALLENGE]  # hostile by intent: nobody can call them good or poor
    live = ordinary[~ordinary["stale"] | ordinary["question_id"].isin(said)].to_dict("records")
    sample = sorted(live, key=lambda row: sha256(f"review:{seed}:{row['question_id']}"))[:size]
    mine = [row for row in sample if reviewer not in said.get(row["question_id"], {})]
    return sorted(mine, key=lambda row: sha256(f"{reviewer}:{row['question_id']}"))


def agreements(said: Mapping[str, Mapping[str, str]]) -> list[Agreement]:
    """Compare every two people on the questions that both labelled."""
    people = sorted({name for labels in said.values() for name in labels})
    found = []
    for one, two in combinations(people, 2):
        pairs = [(labels[one], labels[two]) for labels in said.values() if one in labels and two in labels]
        if pairs:
            first, second = [a for a, _ in pairs], [b for _, b in pairs]
            same = sum(a == b for a, b in pairs)
            found.append(Agreement(one, two, len(pairs), same, cohen_kappa(first, second)))
    return found


def settled(stored: "pd.DataFrame", said: Mapping[str, Mapping[str, str]]) -> "pd.DataFrame":
    """Return the questions with what two or more people agree on."""
    rows = [existing_of(row) for row in stored.to_dict("records")]
    return table_of([_settled(item, said.get(item.question_id, {})) for item in rows])


def _settled(item: Existing, said: Mapping[str, str]) -> Existing:
    good = sum(label == GOOD for label in said.values())
    if len(said) < TWO or 0 < good < len(said) or item.draft.method.endswith(f":{POOR}"):
        return item
    people = ", ".join(sorted(said))
    if good:
        return replace(item, reviewed_by=item.reviewed_by or people)
    refused = replace(item.draft, method=f"{item.draft.method}:{POOR}")
    return replace(item, draft=refused, reviewed_by=item.reviewed_by or people)


def disputed(said: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the questions that some call good and others poor."""
    return sorted(name for name, labels in said.items() if len({label == GOOD for label in labels.values()}) > 1)


def session(rows: Sequence[Any], *, read: Callable[[], str], say: Callable[[str], None]) -> Iterable[tuple[Any, str]]:
    """Show one question after the other and yield it with its label, until the end of rows or input."""
    for number, row in enumerate(rows, start=1):
        say(f"\n{number} of {len(rows)}\nQuestion:  {row['question']}")
        say(f"Reference: {row['reference_answer'] or '(none: the documents do not answer this)'}")
        for span in json.loads(row["reference_spans"]):
            say(f"Text:      {span.get('quote', '')}")
        label = _answer(read, say)
        if label is None:
            return
        yield row, label


def _answer(read: Callable[[], str], say: Callable[[str], None]) -> str | None:
    """Ask until a known letter comes; None = quit, or no more input."""
    while True:
        say(ASK)
        line = read()
        letter = line.strip().lower()[:1]
        if not line or letter == "q":
            return None
        if letter in LABELS:
            return LABELS[letter]
