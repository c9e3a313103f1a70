"""Which judges there are, how they are asked, and what each may decide."""

from dataclasses import dataclass
from typing import Any

from flows.core.project import Project
from flows.core.settings import load_settings
from flows.evaluate.judge_records import Trust, trust
from flows.evaluate.judges import Judge, load_judge, named, prompt_names
from flows.evaluate.params import EvaluateParams
from flows.provider.params import ProviderParams
from flows.provider.session import resolve


@dataclass(frozen=True)
class Status:
    """One judge and what is known of it."""

    name: str
    judge: Judge
    configured: bool  # stands in evaluate.judges
    gated: bool  # stands in evaluate.gated_metrics, or has a guardrail
    trust: Trust

    def sentence(self) -> str:
        """Return one line for a person."""
        used = "judges every evaluation" if self.configured else "not in evaluate.judges"
        may = "may decide" if self.trust.may_gate else "informs only"
        asked = " and is asked to" if self.gated else ""
        return f"{self.judge.prompt.prompt_id} by {self.judge.model}; {used}; {may}{asked}: {self.trust.why}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        record = self.trust.record
        return {
            "name": self.name,
            "metric": self.judge.metric,
            "scale": list(self.judge.scale),
            "pairwise": self.judge.pairwise,
            **self.judge.identity,
            "configured": self.configured,
            "gated": self.gated,
            "may_gate": self.trust.may_gate,
            "why": self.trust.why,
            "calibration_id": record.calibration_id if record else None,
            "agreement": dict(record.agreement) if record else None,
        }


def statuses(project: Project) -> list[Status]:
    """Return the judges of params.yaml, then the prompts that could be one."""
    params = EvaluateParams.load(project)
    used = {spec.prompt for spec in params.judges.values()}
    others = [name for name in prompt_names(project) if name not in used]
    return [status_of(project, name) for name in (*sorted(params.judges), *others)]


def status_of(project: Project, name: str) -> Status:
    """Return one judge by its name.

    Raises:
        ParamsError: There is no such judge, or its prompt is wrong.
        SettingsError: Its model needs a provider that is not configured.
    """
    params = EvaluateParams.load(project)
    short, spec = named(project, params, name)
    judge = load_judge(project, short, spec, chat_model(project))
    decides = judge.metric in params.gated_metrics or judge.metric in params.guardrails
    return Status(short, judge, short in params.judges, decides, trust(project, judge, params))


def chat_model(project: Project) -> str:
    """Return the chat model that `null` stands for."""
    return resolve(ProviderParams.load(project), load_settings())[0]
