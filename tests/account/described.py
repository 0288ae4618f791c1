"""Twilio's own description of its API (an excerpt, MIT; `data/LICENSE`), for checking answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

FILE: Final = Path(__file__).with_name("data") / "twilio.json"


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = json.loads(FILE.read_text())
    return document


def answer_problems(path: str, method: str, document: object) -> list[str]:
    """What is wrong with an answer, after the schema of its path (with ``{Sid}`` and the like)."""
    whole = description()
    responses = whole["paths"][path][method]["responses"]
    (answer,) = responses.values()
    schema = answer["content"]["application/json"]["schema"]
    as_json_schema = _plain({"components": whole["components"], **schema})
    validator = Draft202012Validator(as_json_schema)
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(document)
    ]


def fields_of(path: str, key: str) -> set[str]:
    """The fields that each item of a list has."""
    whole = description()
    schema = whole["paths"][path]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    items = schema["properties"][key]["items"]["$ref"].rpartition("/")[2]
    return set(whole["components"]["schemas"][items]["properties"])


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema: ``nullable`` is one more type, and one more value."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") is True:
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    return plain
