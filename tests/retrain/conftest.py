"""The builders of worlds as one fixture, so that tests read as sentences."""

from types import SimpleNamespace

import pytest

from flows.retrain.params import RetrainParams
from tests.retrain import worlds


@pytest.fixture
def make():
    """Build stored data: `make.stored(monitor=make.monitor(make.alarm("cost_usd")))`."""
    return SimpleNamespace(
        stored=worlds.stored, monitor=worlds.monitor, alarm=worlds.alarm, change=worlds.change,
        verdict=worlds.verdict, manifest=worlds.manifest, as_of=worlds.AS_OF,
    )  # fmt: skip


@pytest.fixture
def params():
    """The policy as it is when params.yaml says nothing."""
    return RetrainParams()
