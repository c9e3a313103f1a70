"""Find what a corpus is about: documents that share rare words are one topic, named by those words.

Words are weighted by TF-IDF, documents are merged two by two where the spread within clusters grows
least (Ward 1963), until the wanted number is left. No model and no chance: equal documents give
equal topics. Of a large corpus a fixed sample is merged and the others join the nearest topic.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flows.core.ids import sha256
from flows.testset.words import FUNCTION_WORDS, stem, words

if TYPE_CHECKING:
    from flows.testset.drafts import Corpus

Floats = NDArray[np.float64]
MERGED_MAX = 400  # documents that are merged; bounds time, which grows with the cube
TERMS_MAX = 2000  # most frequent words that count
TERM_CHARS_MIN = 3
COMMON_SHARE = 0.5  # a word in more documents than this says little about any of them
NAME_WORDS = 3
DECIMALS = 9  # beyond these, sums differ between processors


@dataclass(frozen=True)
class _Texts:
    """Counts of words, one row per document, one column per term."""

    weights: Floats  # TF-IDF, rows of unit length
    terms: tuple[str, ...]
    written: Mapping[str, str]  # term -> its most frequent form


def topics_of(corpus: "Corpus", wanted: int) -> dict[str, str]:
    """Return the topic of every document by its id.

    Args:
        corpus: The documents.
        wanted: How many topics; fewer when there are fewer documents.

    Returns:
        Names such as `gate, margin, verdict`, each for one topic only.
    """
    names = [source.document_id for source in corpus.sources]
    if not names:
        return {}
    texts = _read([source.version.text for source in corpus.sources])
    merged = sorted(range(len(names)), key=lambda place: sha256(names[place]))[:MERGED_MAX]
    labels = _merge(texts.weights[merged], min(wanted, len(merged)))
    count = max(labels) + 1
    members = [[place for place, label in zip(merged, labels, strict=True) if label == topic] for topic in range(count)]
    centres = np.array([texts.weights[rows].mean(axis=0) for rows in members])
    nearest = np.argmax((texts.weights @ centres.T).round(DECIMALS), axis=1)
    nearest[merged] = labels
    titles = _titles(centres, texts)
    return {name: titles[label] for name, label in zip(names, nearest, strict=True)}


def _read(documents: Sequence[str]) -> _Texts:
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    counted = []
    for text in documents:
        said = [word.lower() for word in words(text) if len(word) >= TERM_CHARS_MIN and word.isalpha()]
        counted.append(Counter(stem(word) for word in said if word not in FUNCTION_WORDS))
        for word in said:
            forms[stem(word)][word] += 1
    spread = Counter(term for counts in counted for term in counts)
    telling = [term for term, number in spread.items() if number <= max(1, COMMON_SHARE * len(documents))]
    ranked = sorted(telling or spread, key=lambda term: (-spread[term], term))
    terms = tuple(ranked[:TERMS_MAX]) or ("untitled",)
    column = {term: place for place, term in enumerate(terms)}
    weights = np.zeros((len(documents), len(terms)))
    for row, counts in enumerate(counted):
        for term in counts.keys() & column.keys():
            weights[row, column[term]] = (1 + np.log(counts[term])) * np.log(1 + len(documents) / spread[term])
    length = np.linalg.norm(weights, axis=1, keepdims=True)
    written = {term: min(found, key=lambda word: (-found[word], word)) for term, found in forms.items()}
    return _Texts(weights / np.where(length > 0, length, 1), terms, written)


def _merge(rows: Floats, wanted: int) -> list[int]:
    """Return a cluster number for each row, by Ward's method with Lance and Williams' update."""
    size = np.ones(len(rows))
    cluster = list(range(len(rows)))
    apart = (2 - 2 * rows @ rows.T).round(DECIMALS)
    np.fill_diagonal(apart, np.inf)
    for _ in range(len(rows) - wanted):
        one, two = sorted(divmod(int(np.argmin(apart)), len(rows)))
        joined = (size[one] + size) * apart[one] + (size[two] + size) * apart[two] - size * apart[one, two]
        apart[one] = apart[:, one] = (joined / (size[one] + size[two] + size)).round(DECIMALS)
        apart[two] = apart[:, two] = apart[one, one] = np.inf
        size[one] += size[two]
        cluster = [one if label == two else label for label in cluster]
    numbers = {label: number for number, label in enumerate(sorted(set(cluster)))}
    return [numbers[label] for label in cluster]


def _titles(centres: Floats, texts: _Texts) -> list[str]:
    """Name each topic by its heaviest words, more of them where two would have one name."""
    titles: list[str] = []
    for centre in centres:
        heavy = sorted(range(len(texts.terms)), key=lambda place: (-round(centre[place], DECIMALS), texts.terms[place]))
        ranked = [texts.written.get(texts.terms[place], texts.terms[place]) for place in heavy]
        names = (", ".join(ranked[:count]) for count in range(NAME_WORDS, max(len(ranked), NAME_WORDS) + 1))
        new = next(
            (name for name in names if name not in titles), f"{', '.join(ranked[:NAME_WORDS])} {len(titles) + 1}"
        )
        titles.append(new)
    return titles
