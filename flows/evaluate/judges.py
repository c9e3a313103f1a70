"""Judges as data: which prompt asks which model how often, and what makes two judges the same one.

A judge is a prompt file whose `output` is `judge` (one answer, a score on the scale of the schema) or `preference`
(two answers, shown in both orders). People's labels say something about exactly the prompt, the model and the way
of asking that were compared with them, so these together are a judge's identity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.core.errors import ParamsError, did_you_mean
from flows.core.project import Project
from flows.core.settings import load_settings
from flows.evaluate.params import EvaluateParams, JudgeParams
from flows.evaluate.registry import JUDGED
from flows.provider.session import require_provider
from flows.rag.prompts import Prompt, load_prompt

OUTPUTS = ("judge", "preference")
PREFERENCE = {"first": 1.0, "tie": 0.5, "second": 0.0}  # of the answer that is judged, when it is shown first
KNOWN = frozenset({"question", "answer", "reference_answer", "context", "first_answer", "second_answer"})


@dataclass(frozen=True)
class Judge:
    """One judge, ready to be asked."""

    name: str
    prompt: Prompt
    model: str
    repeats: int
    temperature: float
    max_output_tokens: int

    @property
    def metric(self) -> str:
        """Name of its scores among the metrics."""
        return f"{JUDGED}{self.name}"

    @property
    def pairwise(self) -> bool:
        """Whether it compares two answers."""
        return self.prompt.header.output == "preference"

    @property
    def scale(self) -> tuple[float, ...]:
        """The scores it can give, ascending."""
        if self.pairwise:
            return tuple(sorted(PREFERENCE.values()))
        return tuple(sorted((self.prompt.schema or {})["properties"]["score"]["enum"]))

    @property
    def identity(self) -> dict[str, Any]:
        """What a calibration belongs to."""
        return {
            "prompt": self.prompt.prompt_id, "model": self.model, "repeats": self.repeats,
            "temperature": self.temperature,
        }  # fmt: skip

    def level(self, score: float) -> float:
        """Return the score of the scale that is nearest; a mean over repeats may lie between two."""
        return min(self.scale, key=lambda step: (abs(step - score), step))


def load_judge(project: Project, name: str, spec: JudgeParams, chat_model: str) -> Judge:
    """Return the judge that params.yaml describes under `evaluate.judges.<name>`.

    Raises:
        ParamsError: Its prompt is missing, wrong, or no judge's.
        SettingsError: Its model needs a provider that is not configured.
    """
    prompt = load_prompt(project, spec.prompt)
    if prompt.header.output not in OUTPUTS:
        raise ParamsError(
            f"judge {name!r} names prompt {spec.prompt!r}, whose output is {prompt.header.output!r}. A judge's is "
            f"{' or '.join(OUTPUTS)}: mend the front matter of {prompt.path!r}, or name another prompt."
        )
    wanted = {"first_answer", "second_answer"} if prompt.header.output == "preference" else {"answer"}
    variables = set(prompt.header.variables)
    if not wanted <= variables <= KNOWN:
        raise ParamsError(
            f"{prompt.path!r} has the variables {sorted(variables)}. A {prompt.header.output!r} prompt needs "
            f"{sorted(wanted)} and may use {', '.join(sorted(KNOWN - {'answer', 'first_answer', 'second_answer'}))}."
        )
    model = spec.model or chat_model
    require_provider(model, load_settings())
    return Judge(name, prompt, model, spec.repeats, spec.temperature, spec.max_output_tokens)


def load_judges(project: Project, params: EvaluateParams, chat_model: str) -> list[Judge]:
    """Return the judges of params.yaml in order of their names.

    Raises:
        ParamsError: As `load_judge`.
        SettingsError: Likewise.
    """
    return [load_judge(project, name, spec, chat_model) for name, spec in sorted(params.judges.items())]


def prompt_names(project: Project) -> list[str]:
    """Return the names of the prompts in data/prompts that are a judge's; unreadable ones are left out."""
    found = []
    for path in sorted(project.data("prompts").glob("*.md")):
        try:
            prompt = load_prompt(project, path.stem)
        except ParamsError:
            continue
        found += [prompt.name] if prompt.header.output in OUTPUTS else []
    return found


def named(project: Project, params: EvaluateParams, name: str) -> tuple[str, JudgeParams]:
    """Return the judge that a person means: one of params.yaml, or a prompt with default settings.

    Args:
        project: The project.
        params: Section `evaluate`.
        name: `correctness`, or the prompt's name `judge_correctness`.

    Raises:
        ParamsError: There is neither; names what there is.
    """
    short = name.removeprefix(JUDGED)
    for known in (name, short):
        if known in params.judges:
            return known, params.judges[known]
    prompts: Mapping[str, str] = {prompt.removeprefix(JUDGED): prompt for prompt in prompt_names(project)}
    if short in prompts:
        return short, JudgeParams(prompt=prompts[short])
    known_names = sorted({*params.judges, *prompts})
    raise ParamsError(
        f"there is no judge {name!r} in params.yaml (evaluate.judges) nor a prompt for one in 'data/prompts'."
        f"{did_you_mean(short, known_names)} Known: {', '.join(known_names) or 'none'}."
    )
