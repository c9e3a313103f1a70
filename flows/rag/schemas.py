"""The JSON that the chain asks models for, by name: a prompt's `output` names one of these.

Every property is required and no other is allowed, the subset that strict structured output
takes everywhere (OpenAI, vLLM, Ollama). A prompt with `reasoning: true` gets the property
`reasoning` in front, so that the model thinks before it commits (Wei et al. 2022).
"""

from typing import Any

Schema = dict[str, Any]


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS: dict[str, Schema] = {
    "answer": _object(
        answer={"type": "string"},
        citations={"type": "array", "items": {"type": "integer"}},  # numbers of the chunks given
        refused={"type": "boolean"},
    ),
    "rewrite": _object(question={"type": "string"}),
    "judge": _object(score={"type": "number", "enum": [0.0, 0.5, 1.0]}),
    "preference": _object(better={"type": "string", "enum": ["first", "second", "tie"]}),
}


def schema_for(output: str, *, reasoning: bool) -> Schema | None:
    """Return the JSON schema a prompt asks for, or None for plain text.

    Args:
        output: A name in `SCHEMAS`, or `text`.
        reasoning: Put the property `reasoning` first.
    """
    if output == "text":
        return None
    properties = SCHEMAS[output]["properties"]
    return _object(**({"reasoning": {"type": "string"}} if reasoning else {}), **properties)
