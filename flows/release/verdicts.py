"""Decide whether a verdict lets a release into production; there is no other way in.

The gate's word counts for exactly the release it judged, against exactly what is in production
now. Whatever is missing, different or unclear refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from flows.core.errors import IntegrityError
from flows.core.files import read_json, sha256_file
from flows.release.decisions import Decision
from flows.release.states import in_production, roll_back_of

Word = Literal["pass", "fail", "inconclusive", "invalid"]


@dataclass(frozen=True)
class Verdict:
    """What `evaluate` found; `sha256` is the hash of its file, the evidence."""

    release_id: str
    baseline_release_id: str | None
    verdict: Word
    sha256: str


def read_verdict(path: Path) -> Verdict:
    """Read `data/evaluate/verdict.json`.

    Raises:
        InputError: There is none.
        IntegrityError: It is no verdict.
    """
    remedy = "Run `llmops evaluate`"
    values = read_json(path, remedy=remedy)
    try:
        release_id, baseline, word = (values[name] for name in ("release_id", "baseline_release_id", "verdict"))
    except (KeyError, TypeError):
        raise IntegrityError(
            f"{path.name!r} lacks release_id, baseline_release_id or verdict. {remedy} again."
        ) from None
    if word not in get_args(Word):
        raise IntegrityError(f"{path.name!r} has verdict {word!r}, none of {list(get_args(Word))}. {remedy} again.")
    return Verdict(release_id, baseline, word, sha256_file(path))


def refusal(verdict: Verdict, release_id: str, decisions: Sequence[Decision], *, by_hand: bool) -> str | None:
    """Say why the release may not be promoted, or None when it may.

    Args:
        verdict: The gate's word.
        release_id: The release that wants into production.
        decisions: The verified decision log.
        by_hand: A person asked for it and gave a reason: then a release that was rolled back may
            return. A scheduled run must not undo a roll back with the verdict that led to it.
    """
    production = in_production(decisions)
    if verdict.release_id != release_id:
        return f"the verdict is about release {verdict.release_id!r}"
    if verdict.verdict != "pass":
        return f"the verdict is {verdict.verdict!r}"
    if verdict.baseline_release_id != production:
        return f"it was judged against {verdict.baseline_release_id!r} and {production!r} is in production"
    taken_out = roll_back_of(decisions, release_id)
    if taken_out and not by_hand:
        return f"it was rolled back by decision {taken_out.seq}; only a person may bring it back"
    return None
