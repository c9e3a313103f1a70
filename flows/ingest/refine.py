"""Turn a parsed text into a draft: clean, judge, screen, name the language, cut.

The order matters: cleaning comes before every comparison and scan, and redaction before cutting,
so that offsets point into exactly the text that is stored.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flows.core import abuse
from flows.core.access import PUBLIC, joined, read_labels
from flows.core.ids import sha256
from flows.ingest import injection, pii, screening
from flows.ingest.chunking import TokenStarts, chunks
from flows.ingest.cleaning import clean
from flows.ingest.cues import Cues, Seen
from flows.ingest.drafts import Draft, Parsed, ParsedFile, Prepared, Rejected, Rejection
from flows.ingest.language import detect_language
from flows.ingest.near import sketch
from flows.ingest.params import IngestParams
from flows.ingest.plain import first_heading
from flows.ingest.privacy import screen_pii
from flows.ingest.releases import ACCESS_RULE, LABEL_RULE, Lifted
from flows.ingest.screening import find_secrets, suspicions

_TITLE_CHARS_MAX = 200
_WORD = re.compile(r"\w+")
_CUES = Cues(injection.CUES.union(screening.CUES, pii.CUES, abuse.CUES))


@dataclass(frozen=True)
class Handling:
    """By what a text is judged and cut.

    Args:
        params: Limits and policies.
        token_starts: The embedding model's tokenizer.
        key: Key of the tokens that stand for personal data.
        lifted: Rules that a person has lifted, by the SHA-256 of the content.
    """

    params: IngestParams
    token_starts: TokenStarts
    key: bytes = b""
    lifted: Lifted = field(default_factory=dict)


def refine_file(parsed: ParsedFile, access: str, digest: str, handling: Handling) -> Prepared:
    """Refine every text of a parsed file; a text that is refused does not touch its neighbours.

    Args:
        parsed: The parser's result.
        access: Labels of the source; the document's own are added to them.
        digest: SHA-256 of the file; a row has its own.
        handling: How to refine.
    """
    drafts: list[Draft] = []
    rejections = list(parsed.rejections)
    for item in parsed.texts:
        own = sha256(item.text.encode(errors="surrogatepass")) if item.row is not None else digest
        try:
            drafts.append(refine(item, parsed, access, handling, handling.lifted.get(own, frozenset())))
        except Rejected as problem:
            of_row = own if item.row is not None else None
            rejections.append(Rejection(problem.code, problem.rule, problem.detail, item.row, of_row))
    return Prepared(tuple(drafts), tuple(rejections), parsed.inputs, parsed.superseded, parsed.repeated)


def refine(item: Parsed, parsed: ParsedFile, access: str, handling: Handling, lifted: frozenset[str]) -> Draft:
    """Return the draft of one text.

    Raises:
        Rejected: `empty`, `too_short`, `policy` or `secret`, by a rule that is not lifted; `schema` for
            what cannot be read as access labels.
    """
    params, key = handling.params, handling.key
    if len(item.text) > params.text_chars_max:
        raise Rejected("too_large", "text_chars_max", f"{len(item.text)} characters")
    text, removed, tagged = clean(item.text, combining_marks_max=params.combining_marks_max)
    seen = _CUES.look(text)
    suspected = suspicions(text, "\n".join((item.hidden, tagged)), seen)
    secrets = find_secrets(text, seen)
    access = joined(access, *_own_labels(item))
    problems = (*_size(text, seen, params), *_restricted(access, params), *_secret(secrets, params))
    for problem in (*problems, *_suspicious(suspected, params)):
        if problem.rule not in lifted:
            raise problem
    policy = {kind: "allow" if f"pii_{kind}" in lifted else action for kind, action in params.pii.items()}
    screened, pii_counts = screen_pii(text, policy, key, seen)
    text, seen = screened, seen if screened == text else _CUES.look(screened)
    title, _, _ = clean(item.title or first_heading(text), combining_marks_max=params.combining_marks_max)
    flags = (*item.flags, *removed, *(f"secret:{kind}" for kind, _ in secrets), *suspected, *_toxic(seen))
    return Draft(
        text=text,
        title=" ".join(screen_pii(title, policy, key, _CUES.look(title))[0].split())[:_TITLE_CHARS_MAX],
        media_type=parsed.media_type,
        parsed_by=parsed.parsed_by,
        language=detect_language(text),
        access=access,
        row=item.row,
        pii_counts=pii_counts,
        flags=tuple(dict.fromkeys(flags)),
        spans=tuple(
            chunks(
                text,
                handling.token_starts,
                tokens_max=params.chunk_tokens_max,
                overlap_tokens=params.chunk_overlap_tokens,
            )
        ),
        sketch=sketch(text),
    )


def _toxic(seen: Seen) -> tuple[str, ...]:
    return ("toxic_suspected",) if abuse.is_toxic(seen.lowered, seen.near(abuse.CUES, abuse.REACH)) else ()


def _size(text: str, seen: Seen, params: IngestParams) -> Iterator[Rejected]:
    if not text:
        yield Rejected("empty", "no_characters")
    if len(text) < params.chars_min:
        yield Rejected("too_short", "chars_min", f"{len(text)} of at least {params.chars_min} characters")
    longest = max(map(len, _WORD.findall(text)), default=0) if seen.longest > params.word_chars_max else 0
    if longest > params.word_chars_max:
        yield Rejected("policy", "word_chars_max", f"unbroken word of {longest} characters")


def _own_labels(item: Parsed) -> tuple[str, ...]:
    try:
        return () if item.access is None else read_labels(item.access)
    except ValueError as error:
        raise Rejected("schema", LABEL_RULE, str(error)) from None


def _restricted(access: str, params: IngestParams) -> Iterator[Rejected]:
    if access != PUBLIC and params.restricted_documents == "quarantine":
        yield Rejected("policy", ACCESS_RULE, "its access label is not public")


def _secret(secrets: list[tuple[str, int]], params: IngestParams) -> Iterator[Rejected]:
    if params.secrets == "quarantine":
        yield from (Rejected("secret", kind, f"at character {position}") for kind, position in secrets)


def _suspicious(suspected: tuple[str, ...], params: IngestParams) -> Iterator[Rejected]:
    if params.suspicious == "quarantine":
        yield from (Rejected("policy", flag) for flag in suspected)
