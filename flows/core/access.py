"""Access labels: who may read a document, and everything that is made of it.

A label is a word, such as `finance`. Nothing labelled is `public`. A document with several labels (its
source's and its own) may be read only by who holds all of them, so a further label can never open
anything. Labels travel as one text, sorted and joined by commas, from the document over its chunks into
the index. The alphabet has no quotes and no spaces, because labels become part of filter expressions.
"""

import re
from collections.abc import Collection, Iterable

PUBLIC = "public"
UNLABELLED = "unlabelled"  # rows of an index from before labels: nobody reads them without saying so
_LABEL = r"\w[\w.:@/+-]{0,63}"
ACCESS = rf"^{_LABEL}(?:,{_LABEL})*$"  # what every `access` column holds
_COMMENT = re.compile(r"(?:^|\s)#.*")


def read_labels(text: str) -> tuple[str, ...]:
    """Return the labels that a text names: `finance`, `hr, legal`, `[hr, "legal"]`, or a list by lines of `- `.

    Raises:
        ValueError: It names none, or something that is no label; the message does not repeat it.
    """
    words = [_COMMENT.sub("", part).strip(" \t[]\"'").removeprefix("- ") for part in re.split(r"[,\n]", text)]
    labels = [word.strip(" \t\"'").casefold() for word in words if word]
    if not labels or not all(re.fullmatch(_LABEL, label) for label in labels):
        raise ValueError("a label is a word of letters, digits and . _ - : @ / +, of at most 64 characters")
    return tuple(dict.fromkeys(labels))


def joined(*labels: str) -> str:
    """Return labels, or texts of joined labels, as one text; `public` adds nothing to any other label."""
    wanted = {label for text in labels for label in text.split(",")} - {PUBLIC}
    return ",".join(sorted(wanted)) or PUBLIC


def may_read(held: Collection[str], access: str) -> bool:
    """Whether who holds these labels may read what carries this `access` text: all of it must be held."""
    return set(access.split(",")) <= set(held)


def readable(held: Collection[str], present: Iterable[str]) -> list[str]:
    """Return those of the `access` texts that may be read with these labels, sorted."""
    return sorted(access for access in set(present) if may_read(held, access))
