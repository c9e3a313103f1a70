"""Choose which good questions enter the test set: spread over documents and methods, by seed.

Existing questions come first and are never exchanged for others; new ones fill what is missing.
A document without any question gets one even when the number is reached, so that what is new is
asked about; in a corpus of more documents than wanted questions, a topic without any does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from flows.core.ids import sha256
from flows.testset.challenges import challenges
from flows.testset.drafts import Draft
from flows.testset.filters import Filter, Rejections, near_duplicate
from flows.testset.params import TestsetParams


class Selection:
    """The questions of the set so far; `add` fills one type."""

    def __init__(self, params: TestsetParams, rejections: Rejections, topics: Mapping[str, str]) -> None:
        self.params, self.rejections, self.topics = params, rejections, topics
        self.chosen: list[Draft] = []
        self._per_document: Counter[str] = Counter()
        self._per_topic: Counter[str] = Counter()
        self._per_type: Counter[str] = Counter()
        self._terms: dict[str, list[frozenset[str]]] = defaultdict(list)
        self._per_document_type: Counter[tuple[str, str]] = Counter()
        self._wanted = sum(params.questions_per_type.values())
        self._ids: set[str] = set()
        self._refused: set[str] = set()
        self._live: list[Draft] = []

    def keep(self, draft: Draft, *, live: bool) -> None:
        """Count an existing question; a stale one keeps its id but leaves its place to a new one."""
        self._ids.add(draft.question_id)
        if live:
            self._live.append(draft)
            if draft.challenge is None:
                self._count(draft)

    def add(self, question_type: str, drafts: Sequence[Draft], rules: Filter, *, fair: bool = False) -> None:
        """Fill up the type with the best-spread drafts that pass the rules.

        Args:
            question_type: The type.
            drafts: All of that type.
            rules: What refuses a draft.
            fair: Leave room in each document for the other types, in proportion to what is wanted.
        """
        wanted = self.params.questions_per_type.get(question_type, 0)
        if not wanted:
            return
        for draft in spread(drafts, self.params.seed):
            covered = question_type != "simple" or self._covered(draft, few=len(rules.corpus.sources) <= wanted)
            if self._per_type[question_type] >= wanted and covered:
                continue
            if draft.document_id and self._full(draft, share=wanted / self._wanted if fair else 1.0):
                continue
            if draft.question_id not in self._ids | self._refused and self._good(draft, rules):
                self._ids.add(draft.question_id)
                self.chosen.append(draft)
                self._count(draft)

    def challenge(self, simple: Iterable[Draft]) -> None:
        """Add the missing challenges; they are made of simple questions that are asked by themselves too.

        They take no place from ordinary questions. Without any of those (a language that our templates do not speak)
        there are none.
        """
        asked = {draft.question_id for draft in (*self._live, *self.chosen)}
        base = [draft for draft in simple if draft.question_id in asked]
        self.chosen += challenges(base, self._live, per_kind=self.params.challenges_per_kind, banned=self._ids)

    def _covered(self, draft: Draft, *, few: bool) -> bool:
        """Say whether its document has a question or, where documents are many, its topic has one."""
        topic = self.topics.get(draft.document_id, "")
        return bool(self._per_document[draft.document_id]) or (not few and bool(self._per_topic[topic]))

    def _full(self, draft: Draft, *, share: float) -> bool:
        """Say whether a document has all the questions, or its share of those of one type, that it may have."""
        most = self.params.questions_per_document_max
        of_type = self._per_document_type[draft.document_id, draft.question_type]
        return self._per_document[draft.document_id] >= most or of_type >= max(1, int(most * share))

    def _good(self, draft: Draft, rules: Filter) -> bool:
        reason = rules.reason(draft)
        if reason is None and near_duplicate(
            draft, self._terms[draft.question_type], self.params.near_duplicate_similarity
        ):
            reason = "near_duplicate"
        if reason:
            self.rejections.note(draft, reason)
            self._refused.add(draft.question_id)
        return reason is None

    def _count(self, draft: Draft) -> None:
        self._per_type[draft.question_type] += 1
        self._terms[draft.question_type].append(draft.terms)
        if draft.document_id:
            self._per_document[draft.document_id] += 1
            self._per_document_type[draft.document_id, draft.question_type] += 1
            self._per_topic[self.topics.get(draft.document_id, "")] += 1


def spread(drafts: Sequence[Draft], seed: int) -> Iterator[Draft]:
    """Yield drafts one document after the other, and within a document one method after the other."""
    documents: dict[str, dict[str, list[Draft]]] = defaultdict(lambda: defaultdict(list))
    for draft in sorted(drafts, key=lambda item: _rank(seed, item.question_id)):
        documents[draft.document_id or draft.question_id][draft.method].append(draft)
    order = sorted(documents, key=lambda name: _rank(seed, name))
    columns = [[draft for turn in zip_longest(*documents[name].values()) for draft in turn if draft] for name in order]
    return (draft for turn in zip_longest(*columns) for draft in turn if draft)


def _rank(seed: int, name: str) -> str:
    return sha256(f"{seed}:{name}")
