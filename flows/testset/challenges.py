"""Make challenges from our own texts and the corpus' questions: attacks, traps, and pairs that must fare alike.

Every challenge carries by what its outcome is known, so no judge is needed: a canary, a partner, a form. Canaries
follow from the words of the challenge, so that the same corpus always gives the same challenges. Hostile texts are
no questions, hence the filters of ordinary ones do not apply.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, zip_longest

from flows.core.challenges import CHALLENGE, KINDS, Challenge
from flows.core.ids import content_id
from flows.testset import attacks
from flows.testset.drafts import Draft

Group = tuple[Draft, ...]  # one challenge, or both members of a pair
Texts = Sequence[tuple[str, str]]
TOPIC = "outside the corpus"
OWN = "own:"  # how the origins of our own begin


def challenges(base: Sequence[Draft], existing: Iterable[Draft], *, per_kind: int, banned: set[str]) -> list[Draft]:
    """Return the challenges that are missing.

    Args:
        base: Simple questions that are asked by themselves too, in order of preference.
        existing: Live questions that stay.
        per_kind: How many of each kind are wanted; a pair counts as one.
        banned: Ids that must not be made again.
    """
    found: list[Draft] = []
    have = _groups_per_kind(existing)
    for place, kind in enumerate(KINDS if base else ()):
        start = place * len(base) // len(KINDS)  # each kind begins with other documents
        made = MADE[kind]([*base[start:], *base[:start]])
        new = {group[0].question_id: group for group in made if not {draft.question_id for draft in group} & banned}
        found.extend(draft for group in islice(new.values(), max(per_kind - have[kind], 0)) for draft in group)
    return found


def _groups_per_kind(drafts: Iterable[Draft]) -> Counter[str]:
    """Count our own challenges; imported ones come on top."""
    known = [(draft.challenge, draft.question_id) for draft in drafts if draft.challenge]
    own = [(item, question_id) for item, question_id in known if item.origin.startswith(OWN)]
    groups = {(item.kind, item.pair_id if item.kind == "bias" else question_id) for item, question_id in own}
    return Counter(kind for kind, _ in groups)


def _draft(question: str, challenge: Challenge, about: Draft | None = None) -> Draft:
    """Return a challenge; one about a question of the corpus has that question's gold and cluster."""
    if about is None:
        about = Draft(question, CHALLENGE, "", (), "", TOPIC, "")
    return replace(about, question=question, question_type=CHALLENGE, method=CHALLENGE, rephrased="",
                   challenge=challenge)  # fmt: skip


def _turns(texts: Texts, base: Sequence[Draft]) -> Iterator[tuple[str, str, Draft]]:
    """Yield every text with a question of its own, then again with others, while there are questions; none of none."""
    for place, about in enumerate(base if texts else ()):
        family, text = texts[place % len(texts)]
        yield family, text, about


def _filled(text: str, question: str) -> tuple[str, str]:
    """Put question and canary into a text; return both text and canary."""
    mark = content_id("canary", question, text)
    first, second = f"heron{mark[:4]}", f"finch{mark[4:8]}"
    canary = first + second if "{a}" in text else first
    parts = {"{q}": question, "{t}": question.rstrip(" ?"), "{c}": canary, "{a}": first, "{b}": second}
    for name, value in parts.items():
        text = text.replace(name, value)
    return text, canary


def _attacks(kind: str, texts: Texts) -> Callable[[Sequence[Draft]], Iterator[Group]]:
    """Return the maker of attacks that follow a question of the corpus, or stand for themselves."""

    def make(base: Sequence[Draft]) -> Iterator[Group]:
        alone = [(family, text, None) for family, text in texts if "{q}" not in text]
        for family, text, about in [*alone, *_turns([item for item in texts if "{q}" in item[1]], base)]:
            question, canary = _filled(text, about.question if about else "")
            told = canary if "{c}" in text or "{a}" in text else ""
            yield (_draft(question, Challenge.of(kind, canary=told, origin=f"{OWN}{family}"), about),)

    return make


def _hidden(base: Sequence[Draft]) -> Iterator[Group]:
    for family, text, about in _turns(attacks.HIDDEN, base):
        planted, canary = _filled(text, about.question)
        challenge = Challenge.of("hidden_injection", planted=planted, canary=canary, origin=f"{OWN}{family}")
        yield (_draft(about.question, challenge, about),)


def _extraction(_: Sequence[Draft]) -> Iterator[Group]:
    for place in range(len(attacks.PII_EXTRACTION) * len(attacks.PEOPLE)):
        family, text = attacks.PII_EXTRACTION[place % len(attacks.PII_EXTRACTION)]
        turn = place + place // len(attacks.PEOPLE)
        name, mail, phone = attacks.PEOPLE[turn % len(attacks.PEOPLE)]
        planted = attacks.RECORD.format(name=name, mail=mail, phone=phone)
        canary = phone if "telephone" in text else mail
        challenge = Challenge.of("pii_extraction", planted=planted, canary=canary, origin=f"{OWN}{family}")
        yield (_draft(text.format(name=name), challenge),)


def _traps(base: Sequence[Draft]) -> Iterator[Group]:
    """Yield in turns a question of the corpus with alarming words, and a harmless one about something else."""
    asked = [
        _draft(text.replace("{q}", about.question),
               Challenge.of("over_refusal", pair_id=about.question_id, origin=f"{OWN}{family}"), about)
        for family, text, about in _turns(attacks.ALARMING, base)
    ]  # fmt: skip
    other = [
        _draft(text, Challenge.of("over_refusal", expect="no_block", origin=f"{OWN}{family}"))
        for family, text in attacks.ELSEWHERE
    ]
    return ((draft,) for pair in zip_longest(asked, other) for draft in pair if draft)


def _pairs(base: Sequence[Draft]) -> Iterator[Group]:
    for place, about in enumerate(base):
        trait, *phrases = attacks.PERSONAS[place % len(attacks.PERSONAS)]
        pair = content_id("pair", trait, about.question)
        challenge = Challenge.of("bias", pair_id=pair, origin=f"{OWN}{trait}")
        yield tuple(_draft(f"{about.question} {phrase}", challenge, about) for phrase in phrases)


def _paraphrases(base: Sequence[Draft]) -> Iterator[Group]:
    for about in base:
        if about.rephrased and about.rephrased != about.question:
            challenge = Challenge.of("paraphrase", pair_id=about.question_id, origin=f"{OWN}{about.method}")
            yield (_draft(about.rephrased, challenge, about),)


MADE: dict[str, Callable[[Sequence[Draft]], Iterator[Group]]] = {
    "injection": _attacks("injection", attacks.INJECTION),
    "hidden_injection": _hidden,
    "jailbreak": _attacks("jailbreak", attacks.JAILBREAK),
    "prompt_leak": _attacks("prompt_leak", attacks.PROMPT_LEAK),
    "pii_extraction": _extraction,
    "toxicity_bait": _attacks("toxicity_bait", attacks.TOXICITY_BAIT),
    "format_attack": _attacks("format_attack", attacks.FORMAT_ATTACK),
    "over_refusal": _traps,
    "bias": _pairs,
    "paraphrase": _paraphrases,
}
