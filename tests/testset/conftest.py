import pandas as pd
import pytest

from flows.core.contracts import DOCUMENTS
from flows.core.ids import document_id, document_version
from flows.core.tables import check
from flows.testset.drafts import Corpus
from flows.testset.spans import Version

TORTOISE = """# The tortoise house

The tortoise house is the building in which the old tortoises sleep. Each tortoise needs at least 30 leaves a day.
When a tortoise loses weight, the keeper calls the vet within two hours.

## Feeding

Leaves are stored in the cold room below the stairs. The keeper must weigh each tortoise on Monday.

| plant | effect |
|---|---|
| clover | makes the shell strong and smooth |
| lettuce | fills the stomach without feeding |
"""
PENGUIN = """# The penguin pool

The penguin pool is the basin with the salt water filter. The filter
needs at least 400 litres an hour. A dirty filter hums.
Penguins are fed by hand because they refuse dead fish on the ground.
A moult is the yearly change of feathers, and it lasts three weeks.

```
The code block is a thing that must not be asked about.
```
"""


def frame_of(texts):
    rows = [
        {
            "document_id": document_id(uri), "document_version": document_version(text), "source_uri": uri,
            "title": text.splitlines()[0].lstrip("# ") or uri, "access": "public",
            "media_type": "text/markdown", "text": text,
            "language": "en", "n_chars": len(text), "parsed_by": "test", "pii_counts": "{}", "flags": "[]",
        }
        for uri, text in texts.items()
    ]  # fmt: skip
    return check(pd.DataFrame(rows), DOCUMENTS)


def corpus_of(texts):
    return Corpus.read({document_id(uri): (uri, Version(document_version(text), text)) for uri, text in texts.items()})


@pytest.fixture
def zoo():
    return {"tortoise.md": TORTOISE, "penguin.md": PENGUIN}


@pytest.fixture
def zoo_frame(zoo):
    return frame_of(zoo)


@pytest.fixture
def zoo_corpus(zoo):
    return corpus_of(zoo)


@pytest.fixture
def framed():
    """Make the table `documents` of `{source_uri: text}`."""
    return frame_of


@pytest.fixture(scope="session", name="frame_of")
def frame_of_fixture():
    return frame_of


@pytest.fixture(scope="session", name="corpus_of")
def corpus_of_fixture():
    return corpus_of
