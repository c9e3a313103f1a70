"""What production looks like on a quiet day, and what can go wrong with it."""

from datetime import date

from flows.rag.prompts import prompt_version
from flows.rag.release import ModelParams, ReleasedPrompt, ReleaseManifest, Retrieval
from flows.retrain.stored import Alarm, Guarded, Index, Judged, Monitor, Production, ProviderChange, Stored, Verdict

AS_OF = date(2026, 10, 31)
POINTS_TO = {
    "input_tokens": "input", "output_tokens": "output", "refusal_share": "output", "latency_ms": "latency",
    "cost_usd": "cost", "error_share": "availability",
}  # fmt: skip


def manifest(seed=0, chat_model="m-1"):
    return ReleaseManifest.seal(
        format=1,
        code_sha256="0" * 64,
        chain=["retrieve", "answer", "check"],
        prompts={
            "answer": ReleasedPrompt(
                name="answer", version=prompt_version("text"), path="data/prompts/answer.md", text="text"
            )
        },
        chat_model=chat_model,
        model_params=ModelParams(temperature=0.0, max_output_tokens=100, seed=seed),
        embedding_fingerprint={"model": "e"},
        index_tag="c-000000000000",
        index_version=1,
        retrieval=Retrieval(mode="hybrid", k=5, context_tokens_max=1000, question_chars_max=1000, quote_words_min=3),
    )


def alarm(channel, day=date(2026, 10, 20), direction="rise", before=100.0, after=130.0):
    unit = "share of answers" if channel.endswith("share") else "per answer"
    return Alarm(
        channel=channel, points_to=POINTS_TO[channel], day=day, direction=direction, before=before, after=after,
        unit=unit,
    )  # fmt: skip


def change(model="m-1", day=date(2026, 10, 10)):
    return ProviderChange(request_model=model, day=day, share=1.0)


def monitor(*alarms, changes=(), as_of=AS_OF, learning=(), counts=None):
    return Monitor(
        as_of=as_of, alarms=list(alarms), provider_changes=list(changes), learning=list(learning), counts=counts or {}
    )


def verdict(release, *, correctness="pass", effect=0.0, recall="pass"):
    return Verdict(
        release_id=release.release_id,
        verdict="pass" if correctness == recall == "pass" else "fail",
        metrics={"correctness": Judged(verdict=correctness, effect=effect)},
        guardrails={"retrieval_recall": Guarded(verdict=recall, low=0.6, mean=0.5 if recall == "fail" else 0.9)},
    )


def stored(**changes):
    """A quiet day with everything measured, except what is changed."""
    now = manifest()
    quiet = {
        "monitor": monitor(),
        "answers_per_day": 300.0,
        "verdict": verdict(now),
        "metrics": {"retrieval_recall": 0.9},
        "evaluated_on": date(2026, 10, 30),
        "index": Index("a" * 64, "a" * 64),
        "stale_share": 0.0,
        "production": Production(now),
    }
    return Stored(**(quiet | changes))
