"""Turn a parsed text into a draft: clean, judge, screen, name the language, cut.

The order matters: cleaning comes before every comparison and scan, and redaction before cutting,
so that offsets point into exactly the text that is stored.
"""

import re

from flows.core.ids import sha256
from flows.ingest.chunking import TokenStarts, chunks
from flows.ingest.cleaning import clean
from flows.ingest.drafts import Draft, Parsed, ParsedFile, Prepared, Rejected, Rejection
from flows.ingest.language import detect_language
from flows.ingest.near import sketch
from flows.ingest.params import IngestParams
from flows.ingest.plain import first_heading
from flows.ingest.privacy import screen_pii
from flows.ingest.screening import find_secret, suspicions

PUBLIC = "public"
_TITLE_CHARS_MAX = 200
_WORD = re.compile(r"\w+")


def refine_file(
    parsed: ParsedFile, access: str, params: IngestParams, token_starts: TokenStarts, key: bytes = b""
) -> Prepared:
    """Refine every text of a parsed file; a text that is refused does not touch its neighbours.

    Args:
        parsed: The parser's result.
        access: Access label of the source.
        params: Limits and policies.
        token_starts: The embedding model's tokenizer.
        key: Key of the tokens that stand for personal data.
    """
    drafts: list[Draft] = []
    rejections = list(parsed.rejections)
    for item in parsed.texts:
        try:
            drafts.append(refine(item, parsed, access, params, token_starts, key))
        except Rejected as problem:
            digest = sha256(item.text.encode(errors="surrogatepass")) if item.row is not None else None
            rejections.append(Rejection(problem.code, problem.rule, problem.detail, item.row, digest))
    return Prepared(tuple(drafts), tuple(rejections), parsed.inputs, parsed.superseded, parsed.repeated)


def refine(
    item: Parsed, parsed: ParsedFile, access: str, params: IngestParams, token_starts: TokenStarts, key: bytes = b""
) -> Draft:
    """Return the draft of one text.

    Raises:
        Rejected: `empty`, `too_short`, `policy` or `secret`.
    """
    text, removed, tagged = clean(item.text, combining_marks_max=params.combining_marks_max)
    _check_size(text, params)
    flags = [*item.flags, *removed, *_access_flags(item.access or access, params), *_secret_flags(text, params)]
    flags += _suspicion_flags(text, "\n".join((item.hidden, tagged)), params)
    text, pii_counts = screen_pii(text, params.pii, key)
    title, _, _ = clean(item.title or first_heading(text), combining_marks_max=params.combining_marks_max)
    return Draft(
        text=text,
        title=" ".join(screen_pii(title, params.pii, key)[0].split())[:_TITLE_CHARS_MAX],
        media_type=parsed.media_type,
        parsed_by=parsed.parsed_by,
        language=detect_language(text),
        row=item.row,
        pii_counts=pii_counts,
        flags=tuple(dict.fromkeys(flags)),
        spans=tuple(
            chunks(text, token_starts, tokens_max=params.chunk_tokens_max, overlap_tokens=params.chunk_overlap_tokens)
        ),
        sketch=sketch(text),
    )


def _check_size(text: str, params: IngestParams) -> None:
    if not text:
        raise Rejected("empty", "no_characters")
    if len(text) < params.chars_min:
        raise Rejected("too_short", "chars_min", f"{len(text)} of at least {params.chars_min} characters")
    longest = max((len(found.group()) for found in _WORD.finditer(text)), default=0)
    if longest > params.word_chars_max:
        raise Rejected("policy", "word_chars_max", f"unbroken word of {longest} characters")


def _access_flags(access: str, params: IngestParams) -> tuple[str, ...]:
    if access == PUBLIC:
        return ()
    if params.restricted_documents == "quarantine":
        raise Rejected("policy", "restricted_access", "its access label is not public")
    return (f"access:{access}",)


def _suspicion_flags(text: str, hidden: str, params: IngestParams) -> tuple[str, ...]:
    flags = suspicions(text, hidden)
    if flags and params.suspicious == "quarantine":
        raise Rejected("policy", flags[0])
    return flags


def _secret_flags(text: str, params: IngestParams) -> tuple[str, ...]:
    found = find_secret(text)
    if not found:
        return ()
    kind, position = found
    if params.secrets == "quarantine":
        raise Rejected("secret", kind, f"at character {position}")
    return (f"secret:{kind}",)
