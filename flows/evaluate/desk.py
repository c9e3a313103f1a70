"""What the looks of an evaluation need from a project: ask both sides, judge a look, price the next one.

Each look leaves its answers, its scores and itself in the stage's private state, so that a killed run goes on
where it stopped and the last step finds the look whose verdict counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from flows.core.contracts import SCORES
from flows.core.errors import InputError, IntegrityError
from flows.core.files import write_json
from flows.core.progress import Progress
from flows.core.project import Project
from flows.core.tables import read_table
from flows.evaluate.answering import Wanted, answer_missing, known_answers, stored_answers, wanted
from flows.evaluate.buying import Desk, Found, smoke_look, usable_share
from flows.evaluate.decide import Judgement, decide
from flows.evaluate.looks import Look, Samples, at_look
from flows.evaluate.params import EvaluateParams
from flows.evaluate.plan import Plan, repeats_itself
from flows.evaluate.undecided import known_of, without_judges
from flows.rag.release import ReleaseManifest, load_release

if TYPE_CHECKING:
    import pandas as pd

    from flows.provider.client import Provider

REMEDY = "Run `llmops evaluate`"
LOOK_FILE, LOOKS_FILE = "look.json", "looks.json"


@dataclass
class Both:
    """Candidate and production, and everything that is asked of them.

    Args:
        project: The project.
        provider: Open for the run.
        candidate: The release on trial.
        plan: What is to be judged.
        questions: Table `questions`.
        params: Section `evaluate`.
        max_usd: What may be spent; None = no further look may be bought.
        judges: Asks the judges, if there are any, about the look that lies in `LOOK_FILE`.
        score: Scores the look that lies in `LOOK_FILE`.
        progress: Told about every answer.
    """

    project: Project
    provider: "Provider"
    candidate: ReleaseManifest
    plan: Plan
    questions: "pd.DataFrame"
    params: EvaluateParams
    max_usd: float | None
    judges: Callable[[], None]
    score: Callable[[], None]
    progress: Progress
    notes: list[str] = field(default_factory=list)
    judges_skipped: bool = False

    @property
    def baseline(self) -> ReleaseManifest | None:
        """Production; None = there is none."""
        return load_release(self.project, self.plan.baseline_id) if self.plan.baseline_id else None

    def samples(self) -> Samples:
        """How often both are asked at first, and which of them repeats itself."""
        baseline = self.baseline
        ours, theirs = self.plan.candidate_samples, self.plan.baseline_samples
        if baseline is None:
            return Samples(ours, 0, repeats_itself(self.candidate), True)
        return Samples(ours, theirs, repeats_itself(self.candidate), repeats_itself(baseline))

    def desk(self) -> Desk:
        """Return the desk at which looks are taken."""
        return Desk(self.ask, self.judge, self.missing, self.money_usd)

    def smoke(self, first: Look) -> float | None:
        """Ask the candidate a few questions; return the usable share when it is too small, and lay the look down."""
        look = smoke_look(first, self.questions, self.params)
        if not look.question_ids:
            return None
        todo = wanted(look.part(self.questions), 1)
        answer_missing(self.project, self.provider, self.candidate, todo, progress=self.progress)
        rows = stored_answers(self.project, self.plan.release_id, todo)
        share = usable_share(rows.astype(object).where(rows.notna(), None).to_dict("records"))
        if share is None or share >= self.params.smoke_share_min:
            return None
        write_json(work(self.project, LOOK_FILE), look.to_json())
        return share

    def ask(self, look: Look) -> None:
        """Get the answers that a look lacks."""
        part = look.part(self.questions)
        todo = wanted(part, look.candidate_samples)
        answer_missing(self.project, self.provider, self.candidate, todo, progress=self.progress)
        if (baseline := self.baseline) is not None:
            self.notes[:] = self._ask_baseline(baseline, part, look.baseline_samples)
        write_json(work(self.project, LOOK_FILE), look.to_json())
        self.judges_skipped = bool(self.params.judges) and self._fails_already(look)
        if self.judges_skipped:
            self.notes.append("Judges were not asked, because the cheaper checks already fail.")
        else:
            self.judges()

    def _fails_already(self, look: Look) -> bool:
        """Say whether a look fails by what needs no judge, so that none has to be paid."""
        return self._decided(look, without_judges(self.params))[0].result.verdict == "fail"

    def _ask_baseline(self, release: ReleaseManifest, part: "pd.DataFrame", samples: int) -> list[str]:
        """Measure production where it was not measured yet; say what could not be, and go on."""
        notes = [f"Production was measured {samples} time(s) per question."]
        if repeats_itself(release):
            notes = ["Production was measured once per question: its model repeats itself at temperature 0."]
        try:
            asked = answer_missing(self.project, self.provider, release, wanted(part, samples), progress=self.progress)
        except (InputError, IntegrityError) as error:
            return [*notes, f"Production cannot be measured anew ({type(error).__name__}): {error}"]
        if asked and release.code_changed:
            notes.append("New answers of production were made by newer code than it was released with.")
        return notes

    def judge(self, look: Look) -> Found:
        """Judge a look by its answers; an overdue review is no matter of evidence and is left to the last step."""
        found, ours, theirs = self._decided(look, without_judges(self.params) if self.judges_skipped else self.params)
        known = known_of(found, ours, theirs, at_look(self.params, look), share=look.share)
        return Found(found.result.verdict, known)

    def _decided(self, look: Look, params: EvaluateParams) -> "tuple[Judgement, pd.DataFrame, pd.DataFrame | None]":
        self.score()
        ours = self._scores(self.plan.release_id)
        theirs = self._scores(self.plan.baseline_id) if self.plan.baseline_id else None
        return decide(ours, theirs, at_look(params, look), today=date.min), ours, theirs

    def _scores(self, release_id: str) -> "pd.DataFrame":
        return read_table(work(self.project, f"{release_id}.scores.parquet"), SCORES, remedy=REMEDY)

    def missing(self, look: Look) -> tuple[int, float | None]:
        """Return how many answers a look lacks, and their price by the answers there are; None = not known."""
        part = look.part(self.questions)
        sides = ((self.plan.release_id, look.candidate_samples), (self.plan.baseline_id, look.baseline_samples))
        lacking = [self._lacking(name, wanted(part, samples)) for name, samples in sides if name is not None]
        prices = [price for _, price in lacking]
        return sum(n for n, _ in lacking), None if None in prices else sum(price or 0.0 for price in prices)

    def _lacking(self, release_id: str, todo: list[Wanted]) -> tuple[int, float | None]:
        answers = known_answers(self.project, release_id)
        known = set(answers["answer_id"])
        n = sum(item.answer_id(release_id) not in known for item in todo)
        if n and (answers.empty or answers["cost_usd"].isna().any()):
            return n, None
        return n, n * float(answers["cost_usd"].mean()) if n else 0.0

    def usd_per_answer(self) -> float | None:
        """Return the mean price of the candidate's answers; None = unknown."""
        costs = known_answers(self.project, self.plan.release_id)["cost_usd"]
        return float(costs.mean()) if len(costs) and costs.notna().all() else None

    def money_usd(self) -> float | None:
        """Return what is left of the money that was offered."""
        if self.max_usd is None:
            return None
        return self.max_usd - (self.provider.usage.cost_usd or 0.0)


def work(project: Project, name: str) -> Path:
    """Return a file of the stage's private state."""
    return project.state("work", "evaluate", name)
