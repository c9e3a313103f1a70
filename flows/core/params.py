"""Read `params.yaml`: one typed, bounded, frozen section per stage; unknown keys are refused.

YAML is read with the safe loader, made stricter in three ways: a duplicate key is an error
(plain YAML lets the last one win), `yes/no/on/off` stay text, and times like `12:30` stay text
(YAML 1.1 turns them into booleans and base-60 numbers).
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from flows.core.errors import ParamsError, did_you_mean
from flows.core.project import STAGES, Project

SECTIONS = ("provider", "ingest", "embed", "rag", *STAGES[2:])
"""The sections of params.yaml in the order of the DAG; each is typed by `flows/<name>/params.py`."""

_LOOSE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "timestamp")}


class StrictLoader(yaml.SafeLoader):
    """Safe YAML without duplicate keys and without YAML 1.1's surprises."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {  # type: ignore[misc]
        first: [(tag, pattern) for tag, pattern in rules if tag not in _LOOSE_TAGS]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; a key that stands twice is an error with its line."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice or is no plain name", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_DECIMAL = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")  # no octal, no base 60, no underscores
StrictLoader.add_implicit_resolver("tag:yaml.org,2002:int", _DECIMAL, list("-+0123456789"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that must hold a mapping.

    Raises:
        ParamsError: Missing, not YAML (with the line), a duplicate key, or not a mapping.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=StrictLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise ParamsError(f"{str(path)!r} is missing. Run `llmops init DIR` to lay out a project.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{str(path)!r} is not readable YAML: {_where(error)}. Mend that line.") from None
    if not isinstance(value, dict) or not value:
        found = "nothing" if value is None else type(value).__name__
        raise ParamsError(f"{str(path)!r} must hold named sections, found {found}. See params.yaml of the sample.")
    return value


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


class Section(BaseModel):
    """A section of params.yaml; subclass it in a room's `params.py` and give every field bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    section: ClassVar[str]

    @classmethod
    def load(cls, project: Project) -> Self:
        """Read this section; fields that are not written take their documented defaults.

        Raises:
            ParamsError: Names every wrong key and value at once.
        """
        sections = read_yaml(project.params_file)
        for name in sections:
            if name not in SECTIONS:
                raise ParamsError(
                    f"params.yaml: section {name!r} does not exist.{did_you_mean(name, SECTIONS)} "
                    f"Sections: {', '.join(SECTIONS)}."
                )
        return cls.parse(sections.get(cls.section) or {}, where=project.params_file.name)

    @classmethod
    def parse(cls, values: Any, *, where: str) -> Self:
        """Validate `values` as this section; `where` names their origin in errors."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            lines = [cls._explain(item) for item in error.errors()]
            raise ParamsError(
                f"{where} has {len(lines)} wrong value(s):\n  " + "\n  ".join(lines) + "\nMend them and run again."
            ) from None

    @classmethod
    def _explain(cls, item: Any) -> str:
        path = ".".join([cls.section, *(str(part) for part in item["loc"])])
        if item["type"] == "extra_forbidden":
            hint = did_you_mean(str(item["loc"][-1]), cls.model_fields)
            return f"{path}: this key does not exist.{hint}"
        if item["type"] == "missing":
            return f"{path}: this key is missing."
        return f"{path} = {item['input']!r}: {item['msg']}"
