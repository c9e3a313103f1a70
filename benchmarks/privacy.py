"""Personal data, planted instructions and their look-alikes: what ingest finds, against patterns alone.

Run with `python -m benchmarks.privacy DATA`, where DATA holds the public data sets (CONTRIBUTING says
where). The rival is one widely published regular expression per kind, with no checksum, no cue and no
folding. A labelled span counts as found when a finding of its kind overlaps it; a finding counts as
right when it overlaps a labelled span of its kind. Kinds that the data set lacks are measured on numbers
made here by the issuers' rules, each beside a number of the same form that breaks them; that says how
well forms and rules are kept, not how often such numbers stand in real texts. False alarms are counted
on encyclopaedia passages, where such numbers hardly occur.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.privacy_numbers import MADE
from flows.core.abuse import is_toxic
from flows.ingest.injection import is_injection
from flows.ingest.pii import KINDS
from flows.ingest.privacy import find_pii

Spans = list[tuple[int, int, str]]
Finder = Callable[[str], Spans]
LABELS = {
    "CREDIT_CARD": "card", "US_SSN": "us_ssn", "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone",
    "US_DRIVER_LICENSE": "driver_license", "STREET_ADDRESS": "postal_address", "ZIP_CODE": "postal_address",
}  # fmt: skip
BIRTH = re.compile(r"birth|born|\bdob\b", re.IGNORECASE)  # a date beside such a word is a date of birth
BIRTH_CHARS = 40
PUBLISHED = {
    "card": r"\b(?:\d[ -]*?){13,16}\b",
    "iban": r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    "us_ssn": r"\b\d{3}-\d{2}-\d{4}\b",
    "uk_nino": r"\b[A-Z]{2}\d{6}[A-D]\b",
    "es_dni": r"\b\d{8}[A-Z]\b",
    "de_tax_id": r"\b\d{11}\b",
    "fr_nir": r"\b[12]\d{14}\b",
    "it_tax_code": r"\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]\b",
    "nl_bsn": r"\b\d{9}\b",
    "email": r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b",
    "phone": r"(?:\+?\d{1,3}[-. ]?)?\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}\b",
    "ipv4": r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    "ipv6": r"\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b",
    "mac_address": r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b",
    "passport": r"\b[A-Z]{1,2}\d{6,8}\b",
    "driver_license": r"\b[A-Z]\d{7,14}\b",
    "date_of_birth": r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b",
    "postal_address": r"\b\d{1,5} [A-Za-z0-9 .]{1,40} (?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Lane|Ln|Drive|Dr)\b",
}
_COMPILED = {kind: re.compile(pattern) for kind, pattern in PUBLISHED.items()}


def ours(text: str) -> Spans:
    """Find as ingest does."""
    return [(item.start, item.end, item.kind) for item in find_pii(text)]


def patterns_alone(text: str) -> Spans:
    """Find whatever one published pattern per kind matches."""
    return [(*found.span(), kind) for kind, pattern in _COMPILED.items() for found in pattern.finditer(text)]


def gold_spans(row_text: str, spans_json: str) -> Spans:
    """Return the labelled spans of the kinds that are looked for."""
    spans = []
    for span in json.loads(spans_json):
        start, end, label = span["start_position"], span["end_position"], span["entity_type"]
        if label == "DATE_TIME" and BIRTH.search(row_text[max(0, start - BIRTH_CHARS) : start]):
            spans.append((start, end, "date_of_birth"))
        elif label in LABELS:
            spans.append((start, end, LABELS[label]))
    return spans


def touches(span: tuple[int, int, str], others: Spans) -> bool:
    """Return whether a span of the same kind overlaps."""
    start, end, kind = span
    return any(kind == other and start < stop and begin < end for begin, stop, other in others)


def on_labels(frame: pd.DataFrame, find: Finder) -> dict[str, tuple[int, int, int, int]]:
    """Return (labelled, found, findings, right findings) by kind."""
    counts = {name: Counter[str]() for name in ("labelled", "found", "findings", "right")}
    for text, spans_json in zip(frame["text"], frame["spans_json"], strict=True):
        gold, seen = gold_spans(text, spans_json), find(text)
        counts["labelled"].update(kind for _, _, kind in gold)
        counts["found"].update(span[2] for span in gold if touches(span, seen))
        counts["findings"].update(kind for _, _, kind in seen)
        counts["right"].update(span[2] for span in seen if touches(span, gold))
    kinds = [kind for kind in KINDS if counts["labelled"][kind]]
    return {kind: tuple(counts[name][kind] for name in counts) for kind in kinds}  # type: ignore[misc]


def on_made(kind: str, find: Finder, seed: int = 0, n: int = 500) -> tuple[float, float]:
    """Return the share of true numbers found, and of broken ones taken for true."""
    rng = random.Random(seed)
    pairs = [MADE[kind](rng) for _ in range(n)]
    hits = [[any(span[2] == kind for span in find(f"It says {text} here.")) for text in pair] for pair in pairs]
    return sum(true for true, _ in hits) / n, sum(broken for _, broken in hits) / n


def alarms(texts: Iterable[str], find: Finder) -> Counter[str]:
    """Count findings by kind."""
    return Counter(kind for text in texts for _, _, kind in find(text))


def share(part: int, whole: int) -> str:
    """Write a share with its counts."""
    return f"{part / whole:.2f} ({part}/{whole})" if whole else "none"


def print_table(*head: str, rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print()
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(map(str, row))} |")


def print_personal_data(data: Path) -> None:
    """Print the three tables on personal data."""
    frame = pd.read_parquet(data / "15_pii" / "presidio_synth_v2.parquet")
    counted = [on_labels(frame, find) for find in (ours, patterns_alone)]
    print_table(
        "kind, on labelled texts", "recall", "precision", "patterns: recall", "patterns: precision",
        rows=[[kind, *(cell for found in counted for cell in rates(*found[kind]))] for kind in counted[0]],
    )  # fmt: skip
    print_table(
        "kind, on made numbers", "found", "broken taken", "patterns: found", "patterns: broken taken",
        rows=[
            [kind, *(f"{value:.2f}" for find in (ours, patterns_alone) for value in on_made(kind, find))]
            for kind in MADE
        ],
    )  # fmt: skip
    passages = pd.read_parquet(data / "02_wiki_rag" / "passages.parquet")["text"].tolist()
    here, there = alarms(passages, ours), alarms(passages, patterns_alone)
    name = f"findings in {sum(map(len, passages)) / 1e6:.1f} million characters of encyclopaedia"
    print_table(name, "ours", "patterns", rows=[[kind, here[kind], there[kind]] for kind in KINDS])


def rates(labelled: int, found: int, findings: int, right: int) -> tuple[str, str]:
    """Write recall and precision."""
    return share(found, labelled), share(right, findings)


def injections(data: Path) -> dict[str, tuple[int, int]]:
    """Return (flagged, texts) by what the texts are."""
    prompts = pd.read_parquet(data / "13_prompt_injection" / "prompts.parquet")
    toxic = pd.read_parquet(data / "14_toxicity" / "toxicity.parquet")
    clean = pd.read_parquet(data / "13_prompt_injection" / "bipia_clean_contexts.parquet")["context"].astype(str)
    named = prompts["label"].map({1: "attack", 0: "harmless"}) + ": " + prompts["kind"]
    groups = {name: rows.tolist() for name, rows in prompts["text"].groupby(named)}
    groups["harmless: e-mails, tables and code (BIPIA)"] = clean.tolist()
    groups["harmless: encyclopaedia"] = pd.read_parquet(data / "02_wiki_rag" / "passages.parquet")["text"].tolist()
    groups["toxic, no order to a model"] = toxic.loc[toxic["toxic"] == 1, "text"].tolist()
    groups["not toxic"] = toxic.loc[toxic["toxic"] == 0, "text"].tolist()
    return {name: (sum(map(is_injection, texts)), len(texts)) for name, texts in groups.items()}


def toxic_texts(data: Path) -> dict[str, tuple[int, int]]:
    """Return (flagged for words of abuse, texts) by what people say of the texts and by collection."""
    toxic = pd.read_parquet(data / "14_toxicity" / "toxicity.parquet")
    named = toxic["toxic"].map({1: "toxic: ", 0: "not toxic: "}) + toxic["source"].str.rpartition("/")[2]
    groups = {name: rows.tolist() for name, rows in toxic["text"].groupby(named)}
    groups["encyclopaedia"] = pd.read_parquet(data / "02_wiki_rag" / "passages.parquet")["text"].tolist()
    return {name: (sum(map(is_toxic, texts)), len(texts)) for name, texts in groups.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print_personal_data(folder)
    print_table("texts", "flagged", rows=[[name, share(*counts)] for name, counts in injections(folder).items()])
    print_table("texts", "abuse", rows=[[name, share(*counts)] for name, counts in toxic_texts(folder).items()])
