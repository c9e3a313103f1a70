"""Every section of params.yaml with the class that types it, and the file written from them."""

import importlib
from typing import Any

import yaml

from flows.core.params import SECTIONS, Section
from flows.core.project import Project

HEADER = """\
# What decides a result, and nothing else: sizes, margins, seeds, names of models and prompts, budgets.
# Where things run and with which key stands in the environment (.env.example).
# A key that is left out takes the value shown here; an unknown key is an error.
"""


def section_class(name: str) -> type[Section]:
    """Return the class of a section: `<Name>Params` in `flows/<name>/params.py`."""
    found: type[Section] = getattr(importlib.import_module(f"flows.{name}.params"), f"{name.capitalize()}Params")
    return found


def load_all(project: Project) -> dict[str, Section]:
    """Load every section.

    Raises:
        ParamsError: Of the first section that is wrong.
    """
    return {name: section_class(name).load(project) for name in SECTIONS}


def render() -> str:
    """Return a params.yaml with every key at its default and its description as a comment."""
    return HEADER + "".join(f"\n{name}:\n{_render_section(section_class(name))}" for name in SECTIONS)


def _render_section(section: type[Section]) -> str:
    values = section().model_dump(mode="json")
    lines = []
    for key, field in section.model_fields.items():
        text = yaml.safe_dump({key: values[key]}, sort_keys=False, width=100, allow_unicode=True)
        if field.description:
            lines.append(f"# {field.description}")
        lines += text.rstrip("\n").split("\n")
    return "".join(f"  {line}\n" for line in lines)


def as_dict(project: Project) -> dict[str, Any]:
    """Return every section as plain values, defaults included."""
    return {name: section.model_dump(mode="json") for name, section in load_all(project).items()}
