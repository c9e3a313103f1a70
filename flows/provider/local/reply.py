"""What a reader says, and how it is written down: as prose, or as JSON that fits a schema.

The readers know what to put into the properties `answer`, `citations`, `refused`, `reasoning`,
`query` and `question`; any other property gets the plainest value its type allows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
MAX_DEPTH = 20  # schemas that refer to themselves end here


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: its bare text, its prose with citations, and the chunk numbers it cites."""

    answer: str
    prose: str
    citations: tuple[int, ...] = ()
    refused: bool = False
    reasoning: str = ""
    query: str = ""
    question: str = ""

    def known(self) -> dict[str, Any]:
        """Return the values by the property names the readers know."""
        return {
            "answer": self.answer,
            "citations": list(self.citations),
            "refused": self.refused,
            "reasoning": self.reasoning,
            "query": self.query or self.answer,
            "question": self.question or self.answer,
        }


def as_json(reply: Reply, schema: Schema | None) -> str:
    """Write a reply as one JSON object: valid against `schema`, or answer, citations and refused."""
    known = reply.known()
    if schema is None:
        value: Any = {name: known[name] for name in ("answer", "citations", "refused")}
    else:
        value = fill(schema, known, root=schema)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)  # in the schema's order of properties


def fill(schema: Schema, known: Mapping[str, Any], *, root: Schema, depth: int = 0) -> Any:
    """Return the plainest value that fits the schema, taking known properties where types allow."""
    schema = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = _kind(schema)
    if kind == "object" and depth < MAX_DEPTH:
        return {
            name: _property(_resolve(part, root), known, name, root, depth)
            for name, part in schema.get("properties", {}).items()
        }
    if kind == "array" and depth < MAX_DEPTH:
        item = schema.get("items", {})
        return [fill(item, known, root=root, depth=depth + 1)] * int(schema.get("minItems", 0))
    return _plain(kind, schema)


def _property(schema: Schema, known: Mapping[str, Any], name: str, root: Schema, depth: int) -> Any:
    if depth == 0 and name in known and not schema.get("enum") and "const" not in schema:
        fitted = _fit(known[name], schema, root)
        if fitted is not None:
            return fitted
    return fill(schema, known, root=root, depth=depth + 1)


def _fit(value: Any, schema: Schema, root: Schema) -> Any:
    """Return the value in the schema's type, or None where it has no place there."""
    allowed = _kinds(schema)
    if isinstance(value, bool):
        return value if "boolean" in allowed else None
    if isinstance(value, str):
        return value[: schema.get("maxLength")] if "string" in allowed else None
    if isinstance(value, list) and "array" in allowed:
        items = set(_kinds(_resolve(schema.get("items", {"type": "integer"}), root)))
        if items & {"integer", "number"}:
            return value[: schema.get("maxItems")]
        return [str(item) for item in value][: schema.get("maxItems")] if "string" in items else None
    return None


def _resolve(schema: Schema, root: Schema) -> Schema:
    for _ in range(MAX_DEPTH):
        if "$ref" in schema:
            target: Any = root
            for part in str(schema["$ref"]).lstrip("#/").split("/"):
                target = target.get(part, {}) if part else target
            schema = target
        elif options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            schema = {**{k: v for k, v in schema.items() if k not in {"anyOf", "oneOf", "allOf"}}, **options[0]}
        else:
            break
    return schema


def _kinds(schema: Schema) -> list[str]:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return list(kind) if isinstance(kind, list) else [str(kind)]


def _kind(schema: Schema) -> str:
    return next((kind for kind in _kinds(schema) if kind != "null"), "null")


def _plain(kind: str, schema: Schema) -> Any:
    if kind in {"integer", "number"}:
        low, high = schema.get("minimum", 0), schema.get("maximum", 0)
        return max(0, low) if high >= 0 or low > 0 else high
    filler = "-" * int(schema.get("minLength", 0))
    plain: dict[str, Any] = {"string": filler, "boolean": False, "null": None, "object": {}, "array": []}
    return plain.get(kind, filler)
