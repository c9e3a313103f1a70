"""Find subject, verb and rest of a plain English statement, so that it can be turned into a question.

No tagger and no model: a statement is accepted only when its verb is one of a fixed list and its
subject is short and names itself. Most sentences are refused, and that is meant: a test set needs
few good questions, not one from every sentence.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flows.testset.words import FUNCTION_WORDS, stem, words

SUBJECT_WORDS_MAX = 8
COMMON_NOUN = re.compile(r"(?:ing|ion|ions|ment|ments|ness|ity|ance|ence|ers|ors)$")

VERBS = frozenset(
    """accept add adjust allow answer appear append apply ask assume avoid become begin belong block break bring build
    buy calculate call cancel carry cause change charge check choose cite close collect combine come compare compute
    confirm consist contain continue control convert copy cost count cover create cut decide declare define delete
    deliver depend describe detect determine drop embed enable encourage end ensure enter exceed exclude expect expire
    explain express extend fail fall feed fill find fire fit fix follow forbid gate generate get give go govern grant
    handle happen help hold ignore improve include increase indicate inherit inform issue keep know last lead learn
    leave let list live load lock look lose lower maintain make manage map mark match mean measure meet merge mix
    move name need notify offer open operate order own pass pay perform pin point predict prefer prevent print produce
    promise promote protect prove provide publish pull push put quote raise reach read receive recommend record redact
    reduce refer refuse reject release remain remove repeat replace report represent require reserve reset resolve
    restart restore return reuse review rise run save say schedule score search see send separate serve set settle show
    sign skip speak specify spend split stand start state stay stop store sum support surround take tell test throw
    tolerate track transfer travel treat trigger turn understand update use validate vary verify wait want warn watch
    weigh work write yield""".split()  # noqa: SIM905 - a word list reads best as text
)
AUXILIARIES = frozenset({"is", "are", "was", "were", "can", "must", "should", "may", "will", "cannot"})
DETERMINERS = frozenset({"the", "a", "an", "each", "every", "no", "all", "most", "some", "any", "our", "your", "one"})
DANGLING = frozenset(
    """it its they them their this that these those he she his her him both such here there another other neither either
    others former latter above below following same so then also else one ones""".split()  # noqa: SIM905 - a word list reads best as text
)
OPENERS = frozenset(
    """in on at by for from with without when if while because since although as after before until once under over
    during to of how what which who why where and but or not only even instead therefore thus however otherwise then
    see note please let two three four five six seven eight nine ten hundred both always never often usually
    sometimes""".split()  # noqa: SIM905 - a word list reads best as text
)
CONNECTIVES = frozenset(
    {"already", "therefore", "thus", "hence", "too", "now", "instead", "likewise", "moreover", "still", "again"}
)
BACKWARD = DANGLING - {"one", "so", "same", "there", "that"}
NOT_IN_SUBJECT = frozenset(
    {"what", "which", "who", "whose", "that", "if", "when", "while", "because", "where", "how", "not"}
)


@dataclass(frozen=True)
class Clause:
    """A statement in three parts.

    Args:
        subject: Who or what, in lower case where the corpus writes it so.
        verb: As written: `is`, `must`, `keeps`.
        base: Base form of a full verb; empty after an auxiliary.
        rest: Everything after the verb, without the final stop.
        plural: Whether the verb stands in the plural.
    """

    subject: str
    verb: str
    base: str
    rest: str
    plural: bool

    def inverted(self) -> str:
        """Return the clause in the order of a question, after `Why` or `How`, without the mark."""
        if self.base:
            return f"{'do' if self.plural else 'does'} {self.subject} {self.base} {self.rest}".strip()
        return f"{'can' if self.verb == 'cannot' else self.verb} {self.subject} {self._negated()}".strip()

    def _negated(self) -> str:
        return f"not {self.rest}" if self.verb == "cannot" else self.rest


@dataclass(frozen=True)
class Casing:
    """Which words are no names to a corpus, so that `Ingest` becomes `ingest` and `Prefect` stays."""

    ordinary: frozenset[str]

    @classmethod
    def of(cls, sentences: Iterable[str]) -> "Casing":
        """Learn from the words that do not open a sentence: only there a capital means a name."""
        inside = Counter(word for sentence in sentences for word in words(sentence)[1:])
        names = {word.lower() for word in inside if word[:1].isupper() and inside[word] > inside[word.lower()]}
        return cls(frozenset(stem(word) for word in inside if word.islower() and word not in names))

    def decapitalised(self, text: str) -> str:
        """Return text with its first letter in lower case unless the first word is a name."""
        first = next(iter(words(text)), "")
        later = [word for word in words(text)[1:] if word.lower() not in FUNCTION_WORDS]
        title = sum(word[:1].isupper() and word[1:].islower() for word in later) > len(later) / 2
        common = not title and (stem(first) in self.ordinary or COMMON_NOUN.search(first))
        plain = (common and first[1:].islower()) or first.lower() in DETERMINERS
        return text[:1].lower() + text[1:] if plain else text


def third_person(base: str) -> str:
    """Return the form after he, she, it: `carry` gives `carries`."""
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


BASE_OF = {third_person(base): base for base in VERBS} | {"has": "have", "does": "do"}


def parse(sentence: str, casing: Casing) -> Clause | None:
    """Split a statement at its verb, or return None where that is not safe."""
    parts = sentence.rstrip(".!").split()
    for place, word in enumerate(parts[: SUBJECT_WORDS_MAX + 1]):
        kind = _verb_kind(word, parts[:place])
        if kind:
            subject = " ".join(parts[:place])
            if not names_itself(subject) or (kind != "auxiliary" and _is_command(parts[:place])):
                return None
            plural = word in ("are", "were") or (kind == "base" and word not in AUXILIARIES)
            base = "" if kind == "auxiliary" else BASE_OF.get(word, word)
            return Clause(casing.decapitalised(subject), word, base, " ".join(parts[place + 1 :]), plural)
    return None


def _verb_kind(word: str, before: list[str]) -> Literal["auxiliary", "third", "base", ""]:
    if not before or before[-1].lower() in DETERMINERS:
        return ""  # "the report", "each check": a noun
    if word in AUXILIARIES:
        return "auxiliary"
    plural = re.search(r"[^sui]s$", before[-1]) or "and" in before
    if word == "has" or (word in BASE_OF and not plural):
        return "third"
    return "base" if word in VERBS and plural else ""


def _is_command(subject: list[str]) -> bool:
    """Return whether a sentence opens like `Read the lists …`: then there is no subject."""
    return len(subject) > 1 and subject[0].lower() in VERBS


def names_itself(phrase: str) -> bool:
    """Return whether a noun phrase can be understood without the sentences before it."""
    lowered = [word.lower() for word in words(phrase)]
    if not lowered or any(mark in phrase for mark in ',;:()?!"“'):
        return False
    if lowered[0] in OPENERS or lowered[0].isdigit() or len(lowered) > SUBJECT_WORDS_MAX:
        return False
    return not set(lowered) & (DANGLING | NOT_IN_SUBJECT)


def refers_back(text: str) -> bool:
    """Return whether a text leans on something said before it (`it`, `these`, `the following`)."""
    said = {re.split("['’]", word.lower())[0] for word in words(text)}
    return bool(said & (BACKWARD | CONNECTIVES))
