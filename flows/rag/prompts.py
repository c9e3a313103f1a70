"""Prompts as versioned text files: read them strictly, render them without surprises.

A prompt is `data/prompts/<name>.md`. Its version is the hash of its text without what editors and
git add (byte order mark, CR line ends), so the same prompt has the same version on every system.
What is declared must be used and the reverse: a misspelt variable would otherwise vanish silently.
Few-shot examples are rendered by the same template as the question and become earlier turns of
the conversation (Brown et al. 2020).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.core.errors import ParamsError, did_you_mean
from flows.core.ids import sha256
from flows.core.project import Project
from flows.provider.requests import Message
from flows.rag.promptfile import Header, Part, normalise, read_bytes, refuse_secrets, split
from flows.rag.schemas import Schema, schema_for
from flows.rag.template import NAME, fill, placeholders, undelimited

VERSION_CHARS = 12


@dataclass(frozen=True)
class Prompt:
    """A parsed prompt; build it by `load_prompt` or `parse_prompt`."""

    header: Header
    system: str
    user: str
    path: str
    text: str
    version: str

    @property
    def name(self) -> str:
        """The prompt's name, equal to its file's."""
        return self.header.name

    @property
    def prompt_id(self) -> str:
        """Name and version, such as `answer@0f3c8a1b2d4e`; what the calls log records."""
        return f"{self.name}@{self.version}"

    @property
    def schema(self) -> Schema | None:
        """JSON schema of the output, or None for plain text."""
        return schema_for(self.header.output, reasoning=self.header.reasoning)

    @property
    def notes(self) -> list[str]:
        """What is allowed and yet unwise about the prompt, for people."""
        loose = sorted(undelimited(self.user) - {"context"})  # a context brings its own <chunk> tags
        return [
            f"prompt {self.prompt_id}: {name!r} has no tags around it, such as <{name}>…</{name}>" for name in loose
        ]

    def render(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """Return the conversation: system, the examples as earlier turns, then the user's message.

        Args:
            values: A text for every declared variable. Values are data: nothing in them is rendered.

        Raises:
            ParamsError: A variable has no value, or a value has no variable.
        """
        self._same_names(values, what="values")
        system = [Message("system", fill(self.system, values))] if self.system.strip() else []
        turns = [turn for example in self.header.examples for turn in self._turns(example)]
        return (*system, *turns, Message("user", fill(self.user, values)))

    def _turns(self, example: Mapping[str, Any]) -> tuple[Message, Message]:
        reply = example[self.header.output]
        said = reply if isinstance(reply, str) else _json(reply)
        asked = {name: str(example[name]).strip("\n") for name in self.header.variables}
        return Message("user", fill(self.user, asked)), Message("assistant", said)

    def _same_names(self, values: Mapping[str, Any], *, what: str) -> None:
        missing, extra = set(self.header.variables) - set(values), set(values) - set(self.header.variables)
        if missing or extra:
            raise ParamsError(
                f"the {what} do not fit prompt {self.prompt_id!r}: missing {sorted(missing)}, unknown {sorted(extra)}. "
                f"Mend `variables` in {self.path!r}."
            )


def load_prompt(project: Project, name: str) -> Prompt:
    """Read the prompt `data/prompts/<name>.md`.

    Raises:
        ParamsError: It is missing or wrong; says where and what to do.
    """
    folder = project.data("prompts")
    where = f"data/prompts/{name}.md"
    try:
        if not re.fullmatch(NAME, name):
            raise FileNotFoundError
        data = read_bytes(folder / f"{name}.md", where=where)
    except FileNotFoundError:
        known = sorted(path.stem for path in folder.glob("*.md"))
        raise ParamsError(
            f"there is no prompt {name!r} in 'data/prompts'.{did_you_mean(name, known)} It has {known}."
        ) from None
    return parse_prompt(normalise(data, where=where), path=where)


def parse_prompt(text: str, *, path: str) -> Prompt:
    """Parse a prompt's normalised text, from its file or out of a release.

    Args:
        text: The whole file, front matter included.
        path: Where it stands in the project.

    Raises:
        ParamsError: With file and line.
    """
    refuse_secrets(text, where=path)
    header, parts = split(text, where=path)
    stem = path.rsplit("/", 1)[-1].removesuffix(".md")
    if header.name != stem:
        raise ParamsError(f"{path} says `name: {header.name}`. Let the name and the file's name be the same.")
    _check_names(header, parts, path)
    system = parts.get("system", Part("", 0)).text
    prompt = Prompt(header, system, parts["user"].text, path, text, prompt_version(text))
    _check_examples(prompt)
    return prompt


def prompt_version(text: str) -> str:
    """Return the version of a normalised prompt text: 12 hex digits of its hash."""
    return sha256(text)[:VERSION_CHARS]


def _check_names(header: Header, parts: Mapping[str, Part], path: str) -> None:
    used: set[str] = set()
    for part in parts.values():
        used |= placeholders(part.text, where=path, first_line=part.first_line)
    declared = set(header.variables)
    if undeclared := sorted(used - declared):
        hint = did_you_mean(undeclared[0], declared)
        raise ParamsError(f"{path} uses {undeclared}, which `variables` does not declare.{hint} Declare or mend it.")
    if unused := sorted(declared - used):
        raise ParamsError(f"{path} declares {unused}, which no part uses. Use {{{{ {unused[0]} }}}} or drop it.")
    if len(declared) != len(header.variables) or (header.output in declared and header.examples):
        raise ParamsError(f"{path}: `variables` names a variable twice, or one like the output. Rename it.")


def _check_examples(prompt: Prompt) -> None:
    import jsonschema

    wanted = {*prompt.header.variables, prompt.header.output}
    for number, example in enumerate(prompt.header.examples, 1):
        if set(example) != wanted:
            raise ParamsError(
                f"{prompt.path}: example {number} has {sorted(example)}, needs {sorted(wanted)}. Mend it."
            )
        reply = example[prompt.header.output]
        try:
            jsonschema.validate(reply, prompt.schema or {"type": "string"})
        except jsonschema.ValidationError as error:
            raise ParamsError(
                f"{prompt.path}: the output of example {number} breaks the rule {error.validator!r} of schema "
                f"{prompt.header.output!r} at {error.json_path}. Mend it."
            ) from None


def _json(value: Any) -> str:
    """Write an example's output as a model would, in the order in which it stands in the file."""
    return json.dumps(value, ensure_ascii=False)
