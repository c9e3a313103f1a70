"""Documents for the index's tests."""

import pytest


@pytest.fixture
def some():
    """Three documents with five chunks; one line stands in two of them."""
    return {
        "alpha.md": "the cat sat on the mat\nevery invoice has a number",
        "beta.md": "a release is promoted by the gate\nevery invoice has a number",
        "gamma.md": "compaction merges small files",
    }
