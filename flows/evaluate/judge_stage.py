"""Judges in an evaluation: ask them about both sides' answers, and add their scores to the others.

Whether a judge applies depends on the question alone, as with every metric; an answer that the model spoilt has the
lowest score without asking. A judge of preferences holds the candidate's answer against production's: production
against itself is 0.5 by definition, and so are equal answers; above 0.5 the candidate is preferred.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.core.contracts import SCORES
from flows.core.files import read_json, write_json
from flows.core.project import Project
from flows.core.tables import check
from flows.evaluate.cases import NO_ANSWER, NO_BASELINE, NOT_APPLICABLE, Case, Scored, Unscored
from flows.evaluate.challenges import applies
from flows.evaluate.judge_agreement import stability
from flows.evaluate.judge_anchors import own_anchors
from flows.evaluate.judge_items import Item, Judgement
from flows.evaluate.judges import PREFERENCE, Judge, load_judges
from flows.evaluate.judging import Judged, judge_items
from flows.evaluate.params import EvaluateParams
from flows.evaluate.scoring import score_row

if TYPE_CHECKING:
    import pandas as pd

    from flows.provider.client import Provider

REMEDY = "Run `llmops evaluate`"


@dataclass(frozen=True)
class Side:
    """One release and its answers."""

    release_id: str
    cases: Sequence[Case]


def judge_sides(project: Project, provider: "Provider", params: EvaluateParams, sides: Sequence[Side]) -> None:
    """Ask every judge about every side and store what they said for the scores.

    Args:
        project: The project.
        provider: Opened for the use case `judge`.
        params: The judges.
        sides: The candidate, then production if there is one.

    Raises:
        ProviderDownError: The provider is away; what was judged is in the cache.
        BudgetError: The money does not suffice; likewise.
    """
    judges = load_judges(project, params, provider.chat_model)
    for side in sides:
        against = sides[1].cases if len(sides) > 1 else ()
        said = [judge_side(project, provider, judge, params, side, sides[0], against) for judge in judges]
        rows = [row for part, _ in said for row in part]
        about = {judge.name: shown for judge, (_, shown) in zip(judges, said, strict=True)}
        write_json(judged_file(project, side.release_id), {"rows": rows, "judges": about})


def judge_side(
    project: Project, provider: "Provider", judge: Judge, params: EvaluateParams, side: Side, candidate: Side,
    against: Sequence[Case],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:  # fmt: skip
    """Return one judge's rows of the table `scores` for one side, and how it did."""
    rivals = _by_question(against if side is candidate else ())
    known = [_without_asking(judge, case, rivals, is_candidate=side is candidate) for case in side.cases]
    asked = [case for case, scored in zip(side.cases, known, strict=True) if scored is None]
    items = [_item(case, _rival(case, rivals)) for case in asked]
    own = own_anchors(project, judge)
    found = judge_items(provider, judge, items, params, own=own, release_id=side.release_id)
    said = iter(found.judgements)
    scores = [_scored(next(said)) if scored is None else scored for scored in known]
    rows = [
        score_row(side.release_id, case, judge.metric, scored) for case, scored in zip(side.cases, scores, strict=True)
    ]
    return rows, _shown(found)


def _without_asking(
    judge: Judge, case: Case, rivals: Mapping[str, Sequence[Case]], *, is_candidate: bool
) -> Scored | None:
    """Return what is known without a judge; None = ask."""
    if not applies(judge.metric, case):
        return Unscored(NOT_APPLICABLE)
    if case.lost:
        return Unscored(NO_ANSWER)
    if not judge.pairwise:
        return None if case.error is None else judge.scale[0]
    if not is_candidate:
        return PREFERENCE["tie"]
    rival = _rival(case, rivals)
    if rival is None:
        return Unscored(NO_BASELINE)
    return PREFERENCE["tie"] if rival.answer == case.answer else None


def _scored(said: Judgement) -> Scored:
    return Unscored(str(said.unscored_reason)) if said.score is None else said.score


def _by_question(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Return the answers that can be held against others, by question."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        if not case.lost:
            found.setdefault(case.question_id, []).append(case)
    return found


def _rival(case: Case, rivals: Mapping[str, Sequence[Case]]) -> Case | None:
    """Return the answer that a case is held against: sample by sample, over again where there are fewer."""
    others = rivals.get(case.question_id)
    return others[case.sample % len(others)] if others else None


def _item(case: Case, rival: Case | None) -> Item:
    return Item(
        case.question_id, case.sample, case.cluster, case.question, case.answer, case.reference,
        rival.answer if rival else "", tuple(passage.text for passage in case.retrieved),
    )  # fmt: skip


def _shown(found: Judged) -> dict[str, Any]:
    return stability(found.judgements).to_json() | {
        "anchors": found.anchors,
        "anchors_right": found.anchors_right,
        "batches": found.batches,
        "batches_failed": found.batches_failed,
    }


def judged_file(project: Project, release_id: str) -> Path:
    """Return where the judges' scores of a release lie between the steps."""
    return project.state("work", "evaluate", f"{release_id}.judged.json")


def forget_judged(project: Project) -> None:
    """Remove what judges said in earlier runs; replies that still hold are in the cache."""
    for path in project.state("work", "evaluate").glob("*.judged.json"):
        path.unlink()


def with_judges(project: Project, release_id: str, scores: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table `scores` with the judges' rows of the same answers behind it, if judges were asked."""
    import pandas as pd

    path = judged_file(project, release_id)
    if not path.exists() or not len(scores):
        return scores
    known = set(zip(scores["question_id"], scores["sample"], strict=True))
    rows = [row for row in read_json(path, remedy=REMEDY)["rows"] if (row["question_id"], row["sample"]) in known]
    return check(pd.concat([scores, pd.DataFrame(rows, columns=list(scores.columns))], ignore_index=True), SCORES)


def shown_of(project: Project, release_id: str) -> dict[str, Any]:
    """Return how the judges did on a release's answers: flips, self-agreement, anchors; empty when none was asked."""
    path = judged_file(project, release_id)
    return dict(read_json(path, remedy=REMEDY)["judges"]) if path.exists() else {}
