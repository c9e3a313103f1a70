"""What every local embedder offers, and the fingerprint that says when two are interchangeable.

Vectors of two fingerprints must never share an index: model, weights, back end and precision all
count, because a changed back end moves vectors as surely as a changed model does.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identity of an embedder; equal fingerprints give interchangeable vectors."""

    model: str
    revision: str
    dims: int
    normalised: bool
    backend: str
    precision: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.model}@{self.revision[:12]}/{self.backend}-{self.precision}"


class Embedder(Protocol):
    """Turns texts into vectors of length 1; safe to call from several threads."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the vectors."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one float32 row of length 1 per text, in the order given."""

    def embed_and_count(self, texts: Sequence[str]) -> tuple[Vectors, list[int]]:
        """Return the vectors and how many tokens of the model each text has, its unread end included."""
