"""Turn statements, headings and table rows into simple questions by explicit templates.

Each method recognises one form of statement ("X is the …", "X needs at least 8 …", "when C, …")
and asks for the part that carries the information. The statement is the reference answer and its
characters are the gold span (after rule-based question generation, Heilman & Smith 2010).
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

from flows.core.ids import sha256
from flows.testset.drafts import Corpus, Draft, Source, topic_of
from flows.testset.forms import (
    BACKWARD,
    CONDITION,
    DEFINED,
    EMPTY_CELLS,
    FOR_COLUMNS,
    GENERIC_KEYS,
    IDIOM,
    KEY_WORDS_MAX,
    MOMENT,
    OBJECT,
    OBJECT_VERBS,
    PARTICIPLE,
    PERSON,
    PLACES,
    PREPOSITION,
    PREPOSITIONAL,
    QUANTITY,
    REASON,
    TERMS_MIN,
    VAGUE,
    VERBAL_COLUMNS,
)
from flows.testset.grammar import DETERMINERS, Casing, Clause, names_itself, parse, refers_back
from flows.testset.sentences import Row, Sentence, clean
from flows.testset.templates import PLAIN, REPHRASED
from flows.testset.words import content, words

NO_NAMES = Casing(frozenset())


def simple_questions(corpus: Corpus) -> Iterator[Draft]:
    """Yield every question the methods find, in reading order; most are rejected later."""
    for source, sentence in corpus.sentences():
        for method, values, subject in _from_sentence(sentence, corpus.casing):
            yield _draft(source, sentence, method, values, subject)
    for source in corpus.sources:
        yield from _from_headings(source, corpus.casing)
        for row in source.outline.rows:
            yield from _from_row(source, row)


def _from_headings(source: Source, casing: Casing) -> Iterator[Draft]:
    """Take headings and titles that ask (`Why documents are cut`); the next two sentences answer."""
    sentences = source.outline.sentences
    for place, following in zip_longest(sentences, sentences[1:]):
        asked = _asked_by(place.headings[-1] if place.headings else source.title, casing) if place.first else ""
        if asked:
            together = following is not None and following.headings == place.headings
            end = following.end if following and together else place.end
            text = clean(source.version.text[place.start : end])
            yield _draft(source, replace(place, text=text, end=end), "heading", {"inverted": asked}, "")


def _asked_by(heading: str, casing: Casing) -> str:
    if heading.endswith("?"):
        return heading[:-1]
    asks = re.match(r"(Why|How) (.+)$", heading)
    clause = parse(f"{asks[2]}.", casing) if asks else None
    return f"{asks[1]} {clause.inverted()}" if asks and clause else ""


def _draft(source: Source, place: Sentence | Row, method: str, values: dict[str, str], subject: str) -> Draft:
    answer = place.text if isinstance(place, Sentence) else values.pop("answer")
    others = REPHRASED[method]
    chosen = others[int(sha256(answer), 16) % len(others)] if others else ""
    return Draft(
        question=_capital(PLAIN[method].format(**values)),
        question_type="simple",
        answer=answer,
        spans=(source.span(place.start, place.end),),
        method=method,
        topic=topic_of(source.title, place.headings),
        document_id=source.document_id,
        rephrased=_capital(chosen.format(**values)),
        subject=subject,
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _from_sentence(sentence: Sentence, casing: Casing) -> Iterator[tuple[str, dict[str, str], str]]:
    text = sentence.text
    if not text.endswith("."):
        return
    condition = CONDITION.match(text)
    if condition and not refers_back(condition[1]) and len(content(condition[1])) >= TERMS_MIN:
        yield "condition", {"c": condition[1]}, ""
        return
    reason = REASON.match(text)
    main = parse(reason[1], casing) if reason else None
    if main:
        plain = f"{main.subject} {main.verb} {main.rest}"
        if not refers_back(main.rest):
            yield "reason", {"inverted": main.inverted(), "plain": plain, "s": main.subject}, main.subject
        return
    clause = parse(text, casing)
    if clause and not is_vague(clause.subject):
        method, values = _method(clause)
        if method:
            yield method, _common(clause) | values, clause.subject


def _is_noun_phrase(column: str) -> bool:
    first = column.lower().split()[0] if names_itself(column) else ""
    verbal = not first or first in VERBAL_COLUMNS or first.endswith("ed") or bool(parse(f"{column}.", NO_NAMES))
    return not verbal and len(words(column)) <= KEY_WORDS_MAX


def is_vague(subject: str) -> bool:
    """Return whether a subject says too little by itself (`the second part`, `the reason`)."""
    said = [word.lower() for word in words(subject) if word.lower() not in {"the", "a", "an", "each", "every", "no"}]
    return not said or set(said) <= VAGUE or (said[0] in VAGUE and len(said) == 1)


def _common(clause: Clause) -> dict[str, str]:
    plural = clause.plural
    return {
        "s": clause.subject,
        "v": clause.verb,
        "b": clause.base,
        "do": "do" if plural else "does",
        "be": "are" if plural else "is",
        "that": "those" if plural else "that",
    }


def _method(clause: Clause) -> tuple[str, dict[str, str]]:
    """Return the method whose form the clause has, with that method's own values."""
    if clause.verb in ("is", "are"):
        return _state(clause)
    if clause.verb == "must":
        ban = clause.rest.startswith("not ")
        return ("ban" if ban else "duty", {}) if not clause.rest.startswith(("be ", "not be ")) else ("", {})
    if not clause.base or re.match(r"(?:not|never|no|nothing)\b", clause.rest, re.I):
        return "", {}
    return _action(clause)


def _state(clause: Clause) -> tuple[str, dict[str, str]]:
    participle = PARTICIPLE.match(clause.rest)
    if participle:
        done, link = participle[1].lower(), participle[2].lower()
        if MOMENT.match(f"{link} "):
            return "moment", {"inverted": f"{clause.verb} {clause.subject} {done}"}
        if link in ("in", "under", "below", "at", "on") and done in PLACES and not IDIOM.search(clause.rest):
            return "place", {"p": done}
        return ("manner", {"p": done}) if link in ("by", "with", "as", "in", "through", "from", "per") else ("", {})
    if re.match(r"\d", clause.rest):
        return ("value", {}) if len(content(clause.subject)) >= TERMS_MIN else ("", {})
    if clause.subject[:1].isupper() and PERSON.match(clause.rest):
        return "person", {}
    general = clause.subject.split()[0] not in ("every", "each", "no", "all")
    return ("definition", {}) if general and DEFINED.match(clause.rest) else ("", {})


def _action(clause: Clause) -> tuple[str, dict[str, str]]:
    quantity = QUANTITY.match(clause.rest)
    if quantity:
        bound = {"at least": "at_least", "at most": "at_most", "up to": "at_most", "no more than": "at_most"}
        return bound.get((quantity[1] or "").lower(), "amount"), {"u": quantity[2]}
    if MOMENT.match(clause.rest):
        asked = Clause(clause.subject, clause.verb, clause.base, "", clause.plural)
        return "moment", {"inverted": asked.inverted()}
    preposition = PREPOSITION.match(clause.rest)
    if preposition:
        found = (clause.base, preposition[1].lower()) in PREPOSITIONAL
        return ("prepositional", {"p": preposition[1].lower()}) if found else ("", {})
    direct = OBJECT.match(clause.rest) and not BACKWARD.match(clause.rest)
    return ("object", {}) if direct and clause.base in OBJECT_VERBS else ("", {})


def _from_row(source: Source, row: Row) -> Iterator[Draft]:
    key, name = row.columns[0], row.cells[0]
    if not (names_itself(key) and names_itself(name)) or key.endswith("s") or len(words(name)) > KEY_WORDS_MAX:
        return
    if words(name)[0].lower() in DETERMINERS or name.lower() in EMPTY_CELLS or key.lower() in GENERIC_KEYS:
        return
    for column, cell in zip(row.columns[1:], row.cells[1:], strict=True):
        asks = re.match(r"^what (?:it|they) ([a-z]+)$", column, re.I)
        link = "for" if set(column.lower().split()) & FOR_COLUMNS else "of"
        shown = column[:1].lower() + column[1:] if column[1:2].islower() else column
        values = {"k": key, "x": name, "h": shown, "link": link, "answer": cell}
        if asks:
            verb = asks[1].lower()
            clause = parse(f"The {key} {verb} something.", NO_NAMES)
            if clause and clause.base and not re.search(r"[^s]s$", name):
                yield _draft(source, row, "table_verb", values | {"do": "does", "b": clause.base, "v": verb}, name)
        elif _is_noun_phrase(column) and re.search(r"[A-Za-z]{2}", cell):
            yield _draft(source, row, "table", values, name)
