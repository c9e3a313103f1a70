"""Make a usage log to rehearse with: seeded, documented, and labelled as simulated in every row.

What it draws (each number is a field of `Traffic`):
- conversations per UTC day: Poisson around a base that grows by a rate a month, halved on weekends,
  with a day-to-day lognormal wobble;
- each conversation: 1 + Poisson turns; each turn embeds the question, and asks for an answer;
- tokens: lognormal around the means of a retrieval-augmented question (about 1,500 in, 140 out),
  with a share of the input billed as cached; latency proportional to output, lognormal noise;
- two use cases of different volume, and rare errors and refusals.
Two things happen to it, so that `monitor` has something to find: on `provider_change_day` the
provider serves another snapshot under the same name (another `system_fingerprint`, longer
answers, more refusals), and nothing else changes.
Costs are not drawn: the caller prices the tokens.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flows.core.ids import content_id

if TYPE_CHECKING:
    import pandas as pd

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Traffic:
    """The world that is simulated; tokens are means per request."""

    start: date
    days: int
    seed: int
    use_cases: dict[str, float] = field(default_factory=lambda: {"handbook": 90.0, "onboarding": 25.0})
    growth_per_month: float = 0.06
    weekend_share: float = 0.45
    wobble_sd: float = 0.10
    extra_turns: float = 0.6
    chat_model: str = "gpt-4.1-mini"
    embedding_model: str = "text-embedding-3-small"
    input_tokens: float = 1_500.0
    cached_share: float = 0.35
    output_tokens: float = 140.0
    tokens_sd: float = 0.35
    ms_per_output_token: float = 9.0
    latency_floor_ms: float = 420.0
    error_share: float = 0.006
    refusal_share: float = 0.05
    provider_change_day: int = 101
    longer_after_change: float = 1.30
    refusal_share_after_change: float = 0.10


def simulate(world: Traffic) -> "pd.DataFrame":
    """Return the calls of `world` by the calls contract, unpriced, oldest first."""
    import pandas as pd

    rng = np.random.default_rng(world.seed)
    turns = pd.concat([_turns(world, name, base, rng) for name, base in world.use_cases.items()], ignore_index=True)
    frame = pd.concat([_embeddings(world, turns, rng), _answers(world, turns, rng)], ignore_index=True)
    frame = frame.sort_values(["started_at", "step", "conversation_id"], ignore_index=True)
    frame["call_id"] = [content_id("simulated", world.seed, number) for number in range(len(frame))]
    return frame.drop(columns="day")


def _turns(world: Traffic, use_case: str, base: float, rng: np.random.Generator) -> "pd.DataFrame":
    """Return one row per question asked: its time, conversation, use case and day number."""
    import pandas as pd

    day = np.arange(world.days)
    weekend = (world.start.weekday() + day) % 7 >= 5
    level = base * (1 + world.growth_per_month) ** (day / 30) * np.where(weekend, world.weekend_share, 1.0)
    conversations = rng.poisson(level * rng.lognormal(0, world.wobble_sd, world.days))
    conversation_day = np.repeat(day, conversations)
    turns = 1 + rng.poisson(world.extra_turns, conversation_day.size)
    which = np.repeat(np.arange(conversation_day.size), turns)
    # working hours: most questions between 07:00 and 19:00 UTC
    second = np.clip(rng.normal(13 * 3600, 3 * 3600, which.size), 0, SECONDS_A_DAY - 60).astype(int)
    since_start = pd.to_timedelta(conversation_day[which] * SECONDS_A_DAY + second, "s")
    ids = np.array([content_id("simulated", world.seed, use_case, number) for number in range(conversation_day.size)])
    return pd.DataFrame(
        {
            "started_at": pd.Timestamp(world.start, tz="UTC") + since_start,
            "conversation_id": ids[which],
            "use_case": use_case,
            "day": conversation_day[which],
        }
    )


def _answers(world: Traffic, turns: "pd.DataFrame", rng: np.random.Generator) -> "pd.DataFrame":
    size = len(turns)
    changed = turns["day"].to_numpy() >= world.provider_change_day
    refused = rng.random(size) < np.where(changed, world.refusal_share_after_change, world.refusal_share)
    failed = rng.random(size) < world.error_share
    longer = np.where(changed, world.longer_after_change, 1.0)
    output = _lognormal(world.output_tokens * longer * np.where(refused, 0.2, 1.0), world, rng)
    tokens_in = _lognormal(np.full(size, world.input_tokens), world, rng)
    latency = world.latency_floor_ms + output * world.ms_per_output_token * rng.lognormal(0, 0.25, size)
    return _rows(
        turns,
        step="answer",
        operation="chat",
        model=world.chat_model,
        response_model=_choose(changed, f"{world.chat_model}-b", f"{world.chat_model}-a"),
        system_fingerprint=_choose(changed, "fp_simulated_b", "fp_simulated_a"),
        input_tokens=tokens_in,
        cached_input_tokens=(tokens_in * world.cached_share).astype(int),
        output_tokens=np.where(failed, 0, output),
        latency_ms=latency.round(1),
        failed=failed,
        refused=refused & ~failed,
    )


def _embeddings(world: Traffic, turns: "pd.DataFrame", rng: np.random.Generator) -> "pd.DataFrame":
    size = len(turns)
    return _rows(
        turns,
        step="retrieve",
        operation="embeddings",
        model=world.embedding_model,
        response_model=np.full(size, world.embedding_model),
        system_fingerprint=np.full(size, None),
        input_tokens=_lognormal(np.full(size, 18.0), world, rng),
        cached_input_tokens=np.zeros(size, int),
        output_tokens=np.zeros(size, int),
        latency_ms=(60 * rng.lognormal(0, 0.3, size)).round(1),
        failed=np.zeros(size, bool),
        refused=np.zeros(size, bool),
    )


def _rows(
    turns: "pd.DataFrame",
    *,
    step: str,
    operation: str,
    model: str,
    failed: NDArray[np.bool_],
    refused: NDArray[np.bool_],
    **columns: NDArray[Any],
) -> "pd.DataFrame":
    metadata = _choose(refused, '{"refused": true, "simulated": true}', '{"refused": false, "simulated": true}')
    return turns.assign(
        step=step,
        operation=operation,
        provider="openai",
        request_model=model,
        prompt_id="answer@simulated" if operation == "chat" else None,
        release_id=None,
        prompt=None,
        completion=None,
        reasoning_tokens=0,
        time_to_first_token_ms=np.nan,
        finish_reason=_choose(failed, None, "stop"),
        status=_choose(failed, "error", "ok"),
        error_class=_choose(failed, "InternalServerError", None),
        cost_usd=np.nan,
        metadata=metadata,
        **columns,
    )


def _choose(mask: NDArray[np.bool_], yes: str | None, no: str | None) -> NDArray[np.object_]:
    words: NDArray[np.object_] = np.array([no, yes], dtype=object)
    return words.take(mask.astype(int))


def _lognormal(mean: NDArray[np.float64], world: Traffic, rng: np.random.Generator) -> NDArray[np.int64]:
    noise = rng.lognormal(-(world.tokens_sd**2) / 2, world.tokens_sd, mean.size)
    return np.maximum(1, np.round(mean * noise)).astype(np.int64)
