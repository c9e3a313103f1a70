"""A batch that cannot go on ends with the error itself, after what is in flight."""

import asyncio
import sqlite3

import pytest

from flows.core.errors import BudgetError
from flows.provider.loop import work_through


@pytest.mark.parametrize(
    "error", [BudgetError("spent"), OSError(28, "No space left"), sqlite3.OperationalError("full")]
)
def test_the_first_error_ends_the_batch_as_itself(error):
    done = []

    async def do(job):
        await asyncio.sleep(0)
        if job == 1:
            raise error
        done.append(job)

    with pytest.raises(type(error)) as caught:
        asyncio.run(work_through(range(20), do, workers=2, stop=asyncio.Event()))
    assert caught.value is error
    assert 0 in done
    assert len(done) < 19
