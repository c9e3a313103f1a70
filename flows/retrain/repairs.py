"""Weigh every repair against doing nothing, and choose the one with the highest expected value.

    EV = value of a point-day * horizon * sum over causes (weight * points lost * share restored) - cost

A repair whose preconditions do not hold is not possible, whatever its value, and says why: a
previous release that asks the same model does not undo a change of that model; fine-tuning on a
guess is the dearest mistake there is (statistics research §3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from flows.retrain.diagnosis import Finding
from flows.retrain.losses import Loss
from flows.retrain.params import Cause, Repair, RetrainParams
from flows.retrain.signals import Signal, by_name
from flows.retrain.stored import Stored

GATE = "llmops run --stages evaluate,release"
REBUILD = "llmops run --stages ingest,embed,testset,evaluate,release"
BY_MODEL: tuple[Cause, ...] = ("provider_change", "cost_rise", "availability")


@dataclass(frozen=True)
class Case:
    """What the repairs are weighed on."""

    findings: Sequence[Finding]
    losses: Mapping[Cause, Loss]
    signals: Sequence[Signal]
    stored: Stored

    def fired(self, name: str) -> bool | None:
        """Return whether a signal fired; None = not measured."""
        return by_name(self.signals)[name].fired


@dataclass(frozen=True)
class Option:
    """A repair weighed; money over the horizon, `gain` per cause after preconditions.

    Args:
        repair: Which.
        possible: Whether its preconditions hold.
        why_not: Why it is not possible; empty when it is.
        cost_usd: Its price.
        value_usd: What the restored points are worth.
        ev_usd: Value minus price.
        sufficient: Whether what remains lost to the causes it touches is tolerable.
        gain: Share restored per cause.
        commands: What to run, in order; a line that begins with `#` is work by hand.
    """

    repair: Repair
    possible: bool
    why_not: str
    cost_usd: float
    value_usd: float
    ev_usd: float
    sufficient: bool
    gain: dict[Cause, float]
    commands: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"commands": list(self.commands)}


def weigh(case: Case, params: RetrainParams) -> list[Option]:
    """Return every repair with its expected value, `none` included."""
    return [_weigh(repair, case, params) for repair in get_args(Repair)]


def choose(options: Sequence[Option]) -> Option:
    """Return the possible repair of the highest expected value; equal ones: the cheapest, `none` first."""
    possible = [option for option in options if option.possible]
    return max(possible, key=lambda option: (option.ev_usd, -option.cost_usd, option.repair == "none"))


def _weigh(repair: Repair, case: Case, params: RetrainParams) -> Option:
    why_not = obstacle(repair, case, params)
    table = params.gain.get(repair, {})
    helps = {item.cause: _helps(repair, item.cause, case) for item in case.findings}
    gain = {cause: table.get(cause, 0.0) if helps[cause] else 0.0 for cause in helps}
    if not why_not and repair != "none" and not any(gain.values()):
        why_not = _useless(repair, helps)
    lost = {item.cause: item.weight * case.losses[item.cause].points for item in case.findings}
    restored = sum(points * gain[cause] for cause, points in lost.items())
    value, cost = params.value_usd_per_point_day * params.horizon_days * restored, params.cost_usd[repair]
    return Option(
        repair=repair,
        possible=not why_not,
        why_not=why_not,
        cost_usd=cost,
        value_usd=round(value, 2),
        ev_usd=round(value - cost, 2),
        sufficient=not why_not and _remaining(lost, gain) <= params.points_tolerated,
        gain=gain,
        commands=commands(repair, case),
    )


def _remaining(lost: Mapping[Cause, float], gain: Mapping[Cause, float]) -> float:
    """Return the points that stay lost to the causes that a repair touches; to all, if it touches none."""
    touched = [cause for cause in lost if gain[cause]] or list(lost)
    return sum(lost[cause] * (1 - gain[cause]) for cause in touched)


def obstacle(repair: Repair, case: Case, params: RetrainParams) -> str:
    """Say why a repair cannot be done at all, or return an empty string."""
    if repair == "roll_back":
        return _no_way_back(case)
    if repair == "re_embed" and case.stored.index is None:
        return "nothing was embedded yet"
    if repair == "fine_tune":
        return _not_tunable(case, params)
    return ""


def _no_way_back(case: Case) -> str:
    production = case.stored.production
    if production is None:
        return "nothing is in production"
    if production.previous is None:
        return production.previous_problem or "there is no previous release"
    return ""


def _not_tunable(case: Case, params: RetrainParams) -> str:
    failed = case.fired("quality_low")
    if not failed:
        return "answers in production are not measured" if failed is None else "no answer metric failed in production"
    unclean = [name for name in ("retrieval_low", "index_behind", "provider_changed") if case.fired(name) is not False]
    if unclean:
        return f"not shown to be clean: {', '.join(unclean)}"
    counted = case.stored.monitor.counts.get("labelled_failures") if case.stored.monitor else None
    failures = counted if params.labelled_failures is None else params.labelled_failures
    if failures is None:
        return f"labelled failures are not measured; {params.labelled_failures_min} are needed"
    if failures < params.labelled_failures_min:
        return f"{failures} labelled failures, {params.labelled_failures_min} are needed"
    return ""


def _helps(repair: Repair, cause: Cause, case: Case) -> bool:
    """Return whether a repair can do anything about a cause here; rolling back may only lead to the same model."""
    production = case.stored.production
    if repair != "roll_back" or cause not in BY_MODEL:
        return True
    if production is None or production.previous is None:
        return False
    changed = changed_models(case) or {production.current.chat_model}
    return production.current.chat_model in changed and production.previous.chat_model not in changed


def changed_models(case: Case) -> set[str]:
    """Return the requested models that another snapshot answers."""
    return {str(item.value) for item in by_name(case.signals)["provider_changed"].evidence}


def _useless(repair: Repair, helps: Mapping[Cause, bool]) -> str:
    if not all(helps.values()):
        return "the previous release pins no other model than the one in question"
    return f"restores nothing of {', '.join(helps) or 'nothing'}"


def commands(repair: Repair, case: Case) -> tuple[str, ...]:
    """Return what a person or the deployment would run; each way into production leads through the gate."""
    production = case.stored.production
    prompt = production.current.prompts["answer"].path if production else "the answer prompt in data/prompts"
    causes = {item.cause for item in case.findings}
    if repair == "re_embed":
        if case.fired("index_behind") is False:
            return (
                "# the index is up to date: add documents, or set other ingest or embed values in params.yaml",
                REBUILD,
            )
        return (REBUILD,)
    if repair == "refresh_few_shots":
        return (f"# replace the examples in {prompt} by recent questions with approved answers", GATE)
    if repair == "change_prompt":
        return (_prompt_work(prompt, causes), GATE)
    if repair == "fine_tune":
        return (
            "# write the labelled failures with approved answers to a training file and submit it to the provider",
            "# call the tuned model once, then set provider.chat_model in params.yaml to its name",
            GATE,
        )
    if repair == "roll_back":
        return (f'llmops release roll-back --why "{", ".join(sorted(causes))}"',)
    return ()


def _prompt_work(prompt: str, causes: set[Cause]) -> str:
    if causes == {"cost_rise"}:
        return f"# shorten {prompt}, or set a cheaper provider.chat_model in params.yaml"
    pin = ", or pin a dated snapshot as provider.chat_model in params.yaml" if "provider_change" in causes else ""
    return f"# mend {prompt}{pin}"
