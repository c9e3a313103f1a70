"""JSON answers fit the schema that was asked for, whatever it names."""

import json
from typing import Any

import jsonschema
import pytest

from flows.provider.local.reply import Reply, as_json

REPLY = Reply("Ninety days.", "Ninety days. [5]", citations=(5, 2), reasoning="Support 0.8.")

ANSWER_SCHEMA = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "answer": {"type": "string"},
        "citations": {"type": "array", "items": {"type": "integer"}},
        "refused": {"type": "boolean"},
    },
    "required": ["reasoning", "answer", "citations", "refused"],
    "additionalProperties": False,
}


def test_known_properties_are_filled_in_the_order_of_the_schema() -> None:
    text = as_json(REPLY, ANSWER_SCHEMA)
    assert list(json.loads(text)) == ["reasoning", "answer", "citations", "refused"]
    assert json.loads(text)["citations"] == [5, 2]


def test_without_a_schema_the_object_holds_answer_citations_and_refused() -> None:
    assert json.loads(as_json(REPLY, None)) == {"answer": "Ninety days.", "citations": [5, 2], "refused": False}


@pytest.mark.parametrize(
    "schema",
    [
        ANSWER_SCHEMA,
        {"type": "object", "properties": {"citations": {"type": "array", "items": {"type": "string"}}}},
        {"type": "object", "properties": {"citations": {"type": "array", "items": {"type": "object"}}}},
        {"type": "object", "properties": {"answer": {"type": "integer", "minimum": 3}}, "required": ["answer"]},
        {"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}}, "required": ["answer"]},
        {"type": "object", "properties": {"answer": {"type": ["string", "null"], "maxLength": 4}}},
        {"type": "object", "properties": {"note": {"anyOf": [{"type": "null"}, {"type": "string"}]}}},
        {"type": "object", "properties": {"score": {"type": "number", "maximum": -1}}, "required": ["score"]},
        {"type": "object", "properties": {"tags": {"type": "array", "items": {"const": "x"}, "minItems": 2}}},
        {"type": "object", "properties": {"name": {"type": "string", "minLength": 3}}, "required": ["name"]},
        {
            "type": "object",
            "$defs": {"inner": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}},
            "properties": {"inner": {"$ref": "#/$defs/inner"}},
            "required": ["inner"],
        },
    ],
)
def test_any_schema_is_met(schema: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(as_json(REPLY, schema)), schema)


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert as_json(REPLY, schema).startswith('{"child"')
