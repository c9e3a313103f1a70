"""Say how the stored test set stands to the current documents, without changing anything."""

from dataclasses import dataclass

from flows.core.contracts import QUESTIONS
from flows.core.project import Project
from flows.core.tables import read_table
from flows.testset.build import corpus_of, versions_of
from flows.testset.follow import follow
from flows.testset.params import TestsetParams
from flows.testset.splits import part_of
from flows.testset.stage import documents_of
from flows.testset.topics import topics_of
from flows.testset.words import content


@dataclass(frozen=True)
class Status:
    """Numbers of questions by what the next run would do with them."""

    live: int
    to_move: int
    stale: int
    to_retire: int
    reviewed: int
    topics: int
    new_topics: tuple[str, ...]  # nothing is asked about them yet

    def __str__(self) -> str:
        """One line for a person."""
        return (
            f"{self.live} questions hold ({self.to_move} of them at a new place), {self.stale} are stale, "
            f"{self.to_retire} would be retired with their documents; {self.reviewed} were reviewed by people; "
            f"{self.topics - len(self.new_topics)} of {self.topics} topics have questions{self._missing()}"
        )

    def _missing(self) -> str:
        names = "; ".join(self.new_topics)
        return f". Run `llmops testset` for questions about: {names}" if names else ""


def status(project_dir: str = ".") -> Status:
    """Compare the stored questions with the current documents.

    Raises:
        InputError: There are no documents or no questions yet.
    """
    project = Project.open(project_dir)
    documents = documents_of(project)
    stored = read_table(project.data("testset", "questions.parquet"), QUESTIONS, remedy="Run `llmops testset`")
    vocabulary = frozenset().union(*(content(text) for text in documents["text"]))
    params = TestsetParams.load(project)
    versions = versions_of(documents)
    found = follow(stored, versions, vocabulary, params.train_share)
    corpus = corpus_of(documents, versions, params.languages)
    named = topics_of(corpus, params.topics)
    topics = {name: named[name] for name in part_of(corpus, "gate", params.train_share).by_id}
    asked = {topics.get(item.draft.document_id) for item in found.questions if not item.stale}
    return Status(
        live=sum(not item.stale for item in found.questions),
        to_move=sum(item.moved and not item.stale for item in found.questions),
        stale=sum(item.stale for item in found.questions),
        to_retire=found.retired,
        reviewed=int(stored["reviewed_by"].notna().sum()),
        topics=len(set(topics.values())),
        new_topics=tuple(sorted(set(topics.values()) - asked)),
    )
