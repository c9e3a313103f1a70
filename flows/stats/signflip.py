"""Tell whether a provider answers fixed canary prompts differently than before.

Traffic cannot cause this alarm, because the prompts stay the same. Each prompt's answer is compared
with its own reference in embedding space; if nothing changed, each difference is as likely as its
negative, so flipping signs gives the exact null distribution of the summed difference's length.
"""

import numpy as np

from flows.core.errors import ContractError
from flows.stats.scores import FloatArray


def sign_flip_p(differences: FloatArray, *, seed: int, flips: int = 999) -> float:
    """Return the p-value of "nothing changed".

    Args:
        differences: Embedding of the new answer minus that of the reference, (prompts, dims).
        seed: Of the random flips.
        flips: How many; the smallest possible p is 1 / (flips + 1).

    Raises:
        ContractError: No prompts, or an answer that has no embedding.
    """
    if not differences.size or not np.isfinite(differences).all():
        raise ContractError(
            f"Differences of shape {differences.shape} are empty or not finite. Leave failed prompts out."
        )
    gram = differences @ differences.T
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(flips, len(gram)))
    flipped = np.sum(signs @ gram * signs, axis=1)
    observed = gram.sum()
    return float((1 + np.sum(flipped >= observed - 1e-12 * np.trace(gram))) / (flips + 1))
